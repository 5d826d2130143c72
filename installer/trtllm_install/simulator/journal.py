"""What the simulated engine says on standard error, marked as simulated."""

import contextlib
import os


def say(text: str) -> None:
    """Write each line of ``text`` marked ``[simulated]``, in one piece and at once.

    A reader that has gone away is no reason to fail.
    """
    _write("".join(f"[simulated] {line}\n" for line in text.splitlines()))


def say_last_words(text: str) -> None:
    """Write what the real engine would end with, unmarked: supervisors read it by its form."""
    _write(f"[simulated] cannot start; in the words of the real engine:\n{text}\n")


def _write(text: str) -> None:
    with contextlib.suppress(OSError):
        os.write(2, text.encode(errors="replace"))
