"""Findings of the memory plan: what lacks, and numbers that can be typed in."""

from dataclasses import replace

from fakes.models import NEMOTRON, NEMOTRON_BYTES, QWEN, QWEN_BYTES, planned
from trtllm_install.judge.memory import check_memory_plan
from trtllm_install.model.architecture import parse_architecture
from trtllm_install.model.findings import Finding
from trtllm_install.model.memory import EngineSettings, MemoryPlan, Room, Tenant, Unplanned
from trtllm_install.plan.memory.shares import plan_memory

GIB = 2**30


def both(free: int, **changes: object) -> MemoryPlan:
    settings = EngineSettings(
        backend="_autodeploy", max_batch_size=4, max_num_tokens=8192, max_seq_len=32768
    )
    return plan_memory(
        [Room(index=0, name="GPU", total=free, free=free)],
        [
            Tenant(
                name=name,
                gpus=(0,),
                weights=weights,
                architecture=parse_architecture(config),
                settings=replace(settings, fraction=fraction, **changes),  # type: ignore[arg-type]
            )
            for name, weights, config, fraction in (
                ("qwen", QWEN_BYTES, QWEN, 0.3),
                ("nemotron", NEMOTRON_BYTES, NEMOTRON, 0.5),
            )
        ],
    )


def findings(plan: MemoryPlan) -> dict[str, Finding]:
    return {f.code: f for f in check_memory_plan(plan)}


def test_a_plan_that_holds_has_nothing_to_say() -> None:
    assert findings(both(80 * GIB)) == {}


def test_fractions_that_starve_the_second_are_told_with_ones_that_do_not() -> None:
    found = findings(both(48 * GIB))["gpu-memory-overcommitted"]
    assert found.subject == "GPU 0"
    assert "nemotron would find 18.5 GiB free and needs 22.2 GiB" in found.found
    assert "install --pin-memory" in found.remedy
    assert "instances.qwen.free_gpu_memory_fraction: 0.1" in found.remedy


def test_what_no_fraction_can_mend_says_by_how_much() -> None:
    found = findings(both(32 * GIB))["gpu-memory-overcommitted"]
    assert "GiB whatever the fractions are" in found.found
    assert "more, or fewer instances" in found.expected
    assert "serve fewer instances" in found.remedy


def test_graphs_without_room_are_a_warning() -> None:
    plan = both(80 * GIB, graph_sizes=tuple(range(1, 5)))
    assert findings(plan) == {}
    free = sum(s.needs.before + s.kv for s in plan.gpus[0].shares) + 10**9
    assert set(findings(both(free, graph_sizes=tuple(range(1, 5)), max_tokens=32))) == {
        "gpu-memory-context-short"
    }
    wide = both(60 * GIB, graph_sizes=tuple(range(1, 5)))
    share = wide.gpus[0].shares[0]
    starved = replace(wide.gpus[0], shares=(replace(share, tight=share.needs.graphs),))
    found = findings(replace(wide, gpus=(starved,)))["gpu-memory-tight"]
    assert found.found == "qwen leaves 0.0 GiB for its CUDA graphs"


def test_a_cache_shorter_than_one_sequence_names_both_lengths() -> None:
    found = findings(planned(22 * GIB))["gpu-memory-context-short"]
    assert found.subject == "qwen"
    assert "32,768" in found.expected


def test_what_was_not_planned_says_why() -> None:
    plan = MemoryPlan(gpus=(), unplanned=(Unplanned(instance="qwen", reason="no weights"),))
    (found,) = findings(plan).values()
    assert (found.code, found.found) == ("gpu-memory-unplanned", "no weights")
