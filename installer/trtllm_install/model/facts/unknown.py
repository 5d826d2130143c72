"""The fact that a fact is not known."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """A part of the host that could not be read, and why. It never counts as passed."""

    reason: str
