"""Checkpoints, as their files show them."""

from dataclasses import dataclass
from typing import Literal

FileFault = Literal["absent", "short", "long", "damaged", "differs"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileProblem:
    """One file of a checkpoint that is not what it should be."""

    fault: FileFault
    path: str
    found: str
    expected: str


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
    remote_code: tuple[str, ...] = ()  # Python files that --trust_remote_code would run
    shards: int = 0
    tensors: int = 0
    size: int = 0  # bytes of all shards that are there
