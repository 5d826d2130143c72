"""The GPU memory plan."""

from dataclasses import replace
from typing import Final

from trtllm_install.model.catalogue.gpu import NO_GPU
from trtllm_install.model.catalogue.kind import Kind, error, info, warning

_NO_WEIGHTS: Final = ("weights-missing", "weights-incomplete", "weights-config-invalid")

KINDS: Final[dict[str, Kind]] = {
    "gpu-memory-overcommitted": error(
        "GPU memory is promised twice",
        "fit the instances on {}",
        "An instance would find too little free memory when its turn comes to start.",
        depends_on=(*NO_GPU, "gpu-memory-too-small"),
    ),
    "gpu-memory-tight": warning(
        "CUDA graphs may not fit",
        "{} has little left for CUDA graphs",
        "The KV cache would leave less than CUDA graphs can take, which are captured after it.",
        *NO_GPU,
        "gpu-memory-too-small",
        "gpu-memory-overcommitted",
    ),
    "gpu-memory-context-short": warning(
        "The KV cache is shorter than one sequence",
        "{} cannot hold one sequence of full length",
        "A request of max_seq_len tokens could never be served.",
        *NO_GPU,
        "gpu-memory-too-small",
    ),
    "gpu-memory-unplanned": replace(
        info(
            "GPU memory was not planned",
            "the memory of {} was not planned",
            "A size that the sum needs is not known, so nothing is said about the fit.",
        ),
        depends_on=(*NO_GPU, *_NO_WEIGHTS),
    ),
}
