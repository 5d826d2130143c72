"""What NVML says, and every way in which it says nothing."""

import json
from dataclasses import replace

import pytest

from fakes.fake_host import FakeHost
from fakes.healthy import INSTALLATION, instance
from trtllm_install.model.facts import DriverProblem, GpuFacts, GpuMemory, Unknown
from trtllm_install.probes.gpu import CHILD, probe_gpus, simulated_gpus

# Two H200 as read on a real host with nvidia-ml-py, 2026-11-22, driver 580.159.04.
H200 = {
    "name": "NVIDIA H200",
    "capability": [9, 0],
    "memory": {"total": 150754820096, "free": 150109880320},
    "mig": [0, 0],
    "processes": [],
}
RECORDED = {
    "driver": "580.159.04",
    "cuda": 13000,
    "gpus": [{**H200, "index": n, "uuid": f"GPU-0000000{n}"} for n in (0, 1)],
}
PYTHON = "/opt/trtllm/tool/bin/python"


def probe(host: FakeHost) -> object:
    return probe_gpus(host, python=PYTHON)


def answering(said: object) -> FakeHost:
    host = FakeHost()
    host.answer_command([PYTHON, "-I", CHILD], json.dumps(said))
    return host


def test_recorded_h200_host_is_read() -> None:
    facts = probe(answering(RECORDED))
    assert isinstance(facts, GpuFacts)
    assert (facts.driver, facts.cuda, facts.simulated) == ("580.159.04", (13, 0), False)
    assert [g.uuid for g in facts.gpus] == ["GPU-00000000", "GPU-00000001"]
    assert facts.gpus[0].capability == (9, 0)
    assert facts.gpus[0].memory == GpuMemory(total=150754820096, free=150109880320)
    assert not facts.gpus[0].unified


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        (4, "no-permission"),
        (9, "not-loaded"),
        (12, "library-missing"),
        (15, "gpu-lost"),
        (18, "mismatch"),
        (999, "failed"),
    ],
)
def test_each_nvml_error_is_a_fault_of_its_own(code: int, fault: str) -> None:
    facts = probe(answering({"code": code, "text": "as NVML says it"}))
    assert isinstance(facts, DriverProblem)
    assert (facts.fault, facts.detail) == (fault, "as NVML says it")


def test_mismatch_names_the_module_that_is_loaded() -> None:
    host = answering({"code": 18, "text": "mismatch"})
    host.add_file(
        "/proc/driver/nvidia/version",
        "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.159.04  Release Build\n",
    )
    facts = probe(host)
    assert isinstance(facts, DriverProblem)
    assert facts.kernel_module == "580.159.04"


def test_hanging_nvml_is_left_after_its_time_limit() -> None:
    host = FakeHost()
    host.answer_command([PYTHON, "-I", CHILD], takes=3600)
    start = host.monotonic()
    facts = probe(host)
    assert isinstance(facts, DriverProblem)
    assert facts.fault == "timeout"
    assert host.monotonic() - start == 10


def test_python_that_cannot_start_is_unknown_not_a_missing_driver() -> None:
    assert isinstance(probe(FakeHost()), Unknown)


@pytest.mark.parametrize("said", ["", "[]", "null", "{}", '{"driver": 1, "cuda": "x", "gpus": 3}'])
def test_nonsense_of_the_child_is_a_failed_driver(said: str) -> None:
    host = FakeHost()
    host.answer_command([PYTHON, "-I", CHILD], said, code=1, stderr="Traceback\nImportError: x")
    facts = probe(host)
    assert isinstance(facts, DriverProblem)
    assert facts.fault == "failed"
    assert "ImportError: x" in facts.detail


def test_unsupported_memory_is_unified_only_on_a_known_gpu() -> None:
    unsupported = {"code": 3, "text": "Not Supported"}
    gb10 = {**H200, "index": 0, "uuid": "a", "capability": [12, 1], "memory": unsupported}
    odd = {**H200, "index": 1, "uuid": "b", "memory": unsupported}
    zero = {**gb10, "index": 2, "uuid": "c", "memory": {"total": 0, "free": 0}}
    failing = {**gb10, "index": 3, "uuid": "d", "memory": {"code": 999, "text": "Unknown Error"}}
    facts = probe(answering({**RECORDED, "gpus": [gb10, odd, zero, failing]}))
    assert isinstance(facts, GpuFacts)
    assert [g.unified for g in facts.gpus] == [True, False, True, False]
    assert facts.gpus[3].memory == Unknown(reason="Unknown Error")


def test_lost_gpu_is_told_apart_from_its_neighbours() -> None:
    lost = {"index": 1, "code": 15, "text": "GPU is lost"}
    facts = probe(answering({**RECORDED, "gpus": [RECORDED["gpus"][0], lost]}))
    assert isinstance(facts, GpuFacts)
    assert [g.index for g in facts.gpus] == [0]
    assert [(g.index, g.detail) for g in facts.lost] == [(1, "GPU is lost")]


def test_processes_on_a_gpu_are_named_and_ours_told_apart() -> None:
    running = [{"pid": 77, "memory": 1024}, {"pid": 78, "memory": None}]
    host = answering({**RECORDED, "gpus": [{**RECORDED["gpus"][0], "processes": running}]})
    host.add_file("/proc/77/comm", "ollama\n")
    host.add_file("/proc/78/cgroup", "0::/system.slice/trtllm-qwen.service\n")
    facts = probe(host)
    assert isinstance(facts, GpuFacts)
    stranger, own = facts.gpus[0].processes
    assert (stranger.name, stranger.memory, stranger.ours) == ("ollama", 1024, False)
    assert (own.memory, own.ours) == (None, True)


def test_simulated_host_has_every_gpu_that_is_named() -> None:
    assert len(simulated_gpus(INSTALLATION).gpus) == 1
    named = replace(INSTALLATION, instances=(replace(instance("qwen", 1), gpus=("2", "GPU-x")),))
    facts = simulated_gpus(named)
    assert facts.simulated
    assert {g.name for g in facts.gpus} == {"Simulated GPU"}
    assert [g.index for g in facts.gpus] == [0, 1, 2]
    assert "GPU-x" in {g.uuid for g in facts.gpus}
