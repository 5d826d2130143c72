"""What is on the host at the paths we care about, and what would change there."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Literal, TypeAlias

from trtllm_install.model.desired import content_digest

Kind: TypeAlias = Literal["file", "directory", "link", "other"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One path as it was found."""

    kind: Kind
    mode: int
    owner: str
    group: str = ""  # empty: the first group of ``owner``
    mtime_ns: int = 0  # of a file or a link
    content: bytes = b""  # of a file
    target: str = ""  # of a link

    @property
    def digest(self) -> str:
        """Return the hash of a file's content."""
        return content_digest(self.content)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """What was found: paths that are absent are not in ``paths``."""

    paths: Mapping[str, Seen] = field(default_factory=dict)
    accounts: frozenset[str] = frozenset()
    hidden: Mapping[str, str] = field(default_factory=dict)  # path → why it could not be read


class Action(Enum):
    """What a change does; the value is the word people and JSON see."""

    CREATE = "create"
    REPLACE = "replace"
    CHMOD = "chmod"
    REMOVE = "remove"
    KEEP = "keep"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One step of a plan; ``old`` is all that undoing it needs."""

    action: Action
    kind: Literal["account", "directory", "file", "link", "package"]
    path: str  # of an account or a package: its name
    reason: str
    old: Seen | None = None
    content: bytes = b""
    mode: int = 0o644
    owner: str = "root"
    target: str = ""  # of a link; of an account: its home; of a package: its version

    @property
    def writes(self) -> bool:
        """Tell whether the host differs afterwards."""
        return self.action is not Action.KEEP


class ServiceAction(Enum):
    """What happens to a running thing."""

    STOP = "stop"
    START = "start"
    RESTART = "restart"
    RELOAD = "reload"
    ENABLE = "enable"  # in an image: at boot


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceChange:
    """One service that has to be touched, and why."""

    action: ServiceAction
    name: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """Hashes of what a service was last started with, and last told to reload."""

    restart: str
    reload: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything that ``install`` will do, in order; nothing else will be done."""

    changes: tuple[Change, ...] = ()
    services: tuple[ServiceChange, ...] = ()
    fingerprints: Mapping[str, Fingerprint] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()  # what this caller could not tell, in words

    @property
    def packages(self) -> tuple[Change, ...]:
        """Packages of the distribution; all of them are installed at once, before the rest."""
        return tuple(c for c in self.changes if c.kind == "package")

    @property
    def writes(self) -> tuple[Change, ...]:
        """Changes that alter the host; kept edits are not among them."""
        return tuple(c for c in self.changes if c.writes)

    @property
    def kept(self) -> tuple[Change, ...]:
        """Edited files that stay as they are."""
        return tuple(c for c in self.changes if not c.writes)

    @property
    def stopping(self) -> tuple[ServiceChange, ...]:
        """Services that end before any file changes."""
        return tuple(c for c in self.services if c.action is ServiceAction.STOP)

    @property
    def starting(self) -> tuple[ServiceChange, ...]:
        """Services that are touched once every file is in place, in start order."""
        return tuple(c for c in self.services if c.action is not ServiceAction.STOP)

    @property
    def count(self) -> int:
        """Number of changes; 0 on a converged host."""
        return len(self.writes) + len(self.services)
