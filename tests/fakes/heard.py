"""A reporter that keeps what it is told."""

from trtllm_install.app.reporter import Progress
from trtllm_install.cli.plain import PlainReporter


class Heard(PlainReporter):
    """The lines of a run, as a pipe would get them."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.progressed: list[Progress] = []

    def line(self, text: str) -> None:
        """Keep the line."""
        self.lines.append(text)

    def progress(self, progress: Progress) -> None:
        """See Reporter.progress."""
        self.progressed.append(progress)

    @property
    def text(self) -> str:
        """Everything said so far."""
        return "\n".join(self.lines)
