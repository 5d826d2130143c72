"""The programs that have to be there."""

from typing import Final

from trtllm_install.model.catalogue.kind import Kind, error, info, warning

KINDS: Final[dict[str, Kind]] = {
    "packages-unavailable": error(
        "Packages cannot be installed",
        "install packages {}",
        "The distribution's package manager refuses, or would have to change what is here.",
        whole_host=True,
    ),
    "packages-absent": info(
        "Packages are not there yet",
        "packages {} are not installed",
        "install brings them, and `uninstall --purge` takes them away again.",
    ),
    "proxy-binary-missing": error(
        "No OpenResty or nginx",
        "run the {}",
        "The one port in front of the instances needs OpenResty or nginx.",
        depends_on=("packages-unavailable",),
    ),
    "proxy-module-missing": error(
        "nginx lacks a module",
        "run the {}",
        "Routing by model needs ngx_lua and lua-cjson.",
        depends_on=("packages-unavailable", "proxy-binary-missing"),
    ),
    "supervisor-missing": error(
        "Supervisor is missing",
        "start services with {}",
        "The supervisor that was asked for does not run this host.",
    ),
    "systemd-too-old": error(
        "systemd is too old",
        "start services with {}",
        "Before 239 systemd knows neither the system calls that units allow nor longer starts.",
        depends_on=("supervisor-missing",),
    ),
    "systemd-untried": warning(
        "systemd is older than any we tried",
        "{} is not one that was tried",
        "Units were tried on systemd 252 and 257.",
        "supervisor-missing",
        "systemd-too-old",
    ),
    "engine-version-unknown": error(
        "Engine's version is not known",
        "trust engine {}",
        "This tool ships no contract of that version, so nothing was checked against it.",
    ),
    "engine-missing": error(
        "Engine is missing",
        "start {}",
        "trtllm-serve of TensorRT-LLM is not where the units look for it.",
    ),
    "engine-simulated": error(
        "Engine is the simulated one",
        "serve models with {}",
        "The stand-in for tests is installed where the real engine is expected.",
    ),
    "engine-version-differs": error(
        "Engine has another version",
        "trust {}",
        "Arguments and configuration were checked against one version only.",
        depends_on=("engine-missing", "engine-simulated"),
    ),
    "engine-python-gone": error(
        "Python of the engine is gone",
        "start the engine with {}",
        "The virtual environment leads to a Python that is no longer installed.",
    ),
    "engine-python-missing": warning(
        "No Python for the engine",
        "engine {} cannot be added yet",
        "The engine is yet to be added, and no Python that it is published for is here.",
    ),
    "engine-python-untried": error(
        "No wheels for this Python",
        "build engine {}",
        "TensorRT-LLM is published for certain versions of Python only.",
    ),
    "engine-disk-too-small": error(
        "No room for an engine",
        "build engine {}",
        "Downloads and the unpacked environment lie side by side while an engine is built.",
    ),
    "engine-torch-differs": error(
        "torch is of another CUDA",
        "load engine {}",
        "TensorRT-LLM's libraries are linked against one build of torch.",
    ),
    "engine-silent": error(
        "Engine does not answer",
        "ask engine {} for its options",
        "`trtllm-serve serve --help` failed; the import of TensorRT-LLM is part of it.",
    ),
    "engine-options-differ": error(
        "Engine lacks options",
        "start engine {}",
        "Its `--help` does not show options that units pass or that we know of its version.",
        depends_on=("engine-silent",),
    ),
    "open-mpi-missing": warning(
        "Open MPI is missing",
        "{} has no Open MPI",
        "trtllm-serve links libmpi and spawns its worker through it.",
        "packages-unavailable",
    ),
    "open-mpi-version-unknown": warning(
        "Version of Open MPI is not known",
        "Open MPI of {} says no version",
        "Open MPI 5 cannot spawn the engine's worker, and whether it is that one is not known.",
        "open-mpi-missing",
    ),
    "open-mpi-too-new": error(
        "Open MPI is too new",
        "spawn the engine's worker on {}",
        "The engine's mpi4py cannot spawn with Open MPI 5.",
    ),
    "cuda-toolkit-missing": warning(
        "CUDA toolkit is missing",
        "{} has no CUDA toolkit",
        "Kernels that are compiled at run time need nvcc or ptxas.",
    ),
    "cuda-toolkit-differs": warning(
        "CUDA toolkit is of another CUDA",
        "the toolkit in {} is not the engine's",
        "Kernels that are compiled at run time should be of the CUDA that the engine is built for.",
        "cuda-toolkit-missing",
    ),
    "compiler-missing": warning(
        "Compiler is missing",
        "{} has no compiler for kernels",
        "Triton and inductor compile C and C++ while the engine warms up.",
    ),
    "python-headers-missing": warning(
        "Headers of Python are missing",
        "{} has no headers for the engine's Python",
        "Triton compiles against Python.h while the engine warms up.",
    ),
}
