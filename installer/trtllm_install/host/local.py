"""The machine this runs on, or a tree below ``root`` that is the caller's own."""

import os
import socket
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager

from trtllm_install.host import files, locking, processes, signals
from trtllm_install.host.accounts import MACHINE, Accounts
from trtllm_install.host.errors import refusals
from trtllm_install.host.protocol import Answer, Completed, Entry, Talk, Trust
from trtllm_install.host.rooted import below
from trtllm_install.model.hashes import Algorithm, FileIdentity

# sudo's secure_path differs between distributions; this is what every one of them has.
SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class LocalHost:
    """Host on this machine; with ``root`` every path is looked up below that folder."""

    def __init__(self, root: str = "") -> None:
        self._root = os.path.realpath(root) if root.rstrip("/") else ""
        # Below a folder, names of this host's users mean nothing: files are the caller's.
        self._may_chown = os.geteuid() == 0 and not self._root

    @property
    def _accounts(self) -> Accounts:
        return MACHINE

    def _named(self, path: str) -> str:
        """What ``path`` is called in a message."""
        return path

    def _at(self, path: str) -> str:
        """Where ``path`` itself is."""
        return below(self._root, path, follow=False) if self._root else path

    def _behind(self, path: str) -> str:
        """Where the links at ``path`` lead: below an image's root, not the caller's."""
        return below(self._root, path, follow=True) if self._root else path

    # reading -----------------------------------------------------------------
    def read(self, path: str, *, limit: int | None = None, offset: int = 0) -> bytes | None:
        """See Host.read."""
        with refusals(f"read {self._named(path)}"):
            return files.read(self._behind(path), limit=limit, offset=offset)

    def look(self, path: str) -> Entry | None:
        """See Host.look."""
        with refusals(f"look at {self._named(path)}"):
            return files.look(self._at(path), self._accounts)

    def resolve(self, path: str) -> str:
        """See Host.resolve."""
        with refusals(f"resolve {self._named(path)}"):
            return os.path.realpath(self._behind(path)).removeprefix(self._root) or "/"

    def free_bytes(self, path: str) -> int:
        """See Host.free_bytes."""
        with refusals(f"measure the space at {self._named(path)}"):
            found = os.statvfs(self._behind(path))
            return found.f_bfree * found.f_frsize

    def identity(self, path: str) -> FileIdentity | None:
        """See Host.identity."""
        from trtllm_install.host import hashing  # noqa: PLC0415 (threads; only --deep needs it)

        with refusals(f"look at {self._named(path)}"):
            return hashing.identity(self._behind(path))

    def hash_file(
        self, path: str, algorithms: tuple[Algorithm, ...], told: Callable[[int], bool]
    ) -> tuple[FileIdentity, dict[Algorithm, str]] | None:
        """See Host.hash_file."""
        from trtllm_install.host import hashing  # noqa: PLC0415

        with refusals(f"hash {self._named(path)}"):
            return hashing.hash_file(self._behind(path), algorithms, told)

    def names_in(self, path: str) -> tuple[str, ...]:
        """See Host.names_in."""
        with refusals(f"list {self._named(path)}"):
            try:
                return tuple(sorted(os.listdir(self._behind(path))))
            except (FileNotFoundError, NotADirectoryError):
                return ()

    def which(self, program: str) -> str | None:
        """See Host.which."""
        for folder in SEARCH_PATH.split(":"):
            found = self._behind(f"{folder}/{program}")
            if os.access(found, os.X_OK) and not os.path.isdir(found):
                return f"{folder}/{program}"
        return None

    def environment(self, name: str) -> str | None:
        """See Host.environment."""
        return os.environ.get(name)

    def image(self) -> str:
        """See Host.image."""
        return ""

    def is_root(self) -> bool:
        """See Host.is_root."""
        return os.geteuid() == 0

    def home_of(self, user: str) -> str | None:
        """See Host.home_of."""
        return self._accounts.home(user)

    def account_exists(self, user: str) -> bool:
        """See Host.account_exists."""
        return self.home_of(user) is not None

    def monotonic(self) -> float:
        """See Host.monotonic."""
        return time.monotonic()

    # acting on the outside ---------------------------------------------------
    def run(
        self,
        argv: Sequence[str],
        *,
        timeout: float = 30.0,
        environment: Mapping[str, str] | None = None,
        stdin: str = "",
    ) -> Completed:
        """See Host.run."""
        surroundings = {"PATH": SEARCH_PATH, "LANG": "C.UTF-8", **(environment or {})}
        with refusals(f"run {argv[0]}"):
            return processes.run(argv, timeout=timeout, environment=surroundings, stdin=stdin)

    def follow(
        self,
        argv: Sequence[str],
        *,
        heard: Callable[[str], None],
        tick: Callable[[], bool],
        silence: float,
        environment: Mapping[str, str] | None = None,
    ) -> int:
        """See Host.follow."""
        surroundings = {"PATH": SEARCH_PATH, "LANG": "C.UTF-8", **(environment or {})}
        with refusals(f"run {argv[0]}"):
            return processes.follow(
                argv, heard=heard, tick=tick, silence=silence, environment=surroundings
            )

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
        """See Host.http."""
        from trtllm_install.host import http  # noqa: PLC0415 (its e-mail parser takes 20 ms)

        if trust:
            return http.request_by_tls(method, url, timeout=timeout, trust=trust)
        return http.request(
            method, url, body=body, headers=headers, timeout=timeout, unix_socket=unix_socket
        )

    def time_http(
        self,
        method: str,
        urls: Sequence[str],
        *,
        body: bytes,
        headers: Mapping[str, str],
        times: int,
    ) -> tuple[tuple[float, ...], ...]:
        """See Host.time_http."""
        from trtllm_install.host import http  # noqa: PLC0415 (as above)

        return http.time_requests(method, urls, body=body, headers=headers, times=times)

    def talk(
        self, address: tuple[str, int], sent: bytes, *, drip: bytes = b"", timeout: float
    ) -> Talk:
        """See Host.talk."""
        from trtllm_install.host import http  # noqa: PLC0415 (as above)

        return http.talk(address, sent, drip=drip, timeout=timeout)

    def can_bind(self, address: str, port: int) -> bool:
        """See Host.can_bind."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            try:
                probe.bind((address, port))
            except OSError:
                return False
        return True

    def pause(self, seconds: float) -> None:
        """See Host.pause."""
        time.sleep(seconds)

    # writing -----------------------------------------------------------------
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
        """See Host.write."""
        with refusals(f"write {self._named(path)}"):
            files.write(
                self._at(path),
                content,
                mode=mode,
                owner=self._owner(owner, group),
                mtime_ns=mtime_ns,
            )

    def append(self, path: str, content: bytes, *, mode: int, owner: str) -> None:
        """See Host.append."""
        with refusals(f"write {self._named(path)}"):
            files.append(self._at(path), content, mode=mode, owner=self._owner(owner))

    def write_parts(self, path: str, parts: Iterable[bytes], *, mode: int, owner: str) -> None:
        """See Host.write_parts."""
        with refusals(f"write {self._named(path)}"):
            files.write_parts(self._at(path), parts, mode=mode, owner=self._owner(owner))

    def make_directory(self, path: str, *, mode: int, owner: str, group: str = "") -> None:
        """See Host.make_directory."""
        with refusals(f"make folder {self._named(path)}"):
            files.make_directory(self._at(path), mode=mode, owner=self._owner(owner, group))

    def make_link(
        self,
        path: str,
        target: str,
        *,
        owner: str = "root",
        group: str = "",
        mtime_ns: int | None = None,
    ) -> None:
        """See Host.make_link."""
        with refusals(f"link {self._named(path)}"):
            files.make_link(
                self._at(path), target, owner=self._owner(owner, group), mtime_ns=mtime_ns
            )

    def remove(self, path: str) -> None:
        """See Host.remove."""
        with refusals(f"remove {self._named(path)}"):
            files.remove(self._at(path))

    def remove_tree(self, path: str) -> None:
        """See Host.remove_tree."""
        import shutil  # noqa: PLC0415 (with its compressors; only uninstall needs it)

        with refusals(f"remove {self._named(path)}"):
            # By descriptors throughout: nobody can swap a folder for a link meanwhile.
            shutil.rmtree(self._at(path))

    def shielded(self, *, heard_after: bool = False) -> AbstractContextManager[None]:
        """See Host.shielded."""
        return signals.shielded(heard_after=heard_after)

    def settled(self) -> None:
        """See Host.settled."""
        signals.SETTLED.set()

    def lock(
        self, path: str, *, patience: float = 0.0, told: Callable[[str], None] | None = None
    ) -> AbstractContextManager[None]:
        """See Host.lock."""
        return locking.lock(self._at(path), patience=patience, told=told)

    def _owner(self, name: str, group: str = "") -> tuple[int, int] | None:
        """Numbers of a user and a group; KeyError (told as a refusal) for one that is unknown."""
        return self._accounts.numbers(name, group) if self._may_chown else None
