"""Which engine an installation runs on, and by which contract it is checked."""

import json
import posixpath
from dataclasses import dataclass, replace
from functools import cache

from trtllm_install import resources
from trtllm_install.app.options import Options
from trtllm_install.host.protocol import Host
from trtllm_install.model import layout
from trtllm_install.model.contract import Contract, parse_contract
from trtllm_install.model.engine import SIMULATED, Recipe, is_engine_name, parse_recipe
from trtllm_install.model.errors import ConfigError
from trtllm_install.model.receipt import Receipt

_CONTRACT = ".json"


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineChoice:
    """An engine by its folder."""

    home: str  # what ``current`` shall point to; empty = as it is
    version: str  # of TensorRT-LLM that is expected there
    contract: str  # the version whose contract is used

    @property
    def program(self) -> str:
        """Return the server program that will be started."""
        return f"{self.home or layout.ENGINE_CURRENT}/bin/trtllm-serve"


def known_versions() -> tuple[str, ...]:
    """Return the versions of TensorRT-LLM that we have a contract of."""
    return tuple(n.removesuffix(_CONTRACT) for n in resources.names("configs/contract", _CONTRACT))


def default_version() -> str:
    """Return the version that engine configurations are written for."""
    return resources.read_text("configs/engine/VERSION").strip()


@cache
def read_contract(version: str) -> Contract:
    """Return the contract of a version that we ship one of."""
    return parse_contract(json.loads(resources.read_text(f"configs/contract/{version}{_CONTRACT}")))


def read_recipe(version: str) -> Recipe:
    """Return how a version is built; of one that we do not know, as the pinned one is."""
    known = version if version in known_versions() else default_version()
    document = json.loads(resources.read_text(f"configs/contract/{known}{_CONTRACT}"))
    return replace(parse_recipe(document), version=version)


def choose_engine(host: Host, options: Options, receipt: Receipt | None) -> EngineChoice:
    """Return the engine: the one named, else the one of the last run, else one that was added.

    Raises ConfigError for a name that no engine can have.
    """
    home = _home(host, options, receipt)
    # The simulated engine has one contract, whatever its folder is called.
    version = default_version() if options.simulate else _version(home)
    contract = version if version in known_versions() else default_version()
    return EngineChoice(home=home, version=version, contract=contract)


def _home(host: Host, options: Options, receipt: Receipt | None) -> str:
    if options.engine:
        refuse_bad_name(options.engine, simulate=options.simulate)
        return layout.engine(options.engine)
    if options.engine_path:
        return _environment_of(options.engine_path)
    same = receipt if receipt and receipt.simulate == options.simulate else None
    if same and (kept := same.links.get(layout.ENGINE_CURRENT)):
        return kept
    if options.simulate:
        return layout.engine(SIMULATED)
    added = layout.engine(default_version())
    return added if host.look(added) else ""


def _environment_of(program: str) -> str:
    """Return the virtual environment of a trtllm-serve: its top folder is the engine."""
    folder, name = posixpath.split(program)
    home, last = posixpath.split(folder)
    if (last, name) != ("bin", "trtllm-serve"):
        raise ConfigError(
            f"cannot use engine {program}: it is no bin/trtllm-serve of a virtual environment",
            hint=f"--engine-path {program.rstrip('/')}/bin/trtllm-serve",
        )
    return home


def refuse_bad_name(name: str, *, simulate: bool = False) -> None:
    """Raise ConfigError unless an engine of ours can be called so."""
    if not is_engine_name(name) and not (simulate and name == SIMULATED):
        raise ConfigError(
            f"cannot use {name!r} as an engine's version: letters, digits and .+-_ only, "
            f"and neither current nor {SIMULATED}",
            hint="trtllm-install engine list",
        )


def _version(home: str) -> str:
    """An engine of ours is called by its version; what lies elsewhere is expected to fit."""
    folder, name = posixpath.split(home)
    return name if folder == layout.ENGINES and is_engine_name(name) else default_version()
