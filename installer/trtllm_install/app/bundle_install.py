"""Installs from a bundle: its engine first, then the same install as always."""

import posixpath
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from trtllm_install import __version__
from trtllm_install.app.bundle_use import read_bundle, refuse_elsewhere, unpack
from trtllm_install.app.engine_add import Added, Wish, add_engine
from trtllm_install.app.install import Installed, install
from trtllm_install.app.observe import look_at
from trtllm_install.app.options import Options
from trtllm_install.app.reporter import Reporter
from trtllm_install.bundles.here import target_here
from trtllm_install.engines.store import find_engine
from trtllm_install.host.protocol import Host
from trtllm_install.model import layout
from trtllm_install.model.bundle import ENGINE_WHEELS, PACKAGES, BundledEngine, Manifest
from trtllm_install.model.errors import ConfigError, NeedsRoot


def install_bundle(
    host: Host, path: str, options: Options, reporter: Reporter, *, pinned: str, today: str
) -> Installed:
    """Do an install that takes its engine from a bundle, without a network.

    Raises ConfigError for a bundle that is not whole or not for this host, with nothing
    changed; otherwise as ``add_engine`` and ``install`` do. An engine that was added
    stays when the install behind it fails.
    """
    if not host.is_root():
        raise NeedsRoot("cannot install: not root", hint="run the same command with sudo")
    reporter.phase(f"check the bundle {path}")
    manifest = _fitting(path, read_bundle(host, path, pinned=pinned))
    if manifest.tool != __version__:
        reporter.note(
            f"the bundle brings tool {manifest.tool}, this is {__version__}: "
            "its own bootstrap.sh --bundle changes that"
        )
    engine = manifest.engine
    if engine and not options.simulate and not options.engine_path:
        here = find_engine(host, engine.version)
        if here is None or not here.usable:
            wish = Wish(version=engine.version, today=today, accept=options.accept)
            _add(host, path, engine, wish, reporter=reporter, pinned=pinned)
        options = replace(options, engine=options.engine or engine.version)
    with _packages_of(host, path, manifest, options, reporter, pinned=pinned) as folder:
        return install(host, replace(options, package_folder=folder), reporter)


def add_from_bundle(
    host: Host, path: str, wish: Wish, reporter: Reporter, *, pinned: str = ""
) -> Added:
    """Add the engine that a bundle brings; raises ConfigError when it brings another or none."""
    reporter.phase(f"check the bundle {path}")
    engine = _fitting(path, read_bundle(host, path, pinned=pinned)).engine
    if engine is None or engine.version != wish.version:
        brings = f"engine {engine.version}" if engine else "no engine"
        raise ConfigError(
            f"cannot add engine {wish.version} from {path}: it brings {brings}",
            hint=f"trtllm-install bundle create --engine {wish.version} FILE",
        )
    return _add(host, path, engine, wish, reporter=reporter, pinned=pinned)


def _add(
    host: Host,
    path: str,
    engine: BundledEngine,
    wish: Wish,
    *,
    reporter: Reporter,
    pinned: str,
) -> Added:
    """Build from wheels that only root can reach, and that are gone afterwards."""
    with _unpacked(host, path, ENGINE_WHEELS, pinned) as wheels:
        return add_engine(
            host, replace(wish, wheels=wheels, python_version=engine.python), reporter
        )


@contextmanager
def _packages_of(
    host: Host, path: str, manifest: Manifest, options: Options, reporter: Reporter, *, pinned: str
) -> Iterator[str]:
    """Yield a folder with the bundle's packages, empty where there are none or none lacks."""
    brings = any(file.path.startswith(f"{PACKAGES}/") for file in manifest.files)
    if not brings or look_at(host, options, reporter).facts.packages is None:
        yield ""
        return
    with _unpacked(host, path, PACKAGES, pinned) as folder:
        yield folder


@contextmanager
def _unpacked(host: Host, path: str, part: str, pinned: str) -> Iterator[str]:
    """Yield a part of a bundle in a folder that only root can reach, and that goes afterwards."""
    staging = f"{posixpath.dirname(layout.STATE)}/trtllm-bundle-{secrets.token_hex(4)}"
    try:
        unpack(host, path, staging, pinned=pinned, below=f"{part}/")
        yield f"{staging}/{part}"
    finally:
        if host.look(staging):
            host.remove_tree(staging)


def _fitting(path: str, manifest: Manifest) -> Manifest:
    """The tool runs already: only the engine's wheels must fit, and they have their own Python."""
    refuse_elsewhere(path, manifest, replace(target_here(), python=manifest.target.python))
    return manifest
