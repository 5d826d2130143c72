"""The memory plan of a whole host, and pins from one install to the next."""

from dataclasses import replace

import pytest

from fakes.fake_checkpoint import add_checkpoint
from fakes.fake_systemd import debian
from fakes.healthy import FACTS, GPU
from fakes.heard import Heard
from fakes.models import QWEN
from trtllm_install.app.memory import footprints, memory_plan
from trtllm_install.app.observe import look_at
from trtllm_install.app.options import Options
from trtllm_install.app.prepare import prepare
from trtllm_install.model import facts as f
from trtllm_install.model import layout
from trtllm_install.model.architecture import parse_architecture
from trtllm_install.model.memory import MemoryPlan

GIB = 2**30
MULTI = Options(profile="multi", simulate=True)


def plan_of(facts: f.Facts, options: Options = MULTI, site: str = "") -> MemoryPlan:
    host = debian()
    if site:
        host.add_file(layout.SITE_FILE, site)
    return memory_plan(prepare(host, options, None), facts)


def reasons(plan: MemoryPlan) -> set[str]:
    return {u.reason for u in plan.unplanned}


def test_a_simulated_host_is_planned_at_the_size_of_the_real_models() -> None:
    plan = plan_of(FACTS)
    weights = [s.needs.weights for s in plan.gpus[0].shares]
    assert weights == [18_100_000_000, 19_339_781_632]
    assert (plan.simulated, plan.sound) == (True, True)


def test_what_our_own_processes_hold_is_planned_anew() -> None:
    ours = f.GpuProcess(pid=7, name="python3", memory=90 * GIB, ours=True)
    memory = f.GpuMemory(total=180 * GIB, free=80 * GIB)
    gpu = replace(GPU, memory=memory, processes=(ours,))
    facts = replace(FACTS, gpu=f.GpuFacts(driver="580", cuda=(13, 0), gpus=(gpu,)))
    assert plan_of(facts).gpus[0].room.free == 170 * GIB


@pytest.mark.parametrize(
    ("gpu", "reason"),
    [
        (replace(GPU, mig=True), "MIG"),
        (replace(GPU, memory=f.Unknown(reason="lost")), "the memory of its GPUs is not known"),
        (replace(GPU, memory=None), "the memory of its GPUs is not known"),
    ],
)
def test_a_gpu_that_does_not_say_is_not_planned(gpu: f.Gpu, reason: str) -> None:
    facts = replace(FACTS, gpu=f.GpuFacts(driver="580", cuda=(13, 0), gpus=(gpu,)))
    plan = plan_of(facts)
    assert plan.gpus == ()
    assert all(reason in r for r in reasons(plan))


def test_unified_memory_is_what_the_host_has_available_less_a_reserve() -> None:
    gpu = replace(GPU, memory=None, capability=(12, 1))
    facts = replace(FACTS, gpu=f.GpuFacts(driver="580", cuda=(13, 0), gpus=(gpu,)))
    (planned,) = plan_of(facts).gpus
    assert planned.room.unified
    assert planned.room.free == 242 * GIB


def test_without_weights_or_gpus_there_is_no_plan_and_a_reason() -> None:
    real = Options(profile="multi", weights_dir="/w")
    absent = tuple(
        (name, f.WeightsFacts(instance=name, folder="/w", present=False))
        for name in ("qwen", "nemotron")
    )
    assert reasons(plan_of(replace(FACTS, weights=absent), real)) == {"its weights are not there"}
    missing = f.DriverProblem(fault="library-missing", detail="x")
    assert plan_of(replace(FACTS, gpu=missing)).gpus == ()


def test_instances_are_planned_on_the_gpus_that_the_site_gives_them() -> None:
    site = "instances:\n  qwen: {gpus: [1]}\n  nemotron: {gpus: [GPU-0]}\n"
    two = (replace(GPU, index=0, uuid="GPU-0"), replace(GPU, index=1, uuid="GPU-1"))
    facts = replace(FACTS, gpu=f.GpuFacts(driver="580", cuda=(13, 0), gpus=two))
    plan = plan_of(facts, site=site)
    assert {g.room.index: [s.instance for s in g.shares] for g in plan.gpus} == {
        0: ["nemotron"],
        1: ["qwen"],
    }


def test_real_weights_are_planned_from_their_files() -> None:
    host = debian()
    add_checkpoint(host, "/w/nvidia/Qwen3-30B-A3B-FP4")
    plan = look_at(host, Options(profile="qwen", weights_dir="/w"), Heard()).memory
    assert reasons(plan) <= {
        "its config.json does not say the sizes that the sum needs",
        "it is spread over 1 GPUs, and 0 are there for it",
    }


def test_what_a_load_takes_does_not_depend_on_what_runs() -> None:
    """A launch spec that changed from one install to the next would restart its service."""
    host = debian()
    add_checkpoint(host, "/w/nvidia/Qwen3-30B-A3B-FP4")
    judged = look_at(host, Options(profile="qwen", weights_dir="/w"), Heard())
    seen = replace(
        dict(judged.facts.weights)["qwen"], size=18 * GIB, architecture=parse_architecture(QWEN)
    )
    idle = replace(judged.facts, gpu=FACTS.gpu, weights=(("qwen", seen),))
    ours = f.GpuProcess(pid=7, name="python3", memory=90 * GIB, ours=True)
    busy = replace(GPU, memory=f.GpuMemory(total=180 * GIB, free=9 * GIB), processes=(ours,))
    served = replace(idle, gpu=f.GpuFacts(driver="580", cuda=(13, 0), gpus=(busy,)))
    (footprint,) = footprints(judged.wanted, idle).values()
    assert footprint.weights_bytes == 18 * GIB
    assert footprint.gpu_bytes["0"] > 18 * GIB
    assert footprints(judged.wanted, served) == {"qwen": footprint}


def test_simulated_weights_are_known_before_they_are_there() -> None:
    wanted = prepare(debian(), MULTI, None)
    sizes = [footprint.weights_bytes for footprint in footprints(wanted, FACTS).values()]
    assert all(128 * 1024 <= size < 140 * 1024 for size in sizes)
    assert not any(footprint.gpu_bytes for footprint in footprints(wanted, FACTS).values())
