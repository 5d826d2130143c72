"""The checkpoints."""

from typing import Final

from trtllm_install.model.catalogue.kind import Kind, error

KINDS: Final[dict[str, Kind]] = {
    "weights-missing": error(
        "Weights are missing",
        "load the weights of {}",
        "The folder of the checkpoint is not there, or holds no checkpoint.",
    ),
    "weights-incomplete": error(
        "Weights are incomplete",
        "load the weights of {}",
        "A file of the checkpoint is absent or shorter than its header says.",
        depends_on=("weights-missing",),
    ),
    "weights-damaged": error(
        "Weights are damaged",
        "load the weights of {}",
        "A file of the checkpoint is not what its format allows.",
        depends_on=("weights-missing",),
    ),
    "weights-index-differs": error(
        "Index and shards differ",
        "load the weights of {}",
        "model.safetensors.index.json names a tensor that its shard does not hold.",
        depends_on=("weights-missing", "weights-incomplete", "weights-damaged"),
    ),
    "weights-unreadable": error(
        "Weights cannot be read by the service user",
        "open the weights of {} as user trtllm",
        "The modes of a file or folder keep user trtllm out.",
        depends_on=("weights-missing",),
    ),
}
