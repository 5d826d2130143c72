"""The checkpoints."""

from typing import Final

from trtllm_install.model.catalogue.kind import Kind, error, info, warning

KINDS: Final[dict[str, Kind]] = {
    "weights-missing": error(
        "Weights are missing",
        "load the weights of {}",
        "The folder of the checkpoint is not there, or holds no checkpoint.",
    ),
    "weights-incomplete": error(
        "Weights are incomplete",
        "load the weights of {}",
        "A file that the checkpoint has to have is not there.",
        depends_on=("weights-missing",),
    ),
    "weights-not-a-file": error(
        "A file of the weights is none",
        "load the weights of {}",
        "A folder, a pipe, a device or a link that leads nowhere is in the place of a file.",
        depends_on=("weights-missing",),
    ),
    "weights-truncated": error(
        "A shard is too short",
        "load the weights of {}",
        "A file ends before the tensors that its header lists.",
        depends_on=("weights-missing",),
    ),
    "weights-overlong": error(
        "A shard is too long",
        "load the weights of {}",
        "A file goes on after the tensors that its header lists.",
        depends_on=("weights-missing",),
    ),
    "weights-header-invalid": error(
        "The header of a shard is invalid",
        "load the weights of {}",
        "The header of a safetensors file is not what the format allows.",
        depends_on=("weights-missing",),
    ),
    "weights-layout-invalid": error(
        "The tensors of a shard do not fit",
        "load the weights of {}",
        "Tensors overlap, leave a gap, or are not as long as their shape says.",
        depends_on=("weights-missing",),
    ),
    "weights-config-invalid": error(
        "A JSON file of the weights is invalid",
        "load the weights of {}",
        "config.json, hf_quant_config.json or the index is not JSON, or lacks what it is for.",
        depends_on=("weights-missing",),
    ),
    "weights-index-differs": error(
        "Index and shards differ",
        "load the weights of {}",
        "model.safetensors.index.json names a tensor that its shard does not hold.",
        depends_on=(
            "weights-missing",
            "weights-incomplete",
            "weights-not-a-file",
            "weights-truncated",
            "weights-header-invalid",
            "weights-layout-invalid",
            "weights-config-invalid",
        ),
    ),
    "weights-total-differs": warning(
        "The index states another total",
        "the index of {} states another total",
        "The total_size in model.safetensors.index.json is not the sum of the tensors.",
    ),
    "weights-hash-differs": error(
        "A file is not the one that the hub has",
        "trust the weights of {}",
        "The content of a file has another hash than the hub gave when it was downloaded.",
    ),
    "weights-changed": error(
        "A file changed since it was recorded",
        "trust the weights of {}",
        "The content of a file has another hash than `check --deep --record` wrote down.",
    ),
    "weights-remote-code": info(
        "The weights bring code that runs",
        "{} runs code of its checkpoint",
        "With --trust_remote_code the engine runs the Python files of the checkpoint.",
    ),
    "weights-code-elsewhere": error(
        "The weights name code of another repository",
        "load the weights of {}",
        "auto_map names a class that would be fetched from the hub, where the engine may not ask.",
    ),
    "weights-unreadable": error(
        "Weights cannot be read by the service user",
        "open the weights of {} as user trtllm",
        "The modes of a file or folder keep user trtllm out.",
        depends_on=("weights-missing",),
    ),
}
