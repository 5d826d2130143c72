"""One thing wrong in a file the operator wrote."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Problem:
    """Where it is and what is wrong; ``line`` counts from 1, 0 = the whole file."""

    source: str
    line: int
    path: str  # dotted, for example "instances.1.port"; empty = the whole file
    message: str

    def __str__(self) -> str:
        """Return ``file:line: path: message``, the form editors can jump to."""
        where = f"{self.source}:{self.line}" if self.line else self.source
        return f"{where}: {self.path}: {self.message}" if self.path else f"{where}: {self.message}"
