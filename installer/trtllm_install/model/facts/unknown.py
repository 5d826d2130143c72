"""The fact that a fact is not known."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """A part of the host that could not be read, and why. It never counts as passed."""

    reason: str


# A part that this run does not look at (`check --only`): nothing is said about it.
NOT_ASKED: Final = Unknown(reason="it was not asked for")
