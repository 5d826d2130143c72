"""Hashes of weights: what was read, what was written down, and how far a run got."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

Algorithm = Literal["sha256", "git"]  # git: SHA-1 of "blob LENGTH", a zero byte and the content

_GIT_DIGITS: Final = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class FileIdentity:
    """What changes when the content of a file does, as stat(2) gives it."""

    device: int
    inode: int
    size: int
    mtime_ns: int

    def key(self) -> str:
        """Return the identity as one word."""
        return f"{self.device}:{self.inode}:{self.size}:{self.mtime_ns}"


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightFile:
    """One file of a checkpoint that is to be hashed."""

    instance: str
    folder: str
    name: str
    path: str  # with links followed
    identity: FileIdentity
    hub: str  # hash that the hub gave, hex; empty = none recorded

    @property
    def algorithm(self) -> Algorithm:
        """Return the kind of hash to compare with the hub's."""
        return "git" if len(self.hub) == _GIT_DIGITS else "sha256"


@dataclass(frozen=True, slots=True, kw_only=True)
class HashedFile:
    """A file with its hash."""

    file: WeightFile
    sha256: str
    hub_agrees: bool | None  # None = the hub gave no hash
    read: bool  # False: a run that was cut off had read it, and it is the same since


@dataclass(frozen=True, slots=True, kw_only=True)
class DeepFacts:
    """Every file of the weights with its hash, and what was written down before."""

    files: tuple[HashedFile, ...]
    # folder -> file name -> SHA-256; None = not compared
    recorded: Mapping[str, Mapping[str, str]] | None = None
    manifest: str = ""  # what was compared with
    read: int = 0  # bytes
    seconds: float = 0.0
    moving: tuple[WeightFile, ...] = ()  # that vanished or changed while they were read
