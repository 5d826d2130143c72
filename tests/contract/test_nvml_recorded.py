"""What real hosts answered, read and judged again."""

import json
import sys
from dataclasses import replace
from typing import Any

import pytest

from fakes.fake_host import FakeHost
from fakes.healthy import FACTS, INSTALLATION
from nvml.compiled import HERE
from trtllm_install.judge.gpu_budget import GpuBudget, budget
from trtllm_install.judge.judge import judge
from trtllm_install.launcher.driver import parse_answer
from trtllm_install.model.facts import GpuFacts, GpuMemory
from trtllm_install.probes.gpu import CHILD, probe_gpus

RECORDED = {
    path.stem: json.loads(path.read_text(encoding="utf-8"))
    for path in sorted((HERE / "recorded").glob("*.json"))
}
MIB = 2**20


def read(recorded: dict[str, Any]) -> GpuFacts:
    host = FakeHost()
    host.answer_command([sys.executable, "-I", CHILD], json.dumps(recorded["answer"]))
    host.add_file("/proc/552/comm", "python3\n")
    host.add_file("/proc/552/cgroup", "0::/user.slice/session-1.scope\n")
    facts = probe_gpus(host)
    assert isinstance(facts, GpuFacts)
    return facts


@pytest.mark.parametrize("name", RECORDED)
def test_recorded_answer_is_read_whole_and_as_nvidia_smi_shows_it(name: str) -> None:
    facts = read(RECORDED[name])
    assert facts.driver == RECORDED[name]["driver"]
    assert [gpu.unread for gpu in facts.gpus] == [()] * len(facts.gpus)
    budgets = [budget(gpu, FACTS.system) for gpu in facts.gpus]
    assert all(isinstance(known, GpuBudget) and not known.unified for known in budgets)
    totals = [known.total // MIB for known in budgets if isinstance(known, GpuBudget)]
    assert totals == RECORDED[name]["nvidia_smi_total_mib"]
    for gpu in facts.gpus:
        assert (gpu.health.ecc, gpu.health.recovery, gpu.health.slowed_by) == (True, "none", ())


@pytest.mark.parametrize(
    ("name", "more"),
    [("h100", set()), ("h200", set()), ("h200x2", set()), ("h200x2-busy", {"gpu-in-use"})],
)
def test_recorded_hopper_is_refused_for_fp4_and_nothing_else(name: str, more: set[str]) -> None:
    found = judge(replace(FACTS, gpu=read(RECORDED[name])), INSTALLATION)
    assert {f.code for f in found} == {"gpu-too-old-for-quantization"} | more
    refusals = [f.message for f in found if f.code == "gpu-too-old-for-quantization"]
    assert len(refusals) == len(INSTALLATION.instances)
    assert all("has 9.0; expected compute capability 10.0" in message for message in refusals)


def test_program_on_a_recorded_gpu_is_named_with_its_memory() -> None:
    found = judge(replace(FACTS, gpu=read(RECORDED["h200x2-busy"])), INSTALLATION)
    (busy,) = (f for f in found if f.code == "gpu-in-use")
    assert busy.subject == "GPU 1"
    assert busy.found == "python3 (pid 552 of session-1.scope, 4.6 GiB)"


@pytest.mark.parametrize("name", RECORDED)
def test_the_launcher_reads_the_same_memory_and_processes(name: str) -> None:
    facts = read(RECORDED[name])
    gpus = parse_answer(json.dumps(RECORDED[name]["answer"]).encode())
    assert [(g.index, g.total, g.free) for g in gpus] == [
        (gpu.index, gpu.memory.total, gpu.memory.free)
        for gpu in facts.gpus
        if isinstance(gpu.memory, GpuMemory)
    ]
    assert [set(g.processes) for g in gpus] == [{p.pid for p in g.processes} for g in facts.gpus]
