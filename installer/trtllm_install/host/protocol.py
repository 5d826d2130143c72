"""What the rest of the tool may ask of the machine; nothing else touches it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal, Protocol

from trtllm_install.model.hashes import Algorithm, FileIdentity


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One path as it is on the host; symbolic links are never followed."""

    kind: Literal["file", "directory", "link", "other"]
    mode: int  # permission bits, 0o7777
    owner: str  # user name, or the number as text where no name is known
    group: str
    size: int  # bytes
    mtime_ns: int = 0
    target: str = ""  # where a link points
    major: int | None = None  # of a device node


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """A command that ended."""

    argv: tuple[str, ...]
    code: int
    stdout: str
    stderr: str


@dataclass(frozen=True, slots=True)
class Talk:
    """What a server said to bytes that were sent to it."""

    heard: bytes
    ended: bool  # it has hung up


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """What a server has to prove by its certificate before anything is sent to it."""

    name: str  # the host name in it
    authority: str  # PEM file of those who may vouch for it


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An HTTP answer, read whole."""

    status: int
    body: bytes


class Host(Protocol):
    """The one door. Paths are absolute, as the installed host sees them.

    Every method raises HostError (message in the house grammar) when the machine
    refuses; reading what is not there returns None instead.
    """

    # reading -----------------------------------------------------------------
    def read(self, path: str, *, limit: int | None = None, offset: int = 0) -> bytes | None:
        """Return a file's bytes (``limit`` of them from ``offset``), None if absent."""

    def look(self, path: str) -> Entry | None:
        """Return what is at ``path`` itself (lstat), None if nothing is."""

    def resolve(self, path: str) -> str:
        """Return ``path`` with every symbolic link followed (realpath)."""

    def free_bytes(self, path: str) -> int:
        """Return how many bytes root may still write to the file system of an existing path."""

    def identity(self, path: str) -> FileIdentity | None:
        """Return what changes when the content of a file does, None if it is no regular file."""

    def hash_file(
        self, path: str, algorithms: tuple[Algorithm, ...], told: Callable[[int], bool]
    ) -> tuple[FileIdentity, dict[Algorithm, str]] | None:
        """Return a file's identity and hashes (hex), read past the page cache.

        ``told`` hears the bytes of every chunk and may stop it with false. None then, and
        when the file is gone, is no regular one or changed while it was read. May be
        called from several threads at once.
        """

    def names_in(self, path: str) -> tuple[str, ...]:
        """Return the sorted names in a folder, empty if there is no such folder."""

    def which(self, program: str) -> str | None:
        """Return the absolute path of a program on root's standard path, None if absent."""

    def environment(self, name: str) -> str | None:
        """Return a variable of the caller's environment."""

    def image(self) -> str:
        """Return the folder of the image tree that this host is, empty for a machine that runs.

        An image has files and accounts of its own and nothing else: no process, no port, no
        caller. What asks it for one of those raises HostError.
        """

    def is_root(self) -> bool:
        """Tell whether the caller may write to the host."""

    def home_of(self, user: str) -> str | None:
        """Return the home folder of a user, None if there is no such user."""

    def account_exists(self, user: str) -> bool:
        """Tell whether a user exists."""

    def monotonic(self) -> float:
        """Return seconds on a clock that never goes back."""

    # acting on the outside ---------------------------------------------------
    def run(
        self,
        argv: Sequence[str],
        *,
        timeout: float = 30.0,
        environment: Mapping[str, str] | None = None,
        stdin: str = "",
    ) -> Completed:
        """Run a command (no shell) and return how it ended, whatever its code.

        Raises HostError when it cannot be started or outlives ``timeout`` seconds;
        then it and its process group have been ended.
        """

    def follow(
        self,
        argv: Sequence[str],
        *,
        heard: Callable[[str], None],
        tick: Callable[[], bool],
        silence: float,
        environment: Mapping[str, str] | None = None,
    ) -> int:
        """Run a command of any length and return its code; ``heard`` gets each line at once.

        ``tick`` is asked about once a second whether anything moves. Raises HostError when
        it cannot be started, or when it has neither spoken nor moved for ``silence`` seconds;
        then it and its process group have been ended, as they have on KeyboardInterrupt.
        """

    def http(
        self,
        method: str,
        url: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float = 5.0,
        unix_socket: str | None = None,
        trust: Trust | None = None,
    ) -> Answer:
        """Make one HTTP request; any status is an answer. HostError when none came.

        ``headers`` are for TCP only. With ``trust`` the URL is of https and the server's
        certificate is verified; UntrustedServer when it does not hold.
        """

    def time_http(
        self,
        method: str,
        urls: Sequence[str],
        *,
        body: bytes,
        headers: Mapping[str, str],
        times: int,
    ) -> tuple[tuple[float, ...], ...]:
        """Ask every URL in turn, ``times`` times; return the seconds that each answer took.

        Each has a connection of its own that is kept; any status is an answer. HostError
        when none came.
        """

    def talk(
        self, address: tuple[str, int], sent: bytes, *, drip: bytes = b"", timeout: float
    ) -> Talk:
        """Send bytes over TCP as they are and listen, ``timeout`` seconds at most.

        ``drip`` is sent again every second. HostError when nobody listens; an end that the
        other side makes, with a reset too, is an answer.
        """

    def can_bind(self, address: str, port: int) -> bool:
        """Tell whether a TCP port is free, by binding it without SO_REUSEADDR."""

    def pause(self, seconds: float) -> None:
        """Wait between two looks at a condition."""

    # writing (apply and receipts only) ---------------------------------------
    def write(
        self,
        path: str,
        content: bytes,
        *,
        mode: int,
        owner: str,
        group: str = "",
        mtime_ns: int | None = None,
    ) -> None:
        """Replace a file atomically and durably: old or new after a power cut, never between.

        Without ``group`` it gets the first group of ``owner``, without ``mtime_ns`` the
        present time. A link at ``path`` is replaced, not followed.
        """

    def append(self, path: str, content: bytes, *, mode: int, owner: str) -> None:
        """Add to the end of a file, made with ``mode`` if absent; a power cut may lose it.

        For logs only. A link in the place of the file is refused.
        """

    def write_parts(self, path: str, parts: Iterable[bytes], *, mode: int, owner: str) -> None:
        """Do as ``write`` does with content that need not fit into memory.

        What ``parts`` raises goes through, and then the path is as it was.
        """

    def make_directory(self, path: str, *, mode: int, owner: str, group: str = "") -> None:
        """Make one folder, or give an existing one this mode and owner."""

    def make_link(
        self,
        path: str,
        target: str,
        *,
        owner: str = "root",
        group: str = "",
        mtime_ns: int | None = None,
    ) -> None:
        """Make or atomically replace a symbolic link."""

    def remove(self, path: str) -> None:
        """Remove a file, a link or an empty folder; absent is fine."""

    def remove_tree(self, path: str) -> None:
        """Remove a folder with everything in it; no link is followed, however late it appears."""

    def shielded(self, *, heard_after: bool = False) -> AbstractContextManager[None]:
        """Hold off SIGINT, SIGTERM and SIGHUP: what is inside must not be cut short.

        They are dropped, unless they are to be ``heard_after`` it.
        """

    def settled(self) -> None:
        """Let no signal end the run from now on: nothing is left to do but to tell of it."""

    def lock(
        self, path: str, *, patience: float = 0.0, told: Callable[[str], None] | None = None
    ) -> AbstractContextManager[None]:
        """Hold an exclusive lock; raises Locked naming the holder's pid and command.

        One that another holds is waited for up to ``patience`` seconds; ``told`` hears once
        whose it is. It ends with its holder, however that ends.
        """
