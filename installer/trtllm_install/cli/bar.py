"""A long step on a terminal: what it does, for how long, how much it has written."""

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from trtllm_install.cli.present import size_words


class StepBar:
    """One bar a step. How much is to come is not known beforehand: the bar shows life."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            TextColumn("    {task.description}"),
            BarColumn(bar_width=20),
            TimeElapsedColumn(),
            TextColumn("{task.fields[written]:>9}"),
            TextColumn("{task.fields[word]}", style="dim", table_column=None),
            console=console,
            expand=False,
        )
        self._title = ""
        self._task = self._progress.add_task("", visible=False, total=None, written="", word="")
        self._progress.start()

    def show(self, title: str, word: str, written: int) -> None:
        """Show where a step is; one with a new title ends the one before."""
        size, now = size_words(written), word[: max(10, self._room(title))]
        if title != self._title:
            self._end()
            self._title = title
            self._task = self._progress.add_task(title, total=None, written=size, word=now)
        self._progress.update(self._task, written=size, word=now)

    def close(self) -> None:
        """Give the cursor back; the last picture stays."""
        self._end()
        self._progress.stop()

    def _end(self) -> None:
        if self._title:
            self._progress.update(self._task, total=1, completed=1, word="")

    def _room(self, title: str) -> int:
        return self._progress.console.width - len(title) - 48
