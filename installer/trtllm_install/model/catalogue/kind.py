"""What a kind of finding is, and how the areas of the catalogue write theirs."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of finding."""

    severity: Literal["error", "warning", "info"]
    title: str
    sentence: str  # {} is the subject; the cause follows after a colon
    meaning: str  # one line
    depends_on: tuple[str, ...] = ()  # causes that mute it, nearest to the root first
    whole_host: bool = False  # as a cause it mutes every subject, not only its own


def error(
    title: str,
    sentence: str,
    meaning: str,
    *,
    depends_on: tuple[str, ...] = (),
    whole_host: bool = False,
) -> Kind:
    """Return a kind that stops an install."""
    return Kind(
        severity="error",
        title=title,
        sentence=f"cannot {sentence}",
        meaning=meaning,
        depends_on=depends_on,
        whole_host=whole_host,
    )


def warning(title: str, sentence: str, meaning: str, *depends_on: str) -> Kind:
    """Return a kind that is worth a line and stops nothing."""
    return Kind(
        severity="warning",
        title=title,
        sentence=sentence,
        meaning=meaning,
        depends_on=depends_on,
    )


def info(title: str, sentence: str, meaning: str) -> Kind:
    """Return a kind that says what is normal, where that may surprise."""
    return Kind(severity="info", title=title, sentence=sentence, meaning=meaning)
