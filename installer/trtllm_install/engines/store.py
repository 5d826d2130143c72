"""The engines that are here, and what was noted when each was added."""

import json
import posixpath
from contextlib import suppress

from trtllm_install.host.protocol import Host
from trtllm_install.model import layout
from trtllm_install.model.engine import SIMULATED, Engine, Origin, is_engine_name
from trtllm_install.model.errors import HostError


def read_engines(host: Host) -> tuple[Engine, ...]:
    """Return every engine, by name; half-built ones are not among them."""
    entry = host.look(layout.ENGINE_CURRENT)
    current = entry.target if entry else ""
    names = [n for n in host.names_in(layout.ENGINES) if is_engine_name(n) or n == SIMULATED]
    return tuple(_engine(host, name, current) for name in names)


def find_engine(host: Host, version: str) -> Engine | None:
    """Return the engine of that name, None where there is none."""
    return next((e for e in read_engines(host) if e.version == version), None)


def note_engine(host: Host, engine: Engine) -> None:
    """Make a built or adopted engine known: its record first, then the link that shows it."""
    make_folders(host, layout.ENGINE_RECORDS)
    record = {
        "size": engine.size,
        "notes": list(engine.notes),
        "python": engine.python,
        "torch": engine.torch,
        "checked": engine.checked,
    }
    content = (json.dumps(record, indent=1, sort_keys=True) + "\n").encode()
    host.write(_record(engine.version), content, mode=0o644, owner="root")
    host.make_link(engine.path, engine.home)


def forget_engine(host: Host, engine: Engine) -> None:
    """Remove an engine; of an adopted one only our link, never what it points to.

    The link goes first: what a crash leaves of a build is cleared by the next run.
    """
    host.remove(engine.path)
    host.remove(_record(engine.version))
    clear_leftovers(host)


def running_from(host: Host, engine: Engine) -> int | None:
    """Return the pid of a process that runs from an engine, None where none does."""
    marks = {f"{folder}/".encode() for folder in (engine.path, engine.home)}
    if engine.current:
        marks.add(f"{layout.ENGINE_CURRENT}/".encode())
    for pid in host.names_in("/proc"):
        if not pid.isdecimal():
            continue
        try:
            words = host.read(f"/proc/{pid}/cmdline") or b""
        except HostError:  # it has just ended
            continue
        if any(mark in words for mark in marks):
            return int(pid)
    return None


def clear_leftovers(host: Host) -> tuple[str, ...]:
    """Remove builds that no link shows, and return their paths; needs the engines' lock."""
    entries = (host.look(layout.engine(name)) for name in host.names_in(layout.ENGINES))
    shown = {entry.target for entry in entries if entry}
    found = (f"{layout.ENGINE_BUILDS}/{name}" for name in host.names_in(layout.ENGINE_BUILDS))
    lost = tuple(path for path in found if path not in shown)
    for path in lost:
        host.remove_tree(path)
    _drop_empty(host)
    return lost


def _engine(host: Host, name: str, current: str) -> Engine:
    path = layout.engine(name)
    entry = host.look(path)
    home = entry.target if entry and entry.kind == "link" else path
    program = host.look(host.resolve(f"{home}/bin/trtllm-serve"))
    record = _noted(host, name)
    size, notes = record.get("size"), record.get("notes")
    return Engine(
        version=name,
        path=path,
        home=home,
        origin=_origin(name, home),
        usable=program is not None and program.kind == "file",
        current=path == current,
        size=size if isinstance(size, int) else None,
        python=str(record.get("python", "")),
        torch=str(record.get("torch", "")),
        checked=str(record.get("checked", "")),
        notes=tuple(map(str, notes)) if isinstance(notes, list) else (),
    )


def _origin(name: str, home: str) -> Origin:
    if name == SIMULATED:
        return "simulated"
    if posixpath.dirname(home) == layout.ENGINE_BUILDS:
        return "built"
    return "found" if home == layout.engine(name) else "adopted"


def _noted(host: Host, name: str) -> dict[str, object]:
    """Read the record; one that is absent or damaged costs only what it would have told."""
    try:
        record = json.loads(host.read(_record(name)) or b"{}")
    except ValueError:
        return {}
    return record if isinstance(record, dict) else {}


def _record(version: str) -> str:
    return f"{layout.ENGINE_RECORDS}/{version}.json"


def make_folders(host: Host, path: str) -> None:
    """Make a folder of the engines' and the ones above it that are ours, where they lack."""
    for folder in (posixpath.dirname(layout.ENGINES), layout.ENGINES, path):
        if host.look(folder) is None:
            host.make_directory(folder, mode=0o755, owner="root")


def _drop_empty(host: Host) -> None:
    for folder in (layout.ENGINE_BUILDS, layout.ENGINE_RECORDS):
        if host.look(folder) and not host.names_in(folder):
            with suppress(HostError):  # it may be a disk of its own
                host.remove(folder)
