"""Checkpoints, as their files show them."""

from dataclasses import dataclass
from typing import Literal

from trtllm_install.model.architecture import Architecture

FileFault = Literal[
    "absent",
    "not-a-file",  # a folder, a pipe, a device, a link that leads nowhere: never opened
    "short",
    "long",
    "header",  # of safetensors
    "layout",  # tensors that overlap, leave gaps or are not as long as their shape
    "config",  # a JSON file that is none, or is too large to be one
    "differs",  # index and shard
    "total",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileProblem:
    """One file of a checkpoint that is not what it should be."""

    fault: FileFault
    path: str
    found: str
    expected: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteCode:
    """A Python file of a checkpoint, which the engine runs with --trust_remote_code."""

    name: str
    sha256: str  # empty where the file is too large to be read for that


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocked:
    """A path that the service user cannot open, by its mode."""

    path: str
    mode: int
    owner: str
    group: str
    above: bool  # above the weights folder: systemd's bind mount goes round it


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightsFacts:
    """The checkpoint of one instance, read by its headers only."""

    instance: str
    folder: str
    present: bool
    problems: tuple[FileProblem, ...] = ()
    blocked: tuple[Blocked, ...] = ()
    links_out: tuple[str, ...] = ()  # folders outside it in which files really lie
    model_type: str = ""
    architectures: tuple[str, ...] = ()
    quantization: str = ""  # as the checkpoint states it, for example "NVFP4"
    kv_cache_quantization: str = ""
    architecture: Architecture | None = None  # None = config.json does not say it
    longest: int = 0  # tokens that the model was made for; 0 = not stated
    remote_code: tuple[RemoteCode, ...] = ()
    code_elsewhere: tuple[str, ...] = ()  # as auto_map writes it: "owner/name--module.Class"
    shards: int = 0
    tensors: int = 0
    size: int = 0  # bytes of all shards that are there
    dtypes: tuple[tuple[str, int], ...] = ()  # safetensors name, bytes; most bytes first
    unfinished: int = 0  # files that an interrupted `hf download` left half done
    in_the_way: str = ""  # why there can be no folder, in words
    download_as: str = ""  # user who has to fetch what lacks; empty = whoever calls
