"""Where a load is, by the engine's own lines.

The texts are those of TensorRT-LLM 1.x (pyexecutor/model_engine.py, pyexecutor/_util.py,
autotuner.py), of its AutoDeploy backend, of FlashInfer's JIT and of tqdm, as they appear
in public start-up logs of trtllm-serve.
"""

import re
from time import monotonic

from trtllm_install.model import phases

_LONGEST = 400  # characters of a line that are looked at
# AutoDeploy's stages are those of auto_deploy/config/default.yaml; each line names its own.
_MARKS = re.compile(
    r"(?P<weights>prefetching \S+|use [\d.]+ gb for model weights|loading (?:safetensors )?weights"
    r"|loading and initializing weights|stage=weight_load)"
    r"|(?P<compile>model init total|autotuning process starts|loading jit ops|torch\.compile"
    r"|inductor|stage=(?:export|pattern_matcher|sharding|post_load_fusion|compile))"
    r"|(?P<warm>autotuning process ends|cuda graph|capturing graph|run warmup with|warm up with"
    r"|memory usage profiling|resize mem info|final cache mem|stage=cache_init|warming up)",
    re.IGNORECASE,
)
_PHASE_OF = {"weights": phases.WEIGHTS, "compile": phases.COMPILE, "warm": phases.WARM_UP}
_PERCENT = re.compile(r"(\d{1,3})%")
_GRAPHS = re.compile(r"for (\d+) batch sizes", re.IGNORECASE)
_ONE_GRAPH = re.compile(r"(warmup|graph) for batch size", re.IGNORECASE)


class Told:
    """What the lines so far say: the phase, the percent of the weights, the graphs captured."""

    def __init__(self) -> None:
        self.phase = phases.START
        self.changes: list[tuple[str, float]] = []  # phase, monotonic moment; the reader empties it
        self.percent: int | None = None  # of the weights' tensors, not of their bytes
        self.graphs = 0
        self.graphs_of = 0

    def take(self, raw: bytes) -> None:
        """Take one more line."""
        line = raw[:_LONGEST].decode(errors="replace")
        mark = _MARKS.search(line)
        if not mark:
            return
        phase = _PHASE_OF[str(mark.lastgroup)]
        if phase != self.phase:
            self.phase = phase
            self.changes.append((phase, monotonic()))
        if self.phase == phases.WEIGHTS:
            percent = _PERCENT.search(line)
            self.percent = min(100, int(percent.group(1))) if percent else self.percent
        elif self.phase == phases.WARM_UP:
            self._count_graphs(line)

    def _count_graphs(self, line: str) -> None:
        announced = _GRAPHS.search(line)
        if announced:
            self.graphs, self.graphs_of = 0, int(announced.group(1))
        elif _ONE_GRAPH.search(line):
            self.graphs += 1
