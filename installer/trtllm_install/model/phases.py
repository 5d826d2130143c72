"""Phases of one start, from the launcher's first moment to the first token."""

from typing import Final

BACKOFF: Final = "backoff"
WAITING: Final = "waiting"
ADMISSION: Final = "admission"
START: Final = "start"
WEIGHTS: Final = "weights"
COMPILE: Final = "compile"
WARM_UP: Final = "warm-up"
GATE: Final = "gate"

# In the order in which a start goes through them; engines return to compile and warm-up.
MEANING: Final = {
    BACKOFF: "held back after a crash",
    WAITING: "for the instances that come first",
    ADMISSION: "left-over processes, the port, the memory, the GPU's turn",
    START: "the process runs: libraries, MPI, no weights yet",
    WEIGHTS: "weights go from disk to GPU",
    COMPILE: "kernels are compiled and tuned",
    WARM_UP: "CUDA graphs are captured and the KV cache is sized",
    GATE: "it accepts connections and has not yet given a token",
}
