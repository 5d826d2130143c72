"""Engines beside one another: add, adopt, list, use, remove."""

import posixpath
from dataclasses import dataclass, replace

from trtllm_install.app.engine_choice import default_version, known_versions, refuse_bad_name
from trtllm_install.app.install import Installed, install
from trtllm_install.app.operate import installed_receipt
from trtllm_install.app.options import Options
from trtllm_install.app.reporter import Reporter
from trtllm_install.engines.store import find_engine, forget_engine, read_engines, running_from
from trtllm_install.host.protocol import Host
from trtllm_install.model import layout
from trtllm_install.model.engine import Engine
from trtllm_install.model.errors import ConfigError, NeedsRoot
from trtllm_install.receipts.store import read_receipt


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """The engines that are here."""

    engines: tuple[Engine, ...]
    generation: int | None  # of the installation that uses the current one


def list_engines(host: Host) -> Listed:
    """Return every engine; needs no root."""
    receipt = read_receipt(host)
    return Listed(engines=read_engines(host), generation=receipt.generation if receipt else None)


def use_engine(host: Host, version: str, options: Options, reporter: Reporter) -> Installed:
    """Switch to another engine, as an install that changes nothing else.

    Raises what ``install`` raises; as there, the old engine serves again after a failure.
    """
    if not host.is_root():
        raise NeedsRoot(
            "cannot switch the engine: not root", hint=f"sudo trtllm-install engine use {version}"
        )
    receipt = installed_receipt(host)
    engine = find_engine(host, version)
    if engine is None or not engine.usable:
        raise _unknown(host, version, "use")
    return install(host, replace(options, engine=version, simulate=receipt.simulate), reporter)


def remove_engine(host: Host, version: str, reporter: Reporter) -> Engine:
    """Remove an engine that nothing needs, and return what it was.

    Raises ConfigError for one that is in use or that is not ours to remove, Locked while
    an install or another engine's build is at work.
    """
    if not host.is_root():
        raise NeedsRoot(
            "cannot remove an engine: not root", hint=f"sudo trtllm-install engine remove {version}"
        )
    refuse_bad_name(version, simulate=True)
    with host.lock(layout.LOCK), host.lock(layout.ENGINES_LOCK):
        engine = find_engine(host, version)
        if engine is None:
            raise _unknown(host, version, "remove")
        _refuse_needed(host, engine)
        reporter.phase(f"remove engine {version}")
        forget_engine(host, engine)
        return engine


def _refuse_needed(host: Host, engine: Engine) -> None:
    receipt = read_receipt(host)
    kept = receipt.links.get(layout.ENGINE_CURRENT) if receipt else None
    deed = f"cannot remove engine {engine.version}"
    others = [e.version for e in read_engines(host) if e.usable and e.version != engine.version]
    if engine.current or kept == engine.path:
        then = f"engine use {others[0]}" if others else "uninstall"
        raise ConfigError(f"{deed}: it is in use", hint=f"sudo trtllm-install {then}")
    if engine.origin == "simulated":
        raise ConfigError(
            f"{deed}: it belongs to install --simulate", hint="sudo trtllm-install uninstall"
        )
    if engine.origin == "found":
        raise ConfigError(
            f"{deed}: {engine.path} was not made by engine add",
            hint=f"if it is yours to remove: sudo rm -r {engine.path}",
        )
    if pid := running_from(host, engine):
        raise ConfigError(f"{deed}: process {pid} runs from it", hint="sudo trtllm-install restart")


def _unknown(host: Host, version: str, verb: str) -> ConfigError:
    here = ", ".join(engine.version for engine in read_engines(host)) or "none"
    return ConfigError(
        f"cannot {verb} engine {version}: there is none of that name; here: {here}",
        hint=f"sudo trtllm-install engine add {version}"
        if version in known_versions()
        else f"trtllm-install engine list, or engine add {default_version()}",
    )


def folder_of(path: str) -> str:
    """Return the folder of an engine that was named by it or by its server program."""
    if posixpath.basename(path) == "trtllm-serve":
        return posixpath.dirname(posixpath.dirname(path))
    return path
