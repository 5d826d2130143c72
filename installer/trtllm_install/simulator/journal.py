"""What the simulated engine says on standard error, marked as simulated."""

import contextlib
import os
import time


def say(text: str) -> None:
    """Write each line of ``text`` marked ``[simulated]``, in one piece and at once.

    A reader that has gone away is no reason to fail.
    """
    _write("".join(f"[simulated] {line}\n" for line in text.splitlines()))


def say_as_engine(text: str) -> None:
    """Write one line as TensorRT-LLM's logger writes it."""
    say(f"{time.strftime('[%m/%d/%Y-%H:%M:%S]')} [TRT-LLM] [I] {text}")


def draw_bar(title: str, percent: int, seconds: float) -> None:
    """Draw a progress bar over the one before, as tqdm does: a carriage return, no newline."""
    left = seconds * (100 - percent) / percent if percent else 0.0
    rate = f"{percent / seconds:.2f}it/s" if seconds > 0 and percent else "?it/s"
    bar = f"{'█' * (percent // 10):<10}"
    times = f"{_minutes(seconds)}<{_minutes(left)}, {rate}"
    _write(f"\r[simulated] {title}: {percent:3}%|{bar}| {percent}/100 [{times}]")


def end_bar() -> None:
    """Let the next text begin on a line of its own."""
    _write("\n")


def _minutes(seconds: float) -> str:
    return f"{int(seconds) // 60:02}:{int(seconds) % 60:02}"


def say_last_words(text: str) -> None:
    """Write what the real engine would end with, unmarked: supervisors read it by its form."""
    _write(f"[simulated] cannot start; in the words of the real engine:\n{text}\n")


def _write(text: str) -> None:
    with contextlib.suppress(OSError):
        os.write(2, text.encode(errors="replace"))
