"""Judges what an engine needs of the system while it runs: Python, compilers, CUDA, Open MPI."""

from collections.abc import Iterator
from typing import Final

from trtllm_install.judge.engines import python_commands
from trtllm_install.judge.packages import OPEN_MPI_PACKAGE, brought
from trtllm_install.model import layout
from trtllm_install.model.engine import Recipe
from trtllm_install.model.facts import EngineFacts, Facts, PackageFacts, SystemFacts, Unknown
from trtllm_install.model.facts.host import Compilers
from trtllm_install.model.findings import Finding, found
from trtllm_install.model.installation import Installation
from trtllm_install.model.versions import parse_version

OPEN_MPI: Final = 4  # mpi4py 3.1.5 of the engine cannot spawn with 5 (ai-dynamo/dynamo 15060)
ENGINE_CUDA: Final = 13  # the engine's torch is cu130
_TOOLKIT: Final = "CUDA toolkit 13.1"


def check_system(facts: Facts, installation: Installation) -> Iterator[Finding]:
    """Find libraries and tools that the engine needs, and say what install will make."""
    system = facts.system
    if isinstance(system, Unknown):
        return
    if not system.account:
        yield found("account-absent", layout.USER, what="install makes it")
    if installation.simulate:
        return
    if OPEN_MPI_PACKAGE not in brought(facts):
        yield from _open_mpi(system, facts.packages)
    yield from _toolkit(system)


def check_compilers(facts: Facts, installation: Installation) -> Iterator[Finding]:
    """Find an engine's Python that is gone, and what kernels are compiled with that is not here."""
    tools = facts.host.compilers if facts.host else None
    if installation.simulate or not isinstance(tools, Compilers):
        return
    if tools.python_gone:
        yield found(
            "engine-python-gone",
            tools.python,
            what=f"it leads to {tools.python_gone}, which is not there",
            expected="the Python that the engine was built with",
            remedy="install that Python again, or sudo trtllm-install engine remove "
            f"{installation.engine_version} and engine add it anew",
        )
    lacking = [word for word, path in (("C", tools.cc), ("C++", tools.cxx)) if path is None]
    if lacking:
        yield found(
            "compiler-missing",
            "this host",
            what=f"no {' and no '.join(lacking)} compiler",
            expected="gcc and g++",
            remedy="sudo apt-get install gcc g++",
        )
    if tools.headers is None:
        yield found(
            "python-headers-missing",
            "this host",
            what=f"no Python.h of the engine's Python ({tools.python})",
            expected="the headers of that Python",
            remedy=f"sudo apt-get install python{tools.version}-dev",
        )


def check_builder(
    facts: Facts, installation: Installation, recipe: Recipe | None
) -> Iterator[Finding]:
    """Find that an engine which is yet to be added could not be built: no Python for it."""
    engine = facts.engine
    if installation.simulate or recipe is None or not isinstance(engine, EngineFacts):
        return
    if not engine.present and engine.builder is None:
        wanted = " or ".join(recipe.pythons)
        yield found(
            "engine-python-missing",
            recipe.version,
            what=f"no Python {wanted} with its venv module is here",
            expected=f"Python {wanted}",
            remedy=python_commands(facts.host.os_release if facts.host else "", recipe.pythons[0]),
        )


def _toolkit(system: SystemFacts) -> Iterator[Finding]:
    if system.cuda_home is None:
        yield found(
            "cuda-toolkit-missing",
            "this host",
            what="no nvcc or ptxas in /usr/local/cuda/bin or in a cuda-N.M beside it",
            expected=_TOOLKIT,
            remedy="sudo apt-get install cuda-toolkit-13-1",
        )
        return
    version = parse_version(system.toolkit)
    if version is None or version.numbers[:1] != (ENGINE_CUDA,):
        yield found(
            "cuda-toolkit-differs",
            system.cuda_home,
            what=f"CUDA {system.toolkit}" if version else "no version that could be read",
            expected=_TOOLKIT,
            remedy="sudo apt-get install cuda-toolkit-13-1, and let /usr/local/cuda lead to it: "
            "sudo update-alternatives --config cuda",
        )


def _open_mpi(system: SystemFacts, packages: PackageFacts | None) -> Iterator[Finding]:
    version = system.open_mpi
    if version is None:
        yield _no_open_mpi(packages)
        return
    stated = parse_version(version)
    if stated is None:
        yield found(
            "open-mpi-version-unknown",
            "this host",
            what="neither mpirun nor the name of libmpi.so.40 says a version",
            expected=f"Open MPI {OPEN_MPI}",
            remedy="mpirun --version, or ls -l /usr/lib/*/libmpi.so.40",
        )
    elif stated.numbers[:1] > (OPEN_MPI,):
        yield found(
            "open-mpi-too-new",
            "this host",
            what=f"Open MPI {version}",
            expected=f"Open MPI {OPEN_MPI}",
            remedy="install Open MPI 4.1, whose libmpi.so.40 leads to libmpi.so.40.30, and put "
            "its mpirun first on the path",
        )


def _no_open_mpi(packages: PackageFacts | None) -> Finding:
    """Say that there is none, why install brings none either, and how to get it."""
    left = packages.left_out if packages else ()
    out = next((package for package in left if package.name == OPEN_MPI_PACKAGE), None)
    remedy = f"sudo apt-get install {OPEN_MPI_PACKAGE}"
    if packages and packages.manager != "apt":
        tool = packages.manager or "the package manager"
        remedy = f"install Open MPI {OPEN_MPI} with {tool}, and put its mpirun on the path"
    elif out and out.version:
        remedy = f"install Open MPI {OPEN_MPI}.1 from its source, and put its mpirun on the path"
    elif out:
        remedy = f"sudo apt-get update && {remedy}"
    return found(
        "open-mpi-missing",
        "this host",
        what="neither mpirun nor libmpi.so.40"
        + (f", and install cannot bring {out.name}: {out.why}" if out else "")
        + ("; it tries again once apt's lists or packages change" if out and out.known else ""),
        expected=f"Open MPI {OPEN_MPI}",
        remedy=remedy,
    )
