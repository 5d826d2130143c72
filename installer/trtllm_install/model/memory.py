"""Values of the GPU memory plan: what it is made from, and what it says. Sizes are bytes."""

from dataclasses import dataclass
from typing import Final

from trtllm_install.model.architecture import Architecture

# What trtllm-serve 1.3.0rc2 does where neither its YAML nor its arguments say otherwise
# (configs/contract/1.3.0rc2.json).
DEFAULT_FRACTION: Final = 0.9
TOKENS_PER_BLOCK: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSettings:
    """What an engine is told that decides about its memory: YAML over arguments over defaults."""

    backend: str
    max_batch_size: int
    max_num_tokens: int
    max_seq_len: int | None  # None = as long as the model allows
    fraction: float = DEFAULT_FRACTION  # of the memory that is free once the weights are loaded
    max_tokens: int | None = None  # absolute cap of the KV cache
    max_bytes: int = 0  # the same in bytes, 0 = none; the PyTorch backend alone minds it
    kv_dtype: str = "auto"
    state_dtype: str = "auto"
    tokens_per_block: int = TOKENS_PER_BLOCK
    graph_sizes: tuple[int, ...] | None = None  # batch sizes with a CUDA graph; None = default
    tensor_parallel: int = 1
    pipeline_parallel: int = 1

    @property
    def ranks(self) -> int:
        """How many GPUs one instance is spread over."""
        return max(1, self.tensor_parallel) * max(1, self.pipeline_parallel)


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """One GPU before any of ours is started."""

    index: int
    name: str
    total: int
    free: int  # what nobody else holds
    unified: bool = False
    reason: str = ""  # where the figures come from


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """One instance that is to live on GPUs, in start order."""

    name: str
    gpus: tuple[int, ...]  # one for each rank
    weights: int
    architecture: Architecture | None
    kv_quantization: str = ""  # as the checkpoint states it
    longest: int = 0  # tokens that the model was made for; 0 = not stated
    settings: EngineSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Unplanned:
    """An instance of which no plan could be made, and why."""

    instance: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What one rank of an instance takes on its GPU, the KV cache aside."""

    weights: int
    context: int  # CUDA context, kernels, library handles
    workspace: int  # activations of the largest batch
    state: int  # of every slot, Mamba-like layers only
    graphs: int  # captured after the KV cache was sized
    kv_per_token: int
    state_per_slot: int

    @property
    def before(self) -> int:
        """What is taken before the KV cache is sized."""
        return self.weights + self.context + self.workspace + self.state

    @property
    def fixed(self) -> int:
        """Everything but the KV cache."""
        return self.before + self.graphs


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What one instance gets on one GPU."""

    instance: str
    needs: Needs
    free_before: int  # what it finds when it starts
    fraction: float
    cap: int | None  # max_tokens, where one is set
    kv: int
    tokens: int  # of context, all running sequences together
    sequences: int  # that can run at full length at once, max_batch_size at most
    sequence: int  # tokens of one at full length
    slots: int  # max_batch_size
    short: int  # what lacks for its weights and the smallest cache; 0 = they fit
    tight: int  # what the cache leaves too little for CUDA graphs; 0 = enough

    @property
    def used(self) -> int:
        """All of it, once it serves."""
        return self.needs.fixed + self.kv


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuPlan:
    """One GPU with everything on it, in start order."""

    room: Room
    shares: tuple[Share, ...]
    left: int  # nobody's, once all serve; 0 where something is short
    short: int  # what lacks for all beside one another, whatever the fractions; 0 = nothing

    @property
    def fits(self) -> bool:
        """Tell whether every instance has room for its weights and a cache."""
        return not any(s.short for s in self.shares)

    @property
    def sound(self) -> bool:
        """Tell whether CUDA graphs have room too: nothing is promised that is not there."""
        return self.fits and not any(s.tight for s in self.shares)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cap:
    """An absolute KV cache for one instance, the same whatever starts first."""

    instance: str
    max_tokens: int
    fraction: float  # wide enough for ``max_tokens`` in every start order

    def keys(self) -> dict[str, float]:
        """Return the keys of kv_cache_config that set it."""
        return {"max_tokens": self.max_tokens, "free_gpu_memory_fraction": self.fraction}


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryPlan:
    """Every GPU that is used, the instances that could not be planned, and what would do."""

    gpus: tuple[GpuPlan, ...]
    unplanned: tuple[Unplanned, ...] = ()
    caps: tuple[Cap, ...] = ()  # empty where no share can be given to all
    fractions: tuple[tuple[str, float], ...] = ()  # that give the same in start order
    pinned: bool = False  # the caps are in force already
    simulated: bool = False

    @property
    def fits(self) -> bool:
        """Tell whether every planned instance starts."""
        return all(gpu.fits for gpu in self.gpus)

    @property
    def sound(self) -> bool:
        """Tell whether nothing is promised that is not there."""
        return all(gpu.sound for gpu in self.gpus)
