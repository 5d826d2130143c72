"""The programs that have to be there."""

from typing import Final

from trtllm_install.model.catalogue.kind import Kind, error, warning

KINDS: Final[dict[str, Kind]] = {
    "proxy-binary-missing": error(
        "No OpenResty or nginx",
        "run the {}",
        "The one port in front of the instances needs OpenResty or nginx.",
    ),
    "proxy-module-missing": error(
        "nginx lacks a module",
        "run the {}",
        "Routing by model needs ngx_lua and lua-cjson.",
        depends_on=("proxy-binary-missing",),
    ),
    "supervisor-missing": error(
        "Supervisor is missing",
        "start services with {}",
        "The supervisor that was asked for does not run this host.",
    ),
    "systemd-untried": warning(
        "systemd is older than any we tried",
        "{} is older than 252",
        "Units were tried on systemd 252 and 257.",
        "supervisor-missing",
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
}
