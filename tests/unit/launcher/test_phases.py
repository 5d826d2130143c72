"""Where a load is, by lines as TensorRT-LLM 1.1 and 1.2 wrote them in public start-up logs."""

import pytest

from trtllm_install.launcher.phases import Told
from trtllm_install.model import phases

STAMP = b"[12/20/2025-04:21:10] [TRT-LLM] [I] "
AUTO = b"[12/20/2025-03:40:47] [TRT-LLM AUTO-DEPLOY] [RANK 0] [I] "


@pytest.mark.parametrize(
    ("line", "phase"),
    [
        (STAMP + b"Use 63.32 GB for model weights.", phases.WEIGHTS),
        (STAMP + b"Prefetching /m/model-00004-of-00014.safetensors to memory...", phases.WEIGHTS),
        (b"Loading safetensors weights in parallel: 100%|##| 15/15 [00:00<00:00]", phases.WEIGHTS),
        (b"Loading weights:  63%|######3   | 504/801 [00:29<00:17, 17.29it/s]", phases.WEIGHTS),
        (b"Loading weights concurrently: 100%|##| 45/45 [00:01<00:00]", phases.WEIGHTS),
        (AUTO + b"Loading and initializing weights.", phases.WEIGHTS),
        (AUTO + b"[stage=weight_load, transform=load_weights] [APPLY] x", phases.WEIGHTS),
        (b"Model init total -- 49.14s", phases.COMPILE),
        (STAMP + b"[Autotuner] Autotuning process starts ...", phases.COMPILE),
        (b"2025-12-20 04:21:17,836 - INFO - flashinfer.jit: Loading JIT ops: norm", phases.COMPILE),
        (AUTO + b"[stage=compile, transform=compile_model] elapsed: total=12.132s", phases.COMPILE),
        (STAMP + b"Creating CUDA graph instances for 11 batch sizes.", phases.WARM_UP),
        (STAMP + b"Run generation only CUDA graph warmup for batch size=64", phases.WARM_UP),
        (STAMP + b"Peak memory during memory usage profiling: 113.65 GiB", phases.WARM_UP),
        (AUTO + b"Capturing graph for batch size: 8", phases.WARM_UP),
        (AUTO + b"Final cache mem: max_tokens=3958272", phases.WARM_UP),
    ],
)
def test_a_line_says_the_phase(line: bytes, phase: str) -> None:
    told = Told()
    told.take(line)
    assert told.phase == phase


def test_lines_that_say_nothing_of_it_leave_the_phase() -> None:
    told = Told()
    told.take(STAMP + b"Set nccl_plugin to None.")
    assert told.phase == phases.START
    told.take(b"Loading weights:  10%|# ")
    told.take(b"rank 0 using MpiPoolSession to spawn MPI processes \xff\xfe")
    assert (told.phase, told.percent) == (phases.WEIGHTS, 10)


def test_graphs_are_counted_and_counted_anew_in_the_second_round() -> None:
    told = Told()
    for expected in ((2, 11), (1, 7)):
        captured, of = expected
        told.take(STAMP + b"Creating CUDA graph instances for %d batch sizes." % of)
        for size in range(captured):
            told.take(STAMP + b"Run generation only CUDA graph warmup for batch size=%d" % size)
        assert (told.graphs, told.graphs_of) == expected


def test_a_megabyte_without_a_newline_is_cheap() -> None:
    told = Told()
    told.take(b"x" * (1 << 20) + b"Model init total")
    assert told.phase == phases.START


def test_phases_that_pass_between_two_looks_are_kept() -> None:
    told = Told()
    for line in (b"Loading weights: 10%", b"Loading weights: 99%", b"Model init total -- 1.2s"):
        told.take(line)
    assert [phase for phase, _ in told.changes] == [phases.WEIGHTS, phases.COMPILE]
    assert told.changes[0][1] <= told.changes[1][1]
