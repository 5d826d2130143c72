"""Facts and wishes to the tree that is wanted."""

from contextlib import suppress
from hashlib import sha256

from trtllm_install import resources
from trtllm_install.app.memory import footprints
from trtllm_install.app.prepare import Wanted
from trtllm_install.host.protocol import Host
from trtllm_install.host.seeing import see
from trtllm_install.judge.packages import expected_proxy
from trtllm_install.model import layout
from trtllm_install.model.desired import Desired, File
from trtllm_install.model.errors import ConfigError, HostError
from trtllm_install.model.facts import Facts, SystemFacts, WeightsFacts
from trtllm_install.model.receipt import Receipt
from trtllm_install.model.tree import Seen, Tree
from trtllm_install.plan.files import NEW_SUFFIX
from trtllm_install.receipts.generations import read_generation
from trtllm_install.render.tree import Surroundings, render_tree
from trtllm_install.simulator.program import engine_program
from trtllm_install.simulator.weights import simulated_checkpoint

_SIMULATED = f"{layout.ENGINES}/simulated"
_CUDA_HOME = "/usr/local/cuda"


def desired_tree(wanted: Wanted, facts: Facts) -> Desired:
    """Return everything that has to be on the host."""
    return render_tree(wanted.installation, _surroundings(wanted, facts))


def desired_again(
    host: Host, wanted: Wanted, facts: Facts, receipt: Receipt | None
) -> tuple[Desired, str]:
    """Do as ``desired_tree``; return also a hash of all that the answer depends on.

    Where the installed whole was rendered from the same by the same tool, it is the one
    that its generation keeps: loading templates is a quarter of a run that changes nothing.
    """
    surroundings = _surroundings(wanted, facts)
    made_of = repr((wanted.installation, surroundings, resources.identity()))
    origin = sha256(made_of.encode()).hexdigest()
    if receipt and receipt.origin == origin:
        with suppress(ConfigError, HostError):  # it is root's, and may be damaged
            return read_generation(host, receipt.generation).desired, origin
    return render_tree(wanted.installation, surroundings), origin


def _surroundings(wanted: Wanted, facts: Facts) -> Surroundings:
    proxy = expected_proxy(facts)
    system = facts.system if isinstance(facts.system, SystemFacts) else None
    return Surroundings(
        proxy_binary=proxy.path if proxy else "nginx",
        proxy_kind=proxy.kind if proxy else "nginx",
        proxy_version=proxy.version if proxy else "",
        proxy_modules=proxy.modules if proxy else (),
        lua_path=proxy.lua_path if proxy else "",
        lua_cpath=proxy.lua_cpath if proxy else "",
        cuda_home=(system and system.cuda_home) or _CUDA_HOME,
        engine_target=wanted.engine.home if wanted.installation.instances else "",
        engine_configs=wanted.engine_configs,
        extra_files=_simulated_files(wanted) if wanted.installation.simulate else (),
        links_out={
            name: seen.links_out
            for name, seen in facts.weights
            if isinstance(seen, WeightsFacts) and seen.links_out
        },
        footprints=footprints(wanted, facts),
    )


def see_tree(host: Host, desired: Desired, receipt: Receipt | None) -> Tree:
    """Return what is on the host at every path that a plan may speak of.

    What is closed to a caller who is not root is ``hidden``; raises HostError for root.
    """
    paths = set(desired.paths)
    paths |= {file.path + NEW_SUFFIX for file in desired.files}
    paths |= {path for s in desired.services for path in (*s.inputs, *s.reload_inputs)}
    accounts = {account.name for account in desired.accounts}
    if receipt:
        paths |= {*receipt.files, *receipt.links, *receipt.directories}
        accounts |= set(receipt.accounts)
    seen, hidden = _read(host, paths)
    return Tree(
        paths=seen,
        accounts=frozenset(name for name in accounts if host.account_exists(name)),
        hidden=hidden,
    )


def _read(host: Host, paths: set[str]) -> tuple[dict[str, Seen], dict[str, str]]:
    """Return what is there, and why the rest could not be read; raises HostError for root."""
    seen: dict[str, Seen] = {}
    hidden: dict[str, str] = {}
    for path in paths:
        try:
            found = see(host, path)
        except HostError as error:  # noqa: PERF203 (each on its own)
            if host.is_root():
                raise
            hidden[path] = error.message
        else:
            seen |= {path: found} if found else {}
    return seen, hidden


def _simulated_files(wanted: Wanted) -> tuple[File, ...]:
    """Return the simulated engine, and its checkpoints unless a real folder was named."""
    if not wanted.installation.instances:
        return ()
    program = File(
        path=f"{_SIMULATED}/bin/trtllm-serve",
        content=engine_program(f"{layout.TOOL}/bin/python3").encode(),
        template="simulated engine",
        mode=0o755,
    )
    if wanted.installation.weights_dir != layout.SIMULATED_WEIGHTS:
        return (program,)
    checkpoints = (
        File(path=f"{i.weights}/{name}", content=content, template="simulated checkpoint")
        for i in wanted.installation.instances
        for name, content in simulated_checkpoint(i.model).items()
    )
    return (program, *checkpoints)
