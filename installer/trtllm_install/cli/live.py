"""Progress on a terminal: the present phase and a line per service that moves."""

import time
from collections.abc import Sequence
from contextlib import suppress

from rich.console import Console, Group
from rich.live import Live as Screen
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from trtllm_install.app.reporter import Live, Progress
from trtllm_install.cli.bar import StepBar
from trtllm_install.cli.plain import PlainReporter
from trtllm_install.cli.present import progress_words
from trtllm_install.model.secrets import mask
from trtllm_install.model.states import BACKOFF, FAILED, MEANING, SERVING

_WIDEST_STATE = max(len(state) for state in MEANING)
_ELAPSED = len("3600 s")
_WIDE = 60  # columns, below which the status would be two letters


class LiveReporter(PlainReporter):
    """Redraws the services in place; everything else scrolls as plain lines do."""

    def __init__(self) -> None:
        super().__init__()
        self._console = Console(stderr=True, highlight=False)
        self._screen: Screen | None = None
        self._begun = time.monotonic()
        self._done_at: dict[str, float] = {}
        self._spinners: dict[str, Spinner] = {}
        self._bar: StepBar | None = None

    def phase(self, title: str) -> None:
        """See Reporter.phase."""
        self._close()
        self._begun = time.monotonic()
        with suppress(OSError):  # the terminal is gone, and the work goes on
            self._console.print(Text(f"==> {title}", style="bold"))

    def live(self, services: Sequence[Live]) -> None:
        """See Reporter.live."""
        with suppress(OSError):
            if self._screen is None:
                self._screen = Screen(console=self._console, refresh_per_second=8, transient=False)
                self._screen.start()
            self._screen.update(self._table(services))
        if all(live.state in SERVING for live in services):
            self._close()

    def step(self, title: str, word: str, written: int) -> None:
        """See Reporter.step."""
        if self._bar is None:
            self._bar = StepBar(self._console)
        self._bar.show(title, word, written)

    def progress(self, progress: Progress) -> None:
        """See Reporter.progress."""
        with suppress(OSError):
            self._show(progress)

    def _show(self, progress: Progress) -> None:
        if self._screen is None:
            self._screen = Screen(console=self._console, refresh_per_second=8, transient=False)
            self._screen.start()
        table = Table(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False)
        table.add_row(
            ProgressBar(total=max(progress.total, 1), completed=progress.done, width=20),
            progress_words(progress),
        )
        self._screen.update(table)
        if progress.files == progress.of:
            self._close()

    def close(self) -> None:
        """Give the cursor back; the last picture stays."""
        self._close()

    def line(self, text: str) -> None:
        """Write one line of talk above the services."""
        with suppress(OSError):
            self._console.print(Text(mask(text)), soft_wrap=True)

    def _table(self, services: Sequence[Live]) -> Group:
        table = Table(
            box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False, expand=True
        )
        is_wide = self._console.width >= _WIDE
        table.add_column(width=6 if is_wide else 1, justify="right")
        # The seconds give way on a narrow terminal, then the status: never name or state.
        widths = (max(len(live.name) for live in services), _WIDEST_STATE)
        for width in (*widths, _ELAPSED) if is_wide else widths:
            table.add_column(width=width, no_wrap=True)
        table.add_column(ratio=1, overflow="ellipsis", no_wrap=True)
        for live in services:
            elapsed = f"{self._elapsed(live):.0f} s"
            table.add_row(
                self._mark(live),
                Text(live.name),
                Text(live.state, style=_style(live.state)),
                *([elapsed] if is_wide else []),
                Text(live.status, style="dim"),
            )
        return Group(table)

    def _mark(self, live: Live) -> Text | Spinner:
        if live.state in SERVING:
            return Text("✔", style="green")
        if live.state == FAILED:
            return Text("✘", style="red")
        return self._spinners.setdefault(live.name, Spinner("dots", style="cyan"))

    def _elapsed(self, live: Live) -> float:
        """Seconds since this phase began, frozen once the service is there."""
        now = time.monotonic() - self._begun
        return self._done_at.setdefault(live.name, now) if live.state in SERVING else now

    def _close(self) -> None:
        screen, self._screen = self._screen, None
        bar, self._bar = self._bar, None
        with suppress(OSError):
            if screen:
                screen.stop()
            if bar:
                bar.close()


def _style(state: str) -> str:
    if state in SERVING:
        return "green"
    return "red" if state in {FAILED, BACKOFF} else "yellow"
