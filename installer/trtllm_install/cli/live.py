"""Progress on a terminal: the present phase and a line per service that moves."""

import time
from collections.abc import Sequence

from rich.console import Console, Group
from rich.live import Live as Screen
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from trtllm_install.app.reporter import Live
from trtllm_install.cli.plain import PlainReporter
from trtllm_install.model.states import BACKOFF, FAILED, SERVING


class LiveReporter(PlainReporter):
    """Redraws the services in place; everything else scrolls as plain lines do."""

    def __init__(self) -> None:
        super().__init__()
        self._console = Console(stderr=True, highlight=False)
        self._screen: Screen | None = None
        self._begun = time.monotonic()
        self._done_at: dict[str, float] = {}
        self._spinners: dict[str, Spinner] = {}

    def phase(self, title: str) -> None:
        """See Reporter.phase."""
        self._close()
        self._begun = time.monotonic()
        self._console.print(Text(f"==> {title}", style="bold"))

    def live(self, services: Sequence[Live]) -> None:
        """See Reporter.live."""
        if self._screen is None:
            self._screen = Screen(console=self._console, refresh_per_second=8, transient=False)
            self._screen.start()
        self._screen.update(self._table(services))
        if all(live.state in SERVING for live in services):
            self._close()

    def close(self) -> None:
        """Give the cursor back; the last picture stays."""
        self._close()

    def line(self, text: str) -> None:
        """Write one line of talk above the services."""
        self._console.print(Text(text))

    def _table(self, services: Sequence[Live]) -> Group:
        table = Table(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False)
        table.add_column(width=6, justify="right")
        for column in ("name", "state", "elapsed"):
            table.add_column(column, no_wrap=True)
        table.add_column("status", overflow="ellipsis", no_wrap=True)
        for live in services:
            table.add_row(
                self._mark(live),
                Text(live.name),
                Text(live.state, style=_style(live.state)),
                f"{self._elapsed(live):.0f} s",
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
        if self._screen:
            self._screen.stop()
            self._screen = None


def _style(state: str) -> str:
    if state in SERVING:
        return "green"
    return "red" if state in {FAILED, BACKOFF} else "yellow"
