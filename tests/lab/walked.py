"""What both walks of a lab root share: whole trees, children, and the way back."""

import contextlib
import hashlib
import io
import os
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from trtllm_install.app.converge import How, carry_out, plan_step
from trtllm_install.app.observe import look_at
from trtllm_install.app.options import Options
from trtllm_install.app.rollback import rollback
from trtllm_install.app.services import supervisor_called
from trtllm_install.app.undo import is_final, undo
from trtllm_install.apply.journal import Journal
from trtllm_install.cli.chorus import Chorus
from trtllm_install.host.local import LocalHost
from trtllm_install.model import layout

SYSTEMD = sys.argv[1:] == ["systemd"]
MULTI = Options(profile="multi", simulate=True)
QWEN = Options(profile="qwen", simulate=True)
HOST = LocalHost()

Tree = dict[str, tuple[object, ...]]

FOLDERS = ("/etc", "/opt/trtllm", "/run/trtllm", "/var/lib/trtllm", "/var/log/trtllm")
# What an undo does not bring back, all of it: what the account tools keep of the moment
# before their last change and the mtimes of the files they rewrite, the mtimes of folders,
# and supervisord's logs, which say why something failed.
LEFT_OUT = ("/etc/passwd-", "/etc/group-", "/etc/shadow-", "/etc/gshadow-", "/etc/.pwd.lock")
REWRITTEN = ("/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow")
LOGS = "/var/log/trtllm"

Act = Callable[[Any], object]
ACTS = frozenset(
    {"write", "make_directory", "make_link", "remove", "remove_tree", "run", "http"},
)


def tree(*, times: bool = True) -> Tree:
    """Every path with kind, mode, owner, group, content, and of files and links the mtime."""
    found: Tree = {}
    for top in FOLDERS:
        for path in walk(Path(top)):
            name = str(path)
            if name in LEFT_OUT or name.startswith(LOGS):
                continue
            entry = path.lstat()
            content = ""
            if stat.S_ISLNK(entry.st_mode):
                content = str(path.readlink())
            elif stat.S_ISREG(entry.st_mode):
                content = hashlib.sha256(path.read_bytes()).hexdigest()
            timed = times and not stat.S_ISDIR(entry.st_mode) and name not in REWRITTEN
            mtime = entry.st_mtime_ns if timed else 0
            found[name] = (oct(entry.st_mode), entry.st_uid, entry.st_gid, content, mtime)
    return found


def walk(top: Path) -> Iterator[Path]:
    if top.exists():
        yield top
    for folder, folders, names in os.walk(top):
        # The tool itself is bootstrap's, and big.
        folders[:] = [f for f in folders if not (folder == "/opt/trtllm" and f.startswith("tool"))]
        yield from (Path(folder, name) for name in (*folders, *names))


def demand_same(want: Tree, have: Tree, point: str) -> None:
    differ = [p for p in sorted(want.keys() | have.keys()) if want.get(p) != have.get(p)]
    lines = [f"  {p}: {want.get(p, 'absent')} -> {have.get(p, 'absent')}" for p in differ[:20]]
    if differ:
        raise SystemExit(f"{point}: not as it was:\n" + "\n".join(lines))


def ours() -> set[str]:
    """What of ours runs, by name."""
    words = ("trtllm-supervise", "supervisord", "trtllm-serve")
    found = set()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
            if any(word in line for word in words) and "kill_walk" not in line:
                found.add(line)
    return found


def in_child(act: Callable[[], object]) -> tuple[int, str]:
    """Run in a child; return its wait status and what it said on descriptor 3."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.dup2(writing, 3)
        try:
            with contextlib.redirect_stderr(io.StringIO()) as said:
                act()
        except BaseException as error:  # noqa: BLE001 (whatever it is, it is told)
            os.write(3, f"{error!r}\n{said.getvalue()}".encode())
            os._exit(1)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        said = pipe.read()
    return os.waitpid(pid, 0)[1], said


def recover() -> None:
    """What an operator does; without an open journal it would go further back."""
    if Journal(HOST).read() is None or is_final(HOST):
        with HOST.lock(layout.LOCK):
            undo(HOST, Chorus())
        return
    rollback(HOST, Chorus(), to=None, timeout_s=60)


def step_to(options: Options) -> Callable[[Any], object]:
    """Plan once: as long as the tree is the old one, so is the plan."""
    judged = look_at(HOST, options, Chorus())
    name = judged.wanted.installation.supervisor
    step = plan_step(HOST, supervisor_called(name, HOST), judged, options)
    how = How(verb="install", start=options.start, timeout_s=60)

    def act(host: Any) -> object:
        return carry_out(host, supervisor_called(name, host), step, Chorus(), how)

    return act


def settled(found: Tree, *, times: bool = True) -> Tree:
    """Without what services write: their state and caches, which no undo takes from them."""
    theirs = [f"{layout.STATE}/{name}" for name in ("qwen", "nemotron", "proxy")]
    theirs += [layout.RUN, f"{layout.ETC}/passwd-"]
    return {
        path: entry if times else entry[:-1]
        for path, entry in found.items()
        if not path.startswith(tuple(theirs))
    }


def demand(what: str, true: object) -> None:
    """Go on only if it is so."""
    if not true:
        raise SystemExit(f"expected {what}")


def expect(ended: tuple[int, str], what: str) -> None:
    """Go on only if the child did it."""
    if ended[0]:
        raise SystemExit(f"cannot {what}: {ended[1]}")
