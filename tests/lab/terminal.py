"""A real terminal of a given size on a host: tmux types and reads the screen."""

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from lab import roots


class Terminal:
    """A program in a terminal; ``screen`` is what a person would see now."""

    def __init__(self, socket: Path) -> None:
        self._tmux = ("tmux", "-S", str(socket))

    def start(self, argv: Sequence[str], *, width: int, height: int) -> None:
        """Run a program in a terminal of this size."""
        size = ("-x", str(width), "-y", str(height))
        self._ask("-f", "/dev/null", "new-session", "-d", *size, *argv)

    def screen(self) -> str:
        """Return the lines that are shown, empty once the program has ended."""
        return self._ask("capture-pane", "-p", check=False)

    def resize(self, *, width: int, height: int) -> None:
        """Give the terminal another size, as a person who drags a corner does."""
        self._ask("resize-window", "-x", str(width), "-y", str(height))

    def press(self, key: str) -> None:
        """Press a key, for example ``C-c``."""
        self._ask("send-keys", key)

    def close(self) -> None:
        """End the terminal and what runs in it."""
        self._ask("kill-server", check=False)

    def _ask(self, *words: str, check: bool = True) -> str:
        argv = [*self._tmux, *words]
        return subprocess.run(argv, capture_output=True, text=True, check=check).stdout


@contextmanager
def terminal_on(
    host: roots.Root, folder: Path, *argv: str, width: int = 100, height: int = 24
) -> Iterator[Terminal]:
    """Yield a terminal in which a command of the host runs."""
    terminal = Terminal(folder / "tmux")
    terminal.start(host.inside(*argv), width=width, height=height)
    try:
        yield terminal
    finally:
        terminal.close()
