"""A file tree in memory: the reading and writing half of the fake machine."""

import posixpath
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import lru_cache
from hashlib import sha1, sha256
from typing import Literal

from trtllm_install.host.protocol import Entry
from trtllm_install.model.errors import HostError
from trtllm_install.model.hashes import Algorithm, FileIdentity

LINKS_FOLLOWED = 40  # as the kernel's own limit, then ELOOP
_PROGRAMS = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")

Verb = Literal["write", "make_directory", "make_link", "remove"]


class KilledError(BaseException):
    """The process was killed at this point; no ``except Exception`` may survive it."""


@dataclass(slots=True)
class Node:
    """One path. ``size`` beyond the content is a sparse tail of zeros."""

    kind: Literal["file", "directory", "link", "other"]
    mode: int
    owner: str = "root"
    group: str = "root"
    content: bytes = b""
    size: int | None = None
    target: str = ""
    touched: int = 0  # serial of the last change: a stand-in for the inode
    mtime_ns: int = 0

    @property
    def length(self) -> int:
        """Size in bytes as stat gives it."""
        return len(self.target or self.content) if self.size is None else self.size


@dataclass(slots=True)
class FakeTree:
    """Files, folders and links with modes and owners; consistent after every change."""

    nodes: dict[str, Node] = field(default_factory=dict)
    changes: list[tuple[Verb, str]] = field(default_factory=list)  # every one that took effect
    # Faults: the n-th change (from 1) fails, or the process dies before or after it.
    fail_at_change: int | None = None
    die_before_change: int | None = None
    die_after_change: int | None = None
    _forbidden: set[str] = field(default_factory=set)
    _attempts: int = 0

    def __post_init__(self) -> None:
        """Begin with the folders every Linux has."""
        self.nodes.setdefault("/", Node(kind="directory", mode=0o755))
        for path in ("/etc", "/opt", "/proc", "/root", "/run", "/tmp", "/usr/bin", "/var/lib"):
            self.add_directory(path, mode=0o700 if path == "/root" else 0o755)

    # building ----------------------------------------------------------------
    def add_directory(
        self, path: str, *, mode: int = 0o755, owner: str = "root", group: str = "root"
    ) -> None:
        """Put a folder there, and every folder above it."""
        self._add(path, Node(kind="directory", mode=mode, owner=owner, group=group))

    def add_file(
        self,
        path: str,
        content: bytes | str = b"",
        *,
        mode: int = 0o644,
        owner: str = "root",
        group: str = "root",
        size: int | None = None,
    ) -> None:
        """Put a file there; ``size`` makes it sparse: the content, then zeros."""
        data = content.encode() if isinstance(content, str) else content
        node = Node(kind="file", mode=mode, owner=owner, group=group, content=data, size=size)
        self._add(path, node)

    def add_link(self, path: str, target: str) -> None:
        """Put a symbolic link there; it may dangle."""
        self._add(path, Node(kind="link", mode=0o777, target=target))

    def add_program(self, path: str) -> None:
        """Put an executable there, so that ``which`` finds it."""
        self.add_file(path, b"\x7fELF", mode=0o755)

    def forbid(self, path: str) -> None:
        """Refuse reading ``path`` and what is below it."""
        self._forbidden.add(normal(path))

    # looking at the whole ----------------------------------------------------
    def tree(self, below: str = "/") -> dict[str, tuple[str, int, str, str | bytes]]:
        """Return path -> (kind, mode, owner, content or target), to compare two moments."""
        return {
            path: (n.kind, n.mode, n.owner, n.target if n.kind == "link" else n.content)
            for path, n in sorted(self.nodes.items())
            if path == below or path.startswith(below.rstrip("/") + "/")
        }

    def snapshot(self, *below: str) -> dict[str, tuple[object, ...]]:
        """Return all that an undo must bring back: of files and links the mtime as well."""
        return {
            path: (
                n.kind,
                n.mode,
                n.owner,
                n.group,
                n.target if n.kind == "link" else n.content,
                0 if n.kind == "directory" else n.mtime_ns,
            )
            for path, n in sorted(self.nodes.items())
            if not below or any(path == b or path.startswith(f"{b}/") for b in below)
        }

    def serials(self) -> dict[str, int]:
        """Return path -> serial of its last change; equal means that nothing was touched."""
        return {path: n.touched for path, n in self.nodes.items()}

    def check_consistency(self, *paths: str) -> None:
        """Demand a tree that a real file system could hold, at these paths or everywhere."""
        for path, node in [(p, self.nodes[p]) for p in paths or self.nodes if p in self.nodes]:
            assert path == normal(path), f"not normalised: {path}"
            parent = self.nodes.get(posixpath.dirname(path))
            assert parent is not None, f"no folder above {path}"
            assert parent.kind == "directory", f"{path} is below a {parent.kind}"
            assert (node.kind == "link") == bool(node.target), f"link without target: {path}"
            assert not node.mode & ~0o7777, f"mode of {path}: {node.mode:o}"

    # Host: reading -----------------------------------------------------------
    def read(self, path: str, *, limit: int | None = None, offset: int = 0) -> bytes | None:
        """Return bytes of a file, the sparse tail as zeros."""
        real = self._follow(path, "read")
        node = self._node(real, "read")
        if node is None:
            return None
        if node.kind != "file":
            raise _refused("read file", path, f"it is a {node.kind}")
        end = node.length if limit is None else min(node.length, offset + limit)
        known = node.content[offset : min(end, len(node.content))]
        return known + bytes(max(0, end - offset - len(known)))

    def look(self, path: str) -> Entry | None:
        """Return what is at the path itself."""
        _, real = self._split(path, "look at")
        node = self._node(real, "look at")
        if node is None:
            return None
        return Entry(
            kind=node.kind,
            mode=node.mode,
            owner=node.owner,
            group=node.group,
            size=node.length,
            mtime_ns=node.mtime_ns,
            target=node.target,
        )

    def resolve(self, path: str) -> str:
        """Return the path with links followed; a loop is returned as it stands (realpath)."""
        try:
            return self._follow(path, "resolve")
        except HostError:
            return normal(path)

    def identity(self, path: str) -> FileIdentity | None:
        """Return a stand-in for inode and time: the node, and what was last done to it."""
        real = self._follow(path, "look at")
        node = self._node(real, "look at")
        if node is None or node.kind != "file":
            return None
        content = int.from_bytes(sha256(node.content).digest()[:6], "big")
        return FileIdentity(device=1, inode=hash(real), size=node.length, mtime_ns=content)

    def hash_file(
        self, path: str, algorithms: tuple[Algorithm, ...], told: Callable[[int], bool]
    ) -> tuple[FileIdentity, dict[Algorithm, str]] | None:
        """Return the hashes of a file, in one chunk."""
        found, content = self.identity(path), self.read(path)
        if found is None or content is None or not told(len(content)):
            return None
        blob = b"blob %d\0" % len(content) + content
        known = {"sha256": sha256(content).hexdigest(), "git": sha1(blob).hexdigest()}
        return found, {name: known[name] for name in algorithms}

    def names_in(self, path: str) -> tuple[str, ...]:
        """Return the sorted names in a folder."""
        real = self._follow(path, "list")
        node = self._node(real, "list")
        if node is None or node.kind != "directory":
            return ()
        start = real.rstrip("/") + "/"
        below = (p[len(start) :] for p in self.nodes if p.startswith(start))
        return tuple(sorted(name for name in below if name and "/" not in name))

    def which(self, program: str) -> str | None:
        """Return where a program is on root's path."""
        candidates = (program,) if "/" in program else (f"{p}/{program}" for p in _PROGRAMS)
        for path in candidates:
            node = self.nodes.get(self.resolve(path))
            if node is not None and node.kind == "file" and node.mode & 0o111:
                return path
        return None

    # Host: writing -----------------------------------------------------------
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
        """Replace a file; a link there is replaced, not followed (it is a rename)."""
        real = self._place(path)
        with self._changing("write", real):
            self._refuse_folder(real)
            self.nodes[real] = Node(
                kind="file",
                mode=mode,
                owner=owner,
                group=group or owner,
                content=content,
                mtime_ns=self._time() if mtime_ns is None else mtime_ns,
            )

    def append(self, path: str, content: bytes, *, mode: int, owner: str) -> None:
        """Add to a file. Logs are no part of what is counted as a change."""
        real = self._place(path)
        old = self._node(real, "write") or Node(kind="file", mode=mode, owner=owner, group=owner)
        if old.kind != "file":
            raise _refused("write", path, f"it is a {old.kind}")
        self.nodes[real] = replace(old, content=old.content + content)

    def write_parts(self, path: str, parts: Iterable[bytes], *, mode: int, owner: str) -> None:
        """Write what the parts are together."""
        self.write(path, b"".join(parts), mode=mode, owner=owner)

    def make_directory(self, path: str, *, mode: int, owner: str, group: str = "") -> None:
        """Make one folder; the one above must be there."""
        real = self._place(path)
        with self._changing("make_directory", real):
            old = self.nodes.get(real)
            if old is not None and old.kind != "directory":
                raise _refused("make folder", path, f"a {old.kind} is in its place")
            self.nodes[real] = Node(kind="directory", mode=mode, owner=owner, group=group or owner)

    def make_link(
        self,
        path: str,
        target: str,
        *,
        owner: str = "root",
        group: str = "",
        mtime_ns: int | None = None,
    ) -> None:
        """Make or replace a symbolic link."""
        real = self._place(path)
        with self._changing("make_link", real):
            self._refuse_folder(real)
            self.nodes[real] = Node(
                kind="link",
                mode=0o777,
                owner=owner,
                group=group or owner,
                target=target,
                mtime_ns=self._time() if mtime_ns is None else mtime_ns,
            )

    def remove(self, path: str) -> None:
        """Remove a file, a link or an empty folder; absent is fine and no change."""
        real = self._place(path, lenient=True)
        if real not in self.nodes:
            return
        with self._changing("remove", real):
            if self.nodes[real].kind == "directory" and self._holds_any(real):
                raise _refused("remove", path, "it is not empty")
            del self.nodes[real]

    # inside ------------------------------------------------------------------
    def _time(self) -> int:
        """Return a time of change that no other change has."""
        return (1_700_000_000 + self._attempts) * 1_000_000_000

    def _holds_any(self, folder: str) -> bool:
        return any(path.startswith(folder + "/") for path in self.nodes)

    def _refuse_folder(self, path: str) -> None:
        if path in self.nodes and self.nodes[path].kind == "directory":
            raise _refused("replace", path, "it is a folder")

    @contextmanager
    def _changing(self, verb: Verb, path: str) -> Iterator[None]:
        self._attempts += 1
        if self._attempts == self.die_before_change:
            raise KilledError(f"before {verb} {path}")
        if self._attempts == self.fail_at_change:
            raise _refused(verb, path, "no space left on device")
        yield
        if path in self.nodes:
            self.nodes[path].touched = self._attempts
        self.changes.append((verb, path))
        self.check_consistency(path)
        if self._attempts == self.die_after_change:
            raise KilledError(f"after {verb} {path}")

    def _add(self, path: str, node: Node) -> None:
        clean = normal(path)
        above = posixpath.dirname(clean)
        if above not in self.nodes:
            self._add(above, Node(kind="directory", mode=0o755))
        self.nodes[clean] = node
        self.check_consistency(clean)

    def _place(self, path: str, *, lenient: bool = False) -> str:
        """Return where a change lands: links above the path followed, itself not."""
        parent, real = self._split(path, "change")
        node = self.nodes.get(parent)
        if not lenient and (node is None or node.kind != "directory"):
            raise _refused("change", path, f"no folder {parent}")
        return real

    def _split(self, path: str, verb: str) -> tuple[str, str]:
        """Return the folder with links followed, and the path in it, itself not followed."""
        above, _, name = normal(path).rpartition("/")
        parent = self._follow(above or "/", verb)
        return parent, f"{parent.rstrip('/')}/{name}"

    def _node(self, real: str, verb: str) -> Node | None:
        for path in self._forbidden:
            if real == path or real.startswith(path + "/"):
                raise _refused(verb, real, "permission denied")
        return self.nodes.get(real)

    def _follow(self, path: str, verb: str) -> str:
        """Return ``path`` with every link followed, also where nothing is at its end."""
        clean = normal(path)
        if clean in self.nodes and self.nodes[clean].kind != "link":
            return clean  # every folder above it is a real one
        todo = [p for p in clean.split("/") if p]
        real, followed = "/", 0
        while todo:
            part = todo.pop(0)
            if part == "..":
                real = posixpath.dirname(real)
                continue
            step = f"{real.rstrip('/')}/{part}"
            node = self.nodes.get(step)
            if node is None or node.kind != "link":
                real = step
                continue
            followed += 1
            if followed > LINKS_FOLLOWED:
                raise _refused(verb, path, "too many links")
            real = "/" if node.target.startswith("/") else real
            todo = [p for p in node.target.split("/") if p not in {"", "."}] + todo
        return real


@lru_cache(maxsize=4096)
def normal(path: str) -> str:
    assert path.startswith("/"), f"not an absolute path: {path!r}"
    return "/" + posixpath.normpath(path).lstrip("/")


def _refused(deed: str, path: str, cause: str) -> HostError:
    return HostError(f"cannot {deed} {path}: {cause}", hint=f"ls -ld {path}")
