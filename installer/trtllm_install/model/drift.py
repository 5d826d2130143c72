"""What differs between a host and its receipt, one value each."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Literal, TypeAlias

DriftKind: TypeAlias = Literal[
    "run", "record", "account", "directory", "file", "link", "unit", "service", "port", "proxy"
]


ASPECTS: Mapping[DriftKind, tuple[str, ...]] = {
    "run": ("open",),
    "record": ("content",),
    "account": ("missing", "home"),
    "directory": ("missing", "type", "mode", "owner"),
    "file": ("missing", "type", "content", "mode", "owner", "offered"),
    "link": ("missing", "type", "target"),
    "unit": ("load", "path", "read", "enabled", "active", "drop-in", "state"),
    "service": ("process", "launch spec", "input"),
    "port": ("holder",),
    "proxy": ("generation",),
}


class Weight(Enum):
    """Whether a difference counts; the value is the word people and JSON see."""

    DRIFT = "drift"
    INFORMATION = "information"  # the operator's own doing, and theirs to do
    UNKNOWN = "unknown"  # could not be read: neither sameness nor difference


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """One aspect of one thing of ours that is not as the receipt has it."""

    kind: DriftKind
    subject: str  # a path, or a name
    aspect: str  # "content", "mode", "active", ...: see ASPECTS
    expected: str = ""
    found: str
    remedy: str = ""
    diff: str = ""  # of a text; secrets masked
    weight: Weight = Weight.DRIFT

    @property
    def message(self) -> str:
        """Return found and expected, in one line."""
        expected = f"; expected {self.expected}" if self.expected else ""
        return f"{self.kind} {self.subject}: {self.aspect}: {self.found}{expected}"
