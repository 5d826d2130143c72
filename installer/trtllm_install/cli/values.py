"""What the words of a command line may be: not empty, seconds that can be waited, paths."""

import os
from argparse import ArgumentTypeError

from trtllm_install.model.errors import ConfigError


def parse_word(word: str) -> str:
    """Return the word; one that is empty is refused.

    It comes of a variable that is not set, and ``--root "$TREE"`` would then mean this host.
    """
    if not word:
        raise ArgumentTypeError("it is empty")
    return word


def parse_seconds(word: str) -> float:
    """Return a time to wait, in seconds."""
    try:
        seconds = float(word)
    except ValueError:
        seconds = -1.0
    if not seconds >= 0:  # NaN is not, either
        raise ArgumentTypeError(f"expected seconds, found {word or 'nothing'}")
    return seconds


def parse_count(word: str) -> int:
    """Return a whole number from 0 up."""
    if not (word.isascii() and word.isdigit()):
        raise ArgumentTypeError(f"expected a number from 0 up, found {word or 'nothing'}")
    return int(word)


def absolute(path: str) -> str:
    """Return a path as it was said, from the present folder on, with its links.

    Raises ConfigError where the present folder is gone.
    """
    try:
        return os.path.abspath(path)  # noqa: PTH100 (resolve() would follow links)
    except FileNotFoundError as error:
        raise ConfigError(
            f"cannot find {path}: the present folder was removed",
            hint='cd "$HOME", then run the same command again',
        ) from error
