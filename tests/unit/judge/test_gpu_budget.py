"""Memory for us: never more than there is, never out of silence."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.healthy import FACTS, GPU
from trtllm_install.judge.gpu_budget import SYSTEM_RESERVE, GpuBudget, budget
from trtllm_install.model import facts as f

GIB = 2**30
assert isinstance(FACTS.system, f.SystemFacts)
SPARK = replace(FACTS.system, memory_total=120 * GIB, memory_available=100 * GIB)
GB10 = replace(GPU, name="NVIDIA GB10", capability=(12, 1), memory=None)
SILENT = f.Unknown(reason="GPU is lost")


def known(gpu: f.Gpu, system: f.SystemFacts | f.Unknown = SPARK) -> GpuBudget:
    found = budget(gpu, system)
    assert isinstance(found, GpuBudget)
    return found


def test_gpu_with_memory_of_its_own_has_what_the_driver_says() -> None:
    found = known(GPU)
    assert (found.total, found.free, found.unified) == (180 * GIB, 179 * GIB, False)


def test_what_our_own_processes_hold_is_ours_to_plan_and_what_others_hold_is_not() -> None:
    ours = f.GpuProcess(pid=1, name="python", memory=20 * GIB, ours=True)
    other = f.GpuProcess(pid=2, name="ollama", memory=30 * GIB)
    memory = f.GpuMemory(total=180 * GIB, free=130 * GIB)
    assert known(replace(GPU, memory=memory, processes=(ours, other))).free == 150 * GIB


def test_unified_memory_is_what_the_host_has_available_less_a_reserve() -> None:
    found = known(GB10)
    assert (found.total, found.free) == (112 * GIB, 92 * GIB)
    assert found.unified
    assert "8 GiB" in found.reason


def test_gpu_that_gives_no_answer_has_no_budget_whatever_the_host_has() -> None:
    assert budget(replace(GPU, memory=SILENT), SPARK) == SILENT
    assert budget(replace(GB10, memory=SILENT), SPARK) == SILENT
    assert isinstance(budget(replace(GPU, memory=None), SPARK), f.Unknown)
    assert isinstance(budget(GB10, SILENT), f.Unknown)
    assert isinstance(budget(GB10, replace(SPARK, memory_total=0)), f.Unknown)


BYTES = st.integers(min_value=-GIB, max_value=300 * GIB)


@settings(max_examples=25)
@given(total=BYTES, free=BYTES, ours=BYTES, host=BYTES, available=BYTES)
def test_budget_never_promises_more_than_there_is(
    total: int, free: int, ours: int, host: int, available: int
) -> None:
    process = f.GpuProcess(pid=1, name="", memory=abs(ours), ours=True)
    system = replace(SPARK, memory_total=host, memory_available=available)
    for memory, have in (
        (f.GpuMemory(total=total, free=free), total),
        (None, host - SYSTEM_RESERVE),
    ):
        found = budget(replace(GB10, memory=memory, processes=(process,)), system)
        if isinstance(found, GpuBudget):
            assert 0 <= found.free <= found.total <= max(have, 0)
