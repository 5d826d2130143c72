"""Adds an engine: judged, built or adopted, examined, and only then shown."""

import posixpath
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from trtllm_install.app.engine_choice import (
    default_version,
    known_versions,
    read_contract,
    read_recipe,
    refuse_bad_name,
)
from trtllm_install.app.engines import folder_of
from trtllm_install.app.observe import Refused
from trtllm_install.app.reporter import Reporter
from trtllm_install.engines.build import LOCK_NAME, Places, Source, build_engine
from trtllm_install.engines.examine import examine_engine
from trtllm_install.engines.interpreter import Interpreter, find_interpreter
from trtllm_install.engines.store import (
    clear_leftovers,
    find_engine,
    forget_engine,
    make_folders,
    note_engine,
)
from trtllm_install.host.protocol import Host
from trtllm_install.judge.engines import (
    check_answers,
    check_interpreter,
    check_known,
    check_space,
    python_commands,
)
from trtllm_install.model import layout
from trtllm_install.model.engine import Engine, Recipe
from trtllm_install.model.errors import ConfigError, NeedsRoot, PreflightFailed
from trtllm_install.model.findings import Finding, accepted, blocking

# Wheels are zip files: unpacked they take more, and both are there for a while.
_UNPACKED = 4
_OURS = (layout.ENGINES, posixpath.dirname(layout.ENGINES))  # children first


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """An engine that is to be added."""

    version: str
    today: str  # UTC, ISO 8601: what the record says of when it was checked
    adopt: str = ""  # a virtual environment that is there already, or its trtllm-serve
    wheels: str = ""  # folder of wheels; then no network is used
    index: str = ""
    python: str = ""
    python_version: str = ""  # the only one that will do, where the wheels are for one
    accept: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """An engine that is here now, and whether this run made it so."""

    engine: Engine
    changed: bool
    findings: tuple[Finding, ...] = ()


def add_engine(host: Host, wish: Wish, reporter: Reporter) -> Added:
    """Build or adopt an engine; one that is here already stays as it is.

    Nothing shows the new engine before it has passed every check, so no install can take
    a half of one. Raises NeedsRoot, Locked, ConfigError, PreflightFailed (Refused, with
    the findings) or ApplyFailed; then the engines are as they were.
    """
    if not host.is_root():
        raise NeedsRoot(
            "cannot add an engine: not root", hint=f"sudo trtllm-install engine add {wish.version}"
        )
    refuse_bad_name(wish.version)
    with host.lock(layout.ENGINES_LOCK), _nothing_left(host):
        make_folders(host, layout.ENGINES)
        for path in clear_leftovers(host):
            reporter.note(f"removed what a build that was cut off had left: {path}")
        here = find_engine(host, wish.version)
        if here and here.usable:
            return _as_it_is(wish, here)
        if here:
            forget_engine(host, here)
        home, found = _adopted(host, wish) if wish.adopt else _built(host, wish, reporter)
        return _shown(host, wish, home, found, reporter)


@contextmanager
def _nothing_left(host: Host) -> Iterator[None]:
    """Take back the folders that a failed first build has made."""
    before = {folder for folder in _OURS if host.look(folder)}
    try:
        yield
    except BaseException:
        for folder in _OURS:
            if folder not in before and host.look(folder) and not host.names_in(folder):
                host.remove(folder)
        raise


def _as_it_is(wish: Wish, here: Engine) -> Added:
    wanted = folder_of(wish.adopt)
    if wanted and wanted != here.home:
        raise ConfigError(
            f"cannot add engine {wish.version}: there is one of that name, {here.home}",
            hint=f"sudo trtllm-install engine remove {wish.version}",
        )
    return Added(engine=here, changed=False)


def _adopted(host: Host, wish: Wish) -> tuple[str, list[Finding]]:
    home = folder_of(wish.adopt)
    if host.look(host.resolve(f"{home}/bin/trtllm-serve")) is None:
        raise ConfigError(
            f"cannot adopt {wish.adopt}: there is no {home}/bin/trtllm-serve",
            hint=f"ls -l {home}/bin; --path is the folder of a virtual environment",
        )
    return home, list(check_known(wish.version, known_versions()))


def _built(host: Host, wish: Wish, reporter: Reporter) -> tuple[str, list[Finding]]:
    reporter.phase(f"check what engine {wish.version} needs")
    recipe, source = read_recipe(wish.version), _source(host, wish)
    if wish.python_version:
        recipe = replace(recipe, pythons=(wish.python_version,))
    python = _interpreter(host, wish, recipe)
    make_folders(host, layout.ENGINE_BUILDS)
    found = [
        *check_known(wish.version, known_versions()),
        *check_interpreter(recipe, python.version, python.path),
        *check_space(
            recipe,
            layout.ENGINE_BUILDS,
            free=host.free_bytes(layout.ENGINE_BUILDS),
            needed=_needed(host, source, recipe),
        ),
    ]
    try:
        _refuse(wish, found)
        reporter.phase(f"build engine {wish.version} with {python.path}")
        home = build_engine(
            host,
            recipe,
            source,
            python=python.path,
            places=Places(builds=layout.ENGINE_BUILDS, cache=layout.ENGINE_CACHE),
            progress=_Told(reporter),
        )
    except BaseException:
        clear_leftovers(host)
        raise
    return home, found


def _shown(host: Host, wish: Wish, home: str, found: list[Finding], reporter: Reporter) -> Added:
    """Examine the engine, and only when it passes make it known."""
    reporter.phase("check what the engine says of itself: trtllm-serve serve --help")
    try:
        known = wish.version if wish.version in known_versions() else default_version()
        examined = examine_engine(host, home)
        more, notes = check_answers(
            read_contract(known),
            read_recipe(wish.version),
            version=wish.version,
            help_text=examined.help_text,
            failure=examined.failure,
            torch=examined.torch,
            simulated=examined.simulated,
        )
        found += more
        _refuse(wish, found)
        engine = Engine(
            version=wish.version,
            path=layout.engine(wish.version),
            home=home,
            origin="adopted" if wish.adopt else "built",
            usable=True,
            size=None if wish.adopt else _size(host, home),
            python=examined.python,
            torch=examined.torch,
            checked=wish.today,
            notes=notes,
        )
        note_engine(host, engine)
    except BaseException:
        clear_leftovers(host)
        raise
    return Added(engine=engine, changed=True, findings=accepted(found, wish.accept))


def _refuse(wish: Wish, found: list[Finding]) -> None:
    findings = accepted(found, wish.accept)
    if any(blocking(findings)):
        raise Refused(findings, f"add engine {wish.version}")


def _source(host: Host, wish: Wish) -> Source:
    if not wish.wheels:
        return Source(index=wish.index)
    if not any(name.endswith(".whl") for name in host.names_in(wish.wheels)):
        raise ConfigError(
            f"cannot use {wish.wheels}: no wheels in it",
            hint="name a folder of wheels, or a bundle made with --engine",
        )
    locked = host.look(f"{wish.wheels}/{LOCK_NAME}") is not None
    return Source(folder=wish.wheels, locked=locked)


def _interpreter(host: Host, wish: Wish, recipe: Recipe) -> Interpreter:
    found = find_interpreter(host, recipe.pythons, wish.python)
    wanted = " or ".join(recipe.pythons)
    release = (host.read("/etc/os-release") or b"").decode(errors="replace")
    if found is None:
        there = f"{wish.python} does not run" if wish.python else f"no Python {wanted} is here"
        raise PreflightFailed(
            f"cannot build engine {wish.version}: {there}",
            hint=python_commands(release, recipe.pythons[0]),
        )
    if not found.makes_venvs:
        raise PreflightFailed(
            f"cannot build engine {wish.version}: {found.path} has no venv module",
            hint=python_commands(release, found.version),
        )
    real = host.resolve(found.path)
    if real.startswith(("/root/", "/home/")):
        raise PreflightFailed(
            f"cannot build engine {wish.version}: {real} lies in a home, which services cannot see",
            hint=python_commands(release, recipe.pythons[0]),
        )
    return found


def _needed(host: Host, source: Source, recipe: Recipe) -> int:
    if not source.folder:
        return recipe.disk_bytes
    entries = (host.look(f"{source.folder}/{name}") for name in host.names_in(source.folder))
    return _UNPACKED * sum(entry.size for entry in entries if entry)


def _size(host: Host, home: str) -> int | None:
    ended = host.run(["du", "--summarize", "--block-size=1", home], timeout=120.0)
    first = ended.stdout.partition("\t")[0]
    return int(first) if first.isdecimal() else None


class _Told:
    """Progress of a build, told to whoever listens to the run."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
        self._title = ""

    def step(self, title: str) -> None:
        """See Progress.step."""
        self._title = title
        self._reporter.step(title, "begins", 0)

    def moved(self, word: str, written: int) -> None:
        """See Progress.moved."""
        self._reporter.step(self._title, word, written)
