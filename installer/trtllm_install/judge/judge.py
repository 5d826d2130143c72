"""Runs every check and silences what only follows from a deeper cause."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from trtllm_install.judge.advisories import check_advisories
from trtllm_install.judge.driver import check_driver
from trtllm_install.judge.gpu_health import (
    check_fabric,
    check_gpu_faults,
    check_gpu_memory_known,
    check_gpu_modes,
)
from trtllm_install.judge.gpu_platform import (
    check_device_nodes,
    check_kernel_log,
    check_open_module,
)
from trtllm_install.judge.gpu_users import check_gpu_users
from trtllm_install.judge.gpus import check_gpus_present, check_memory, check_quantization
from trtllm_install.judge.host import check_host
from trtllm_install.judge.image import check_image, for_image
from trtllm_install.judge.memory import check_memory_plan
from trtllm_install.judge.network import check_exposure, check_keyless, check_ports
from trtllm_install.judge.packages import check_packages
from trtllm_install.judge.programs import (
    check_engine,
    check_proxy,
    check_supervisor,
)
from trtllm_install.judge.removed import check_removed
from trtllm_install.judge.routes import check_ambiguity, check_peers
from trtllm_install.judge.smoke import check_smoke
from trtllm_install.judge.tls import check_tls
from trtllm_install.judge.toolchain import check_builder, check_compilers, check_system
from trtllm_install.judge.weights import check_remote_code, check_weights
from trtllm_install.model.advisories import Advisory
from trtllm_install.model.catalogue import CATALOGUE
from trtllm_install.model.engine import Recipe
from trtllm_install.model.facts import NOT_ASKED, Facts, Unknown
from trtllm_install.model.findings import Finding, found
from trtllm_install.model.installation import Installation
from trtllm_install.model.memory import MemoryPlan

Check = Callable[[Facts, Installation], Iterator[Finding]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What judging needs beside facts and wishes."""

    advisories: tuple[Advisory, ...]
    keys: Mapping[str, Mapping[str, object]]  # by instance: what the engine is given
    recipe: Recipe | None = None  # how the engine that is wanted is built


def judge(
    facts: Facts,
    installation: Installation,
    memory: MemoryPlan | None = None,
    known: Known | None = None,
) -> tuple[Finding, ...]:
    """Return every finding, causes before consequences, the same for the same input.

    Never raises and never stops early. A consequence stays in the list with the code
    of its cause in ``muted_by``; ``blocking`` leaves it out. ``memory`` is the plan made
    from the same facts; without one nothing is said about the fit. Without ``known``,
    no advisory is looked up.
    """
    rank = {code: n for n, code in enumerate(CATALOGUE)}
    checks = CHECKS if installation.instances else FRONT_CHECKS
    seen = [f for check in checks for f in check(facts, installation)]
    if memory and not (facts.image and isinstance(facts.gpu, Unknown)):
        seen += check_memory_plan(memory)
    if known:
        seen += check_advisories(facts, installation, known.advisories, known.keys)
        seen += check_remote_code(facts, installation, known.keys)
        seen += check_builder(facts, installation, known.recipe)
    seen += check_host(facts, installation, known.recipe if known else None)
    if image := facts.image:
        seen = [for_image(f, image.folder) for f in seen]
    return _muted(sorted(seen, key=lambda f: rank[f.code]))


def check_observed(facts: Facts, installation: Installation) -> Iterator[Finding]:
    """Find what could not be read, so that silence is never taken for health."""
    for subject, part in _parts(facts, installation):
        if isinstance(part, Unknown) and part is not NOT_ASKED:
            yield found(
                "host-unreadable" if facts.root else "needs-root-to-see",
                subject,
                what=part.reason or "no reason was given",
                remedy="trtllm-install check, once the cause is gone"
                if facts.root
                else "run the same command again, with sudo",
            )


def _parts(facts: Facts, installation: Installation) -> Iterator[tuple[str, object]]:
    """Yield what was to be observed; of an image check_image says what was not."""
    weights, ports = dict(facts.weights), dict(facts.ports)
    unread = None if facts.image else Unknown(reason="it was not read")
    if not facts.image:
        yield "the GPUs", facts.gpu
    for instance in installation.instances:
        yield f"weights of {instance.name}", weights.get(instance.name, unread)
    for name in installation.services:
        yield f"port of {name}", ports.get(name, unread)
    yield "the proxy program", facts.proxy
    yield "the supervisor", facts.supervisor
    yield "the engine", facts.engine
    yield "the system", facts.system
    if facts.host:
        yield from facts.host.unread()
    if facts.platform:
        yield from facts.platform.unread


CHECKS: Final[tuple[Check, ...]] = (
    check_observed,
    check_driver,
    check_gpus_present,
    check_quantization,
    check_memory,
    check_open_module,
    check_gpu_modes,
    check_gpu_faults,
    check_fabric,
    check_gpu_memory_known,
    check_gpu_users,
    check_kernel_log,
    check_device_nodes,
    check_smoke,
    check_weights,
    check_ports,
    check_exposure,
    check_keyless,
    check_tls,
    check_packages,
    check_proxy,
    check_peers,
    check_ambiguity,
    check_supervisor,
    check_engine,
    check_system,
    check_compilers,
    check_removed,
    check_image,
)
# Without a model of its own a host needs neither GPUs nor weights nor an engine.
FRONT_CHECKS: Final[tuple[Check, ...]] = (
    check_observed,
    check_ports,
    check_exposure,
    check_keyless,
    check_packages,
    check_proxy,
    check_peers,
    check_supervisor,
    check_removed,
    check_image,
)


def _muted(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Name the root cause in each finding that follows from one.

    A cause silences its own subject, or the whole host where the catalogue says so.
    Causes come first in the catalogue, so their own verdict is already known.
    """
    done: list[Finding] = []
    for finding in findings:
        causes = (
            d
            for code in finding.depends_on
            for d in done
            if d.code == code and (CATALOGUE[code].whole_host or d.subject == finding.subject)
        )
        cause = next(causes, None)
        root = (cause.muted_by or cause.code) if cause else None
        done.append(replace(finding, muted_by=root))
    return tuple(done)
