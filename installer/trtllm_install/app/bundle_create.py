"""Makes a bundle: wheels of the tool, an engine's if asked for, packages, and the list of it."""

import posixpath
import re
import secrets
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from hashlib import sha256

from trtllm_install import __version__, resources
from trtllm_install.app.engine_choice import known_versions, read_recipe
from trtllm_install.app.reporter import Reporter
from trtllm_install.bundles.archive import archive_parts, verify_bundle
from trtllm_install.bundles.collect import fetch_wheels, list_file, locked
from trtllm_install.bundles.here import target_here
from trtllm_install.bundles.own_wheel import own_requirements, own_wheel
from trtllm_install.engines.steps import passed_environment
from trtllm_install.host.protocol import Host
from trtllm_install.model.bundle import (
    ENGINE_WHEELS,
    PACKAGES,
    WHEELS,
    BundledEngine,
    BundleFile,
    Manifest,
    Target,
)
from trtllm_install.model.errors import ConfigError
from trtllm_install.render.sbom import render_sbom

_LOCK = "requirements.txt"
_SBOM = "sbom.json"
_SCRIPTS = ("bootstrap.sh", "packages.sh")
_PLATFORM = re.compile(r"manylinux_(\d+)_(\d+)_(\w+)")
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleWish:
    """A bundle that is to be made."""

    path: str
    now: int  # Unix time
    platform: str = ""  # a manylinux tag; empty = this host's
    python: str = ""  # of the host that the tool will run on; empty = this one's
    engine: str = ""  # version of an engine to bring along
    engine_python: str = ""
    index: str = ""
    packages: str = ""  # folder of .deb files


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """A bundle that was made."""

    manifest: Manifest
    sha256: str  # of the manifest
    size: int


def create_bundle(host: Host, wish: BundleWish, reporter: Reporter) -> Bundle:
    """Write a bundle and read it back; the same inputs give the same bytes.

    Raises ConfigError or ApplyFailed; then a file that was at the path is as it was.
    """
    target = _target(wish)
    making = f"{wish.path}.making-{secrets.token_hex(4)}"
    host.make_directory(making, mode=0o700, owner="root")
    try:
        manifest = _collect(host, wish, target, making, reporter)
        reporter.phase(f"write {wish.path}")

        def content(file: BundleFile) -> Iterator[bytes]:
            offset = 0
            while part := host.read(f"{making}/{file.path}", limit=_CHUNK, offset=offset):
                offset += len(part)
                yield part

        host.write_parts(wish.path, archive_parts(manifest, content), mode=0o644, owner="root")
    finally:
        host.remove_tree(making)
    listed = sha256(manifest.encode()).hexdigest()
    verify_bundle(host, wish.path, pinned=listed)
    entry = host.look(wish.path)
    return Bundle(manifest=manifest, sha256=listed, size=entry.size if entry else 0)


def _target(wish: BundleWish) -> Target:
    here = target_here()
    target = replace(here, python=wish.python or here.python)
    if wish.platform:
        stated = _PLATFORM.fullmatch(wish.platform)
        if stated is None:
            raise ConfigError(
                f"cannot make a bundle for {wish.platform}: not a manylinux_X_Y_MACHINE platform",
                hint=f"--platform {here.platforms[0]}",
            )
        glibc = (int(stated[1]), int(stated[2]))
        target = replace(target, glibc=glibc, machine=stated[3])
    if not re.fullmatch(r"3\.\d{2}", target.python):
        raise ConfigError(
            f"cannot make a bundle for Python {target.python}: not a version such as 3.12",
            hint=f"--python {here.python}",
        )
    return target


def _collect(
    host: Host, wish: BundleWish, target: Target, making: str, reporter: Reporter
) -> Manifest:
    created = datetime.fromtimestamp(wish.now, timezone.utc).isoformat(timespec="seconds")
    name, wheel = own_wheel(host)
    for folder in (WHEELS, *([ENGINE_WHEELS] if wish.engine else [])):
        host.make_directory(f"{making}/{folder}", mode=0o755, owner="root")
    for script in _SCRIPTS:
        text = resources.read_text(f"scripts/{script}").encode()
        host.write(f"{making}/{script}", text, mode=0o755, owner="root")
    host.write(f"{making}/{WHEELS}/{name}", wheel, mode=0o644, owner="root")
    reporter.phase(f"fetch the tool's wheels for {target}")
    _fetch(host, own_requirements(), f"{making}/{WHEELS}", target.python, target)
    _lock(host, making, WHEELS)
    engine = _engine(host, wish, target, making, reporter) if wish.engine else None
    if wish.packages:
        reporter.phase(f"take the packages of {wish.packages}")
        _packages(host, wish.packages, making)
    listed = tuple(_listed(host, making))
    sbom = render_sbom(__version__, created, [f for f in listed if f.path.count("/") == 1])
    host.write(f"{making}/{_SBOM}", sbom.encode(), mode=0o644, owner="root")
    return Manifest(
        tool=__version__,
        created=wish.now,
        target=target,
        engine=engine,
        files=tuple(sorted((*listed, list_file(host, f"{making}/{_SBOM}", _SBOM)))),
    )


def _engine(
    host: Host, wish: BundleWish, target: Target, making: str, reporter: Reporter
) -> BundledEngine:
    if wish.engine not in known_versions():
        raise ConfigError(
            f"cannot bundle engine {wish.engine}: there is no contract of it; "
            f"known: {', '.join(known_versions())}",
            hint=f"--engine {known_versions()[-1]}",
        )
    recipe = read_recipe(wish.engine)
    python = wish.engine_python or recipe.pythons[0]
    reporter.phase(f"fetch the wheels of engine {wish.engine} for Python {python}")
    index = wish.index or recipe.torch_index
    _fetch(
        host,
        (recipe.torch_pin, *recipe.beside_torch, recipe.requirement),
        f"{making}/{ENGINE_WHEELS}",
        python,
        replace(target, python=python),
        more=("--extra-index-url", index) if index else (),
    )
    _lock(host, making, ENGINE_WHEELS)
    return BundledEngine(version=wish.engine, python=python)


def _fetch(
    host: Host,
    requirements: tuple[str, ...],
    folder: str,
    python: str,
    target: Target,
    *,
    more: tuple[str, ...] = (),
) -> None:
    fetch_wheels(
        host,
        requirements,
        folder,
        python=python,
        target=target,
        pip_python=sys.executable,
        environment=passed_environment(host),
        more=more,
    )


def _lock(host: Host, making: str, folder: str) -> None:
    names = host.names_in(f"{making}/{folder}")
    files = [list_file(host, f"{making}/{folder}/{name}", name) for name in names]
    host.write(f"{making}/{folder}/{_LOCK}", locked(files), mode=0o644, owner="root")


def _packages(host: Host, folder: str, making: str) -> None:
    names = [name for name in host.names_in(folder) if name.endswith(".deb")]
    if not names:
        raise ConfigError(
            f"cannot take packages of {folder}: no .deb files in it",
            hint="docs/howto/offline.md shows how to fetch them",
        )
    host.make_directory(f"{making}/{PACKAGES}", mode=0o755, owner="root")
    for name in names:
        raw = host.read(posixpath.join(folder, name)) or b""
        host.write(f"{making}/{PACKAGES}/{name}", raw, mode=0o644, owner="root")


def _listed(host: Host, making: str, below: str = "") -> Iterator[BundleFile]:
    for name in host.names_in(f"{making}/{below}"):
        inside = f"{below}{name}"
        entry = host.look(f"{making}/{inside}")
        if entry and entry.kind == "directory":
            yield from _listed(host, making, f"{inside}/")
        else:
            yield list_file(host, f"{making}/{inside}", inside)
