"""Judges the programs that have to be there: proxy, supervisor, engine, libraries."""

from collections.abc import Iterator
from typing import Final

from trtllm_install.model import layout
from trtllm_install.model.engine import SIMULATED
from trtllm_install.model.facts import (
    EngineFacts,
    Facts,
    ProxyBinary,
    SupervisorFacts,
    SystemFacts,
    Unknown,
)
from trtllm_install.model.findings import Finding, found
from trtllm_install.model.installation import Installation

OLDEST_SYSTEMD: Final = 252  # the oldest that the units were tried on
OPEN_MPI: Final = 4  # mpi4py 3.1.5 of the engine cannot spawn with 5 (ai-dynamo/dynamo 15060)


def choose_supervisor(facts: SupervisorFacts | Unknown, option: str) -> str:
    """Return "systemd" or "supervisord": the option, for ``auto`` what process 1 decides."""
    if option != "auto":
        return option
    return "systemd" if isinstance(facts, SupervisorFacts) and facts.systemd else "supervisord"


def check_proxy(facts: Facts, installation: Installation) -> Iterator[Finding]:
    """Find a proxy program that is missing or cannot run Lua."""
    packages = "nginx libnginx-mod-http-lua lua-cjson"
    if installation.proxy and facts.proxy is None:
        yield found(
            "proxy-binary-missing",
            "proxy",
            what="neither openresty nor nginx is installed",
            expected="OpenResty, or nginx with ngx_lua and lua-cjson",
            remedy=f"sudo apt-get install {packages}",
        )
    elif installation.proxy and isinstance(facts.proxy, ProxyBinary) and facts.proxy.missing:
        lacking = " ".join(facts.proxy.missing)
        yield found(
            "proxy-module-missing",
            "proxy",
            what=f"{facts.proxy.path} {facts.proxy.version} without {lacking}",
            expected="ngx_lua, resty.core and cjson",
            remedy=f"sudo apt-get install {lacking}",
        )


def check_supervisor(facts: Facts, installation: Installation) -> Iterator[Finding]:
    """Find a supervisor that was chosen and is not there."""
    seen = facts.supervisor
    if isinstance(seen, Unknown):
        return
    if installation.supervisor == "systemd":
        if not seen.systemd:
            yield found(
                "supervisor-missing",
                "systemd",
                what=f"process 1 is {seen.init or 'unknown'}",
                expected="systemd as process 1",
                remedy="--init supervisord",
            )
        elif seen.systemd_version is not None and seen.systemd_version < OLDEST_SYSTEMD:
            yield found(
                "systemd-untried",
                f"systemd {seen.systemd_version}",
                what="units may be refused or lose part of their sandbox",
                expected=f"{OLDEST_SYSTEMD} or newer",
                remedy="sudo systemd-analyze verify /etc/systemd/system/trtllm-*.service, "
                "or --init supervisord",
            )
    elif seen.supervisord is None:
        yield found(
            "supervisor-missing",
            "supervisord",
            what="no supervisord beside this tool or on the path",
            expected=f"{layout.TOOL}/bin/supervisord",
            remedy=f"sudo {layout.TOOL}/bin/pip install supervisor",
        )


def check_engine(facts: Facts, installation: Installation) -> Iterator[Finding]:
    """Find an engine that is missing, of another version, or not the real one."""
    engine, version = facts.engine, installation.engine_version
    if isinstance(engine, Unknown):
        return
    if installation.simulate:
        yield from _simulated(engine)
        return
    if installation.checked_as != version:
        yield found(
            "engine-version-unknown",
            version,
            what=f"arguments and YAML were checked as {installation.checked_as}",
            expected="a version whose contract this tool ships",
            remedy=f"trtllm-install engine use {installation.checked_as}",
        )
    if not engine.present or engine.simulated:
        code = "engine-simulated" if engine.present else "engine-missing"
        yield found(
            code,
            engine.path,
            what="it is the stand-in for tests" if engine.present else "no such program",
            expected=f"trtllm-serve of TensorRT-LLM {version}",
            remedy=f"sudo trtllm-install engine add {version}, then install again",
        )
    elif engine.version != version:
        yield found(
            "engine-version-differs",
            engine.path,
            what=_stated(engine),
            expected=version,
            remedy=f"sudo trtllm-install engine add {version} (or --accept engine-version-differs)",
        )


def _simulated(engine: EngineFacts) -> Iterator[Finding]:
    """A simulated engine comes with the tool; one of another folder has to be there."""
    if engine.path in {layout.trtllm_serve(), f"{layout.engine(SIMULATED)}/bin/trtllm-serve"}:
        return  # install writes it
    if not engine.present or not engine.simulated:
        yield found(
            "engine-missing",
            engine.path,
            what="it is not a simulated engine" if engine.present else "no such program",
            expected="a simulated engine, since --simulate was said",
            remedy="trtllm-install engine use simulated",
        )


def check_system(facts: Facts, installation: Installation) -> Iterator[Finding]:
    """Find libraries that the engine needs, and say what install will make."""
    system = facts.system
    if isinstance(system, Unknown):
        return
    if not system.account:
        yield found("account-absent", layout.USER, what="install makes it")
    if installation.simulate:
        return
    yield from _open_mpi(system)
    if system.cuda_home is None:
        yield found(
            "cuda-toolkit-missing",
            "this host",
            what="no nvcc or ptxas in /usr/local/cuda/bin",
            expected="CUDA toolkit 13.1",
            remedy="sudo apt-get install cuda-toolkit-13-1",
        )


def _stated(engine: EngineFacts) -> str:
    return f"version {engine.version}" if engine.version else "no version that could be read"


def _open_mpi(system: SystemFacts) -> Iterator[Finding]:
    version = system.open_mpi
    if version is None:
        yield found(
            "open-mpi-missing",
            "this host",
            what="neither mpirun nor libmpi.so.40",
            expected=f"Open MPI {OPEN_MPI}",
            remedy="sudo apt-get install libopenmpi-dev",
        )
        return
    major = version.partition(".")[0]
    if major.isdecimal() and int(major[:9]) > OPEN_MPI:
        yield found(
            "open-mpi-too-new",
            "this host",
            what=f"Open MPI {version}",
            expected=f"Open MPI {OPEN_MPI}",
            remedy="install libopenmpi-dev 4.1 and put its mpirun first on the path",
        )
