"""What has to be on the host, as values: the right-hand side of every plan."""

from dataclasses import dataclass
from hashlib import sha256

ROOT = "root"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A system user with a group of the same name and no login."""

    name: str
    home: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Directory:
    """A folder of ours; what others put into it is theirs."""

    path: str
    mode: int = 0o755
    owner: str = ROOT


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A whole file of ours."""

    path: str
    content: bytes
    template: str  # which shipped file it is made from
    mode: int = 0o644
    owner: str = ROOT

    @property
    def digest(self) -> str:
        """Return the hash that receipts and the conffile rule compare."""
        return content_digest(self.content)


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A symbolic link of ours."""

    path: str
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """Something the supervisor runs, and what it must be restarted for."""

    name: str
    inputs: tuple[str, ...]  # paths; new content needs a restart
    reload_inputs: tuple[str, ...] = ()  # paths; new content needs a reload only
    # An address beyond loopback. Another one needs a restart: what is reloaded cannot bind
    # all addresses of a port while it still listens at one of them.
    binds: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Desired:
    """Everything of ours; the order of each tuple is the order of creation."""

    accounts: tuple[Account, ...] = ()
    directories: tuple[Directory, ...] = ()
    files: tuple[File, ...] = ()
    links: tuple[Link, ...] = ()
    services: tuple[Service, ...] = ()
    generation: str = ""  # of the proxy's configuration; what it must answer with

    @property
    def paths(self) -> frozenset[str]:
        """Every path that is wanted."""
        return frozenset(
            (
                *(directory.path for directory in self.directories),
                *(file.path for file in self.files),
                *(link.path for link in self.links),
            )
        )


def content_digest(content: bytes) -> str:
    """Return the SHA-256 of ``content`` in hex."""
    return sha256(content).hexdigest()
