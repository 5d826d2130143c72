"""What is said of the driver and the GPUs."""

from dataclasses import replace

import pytest

from fakes.healthy import FACTS, GPU, INSTALLATION
from fakes.judged import GIB, HOPPER, NEMOTRON, QWEN, findings, instances, weights, with_gpus
from trtllm_install.judge.judge import judge
from trtllm_install.model import facts as f
from trtllm_install.model.findings import Severity, blocking


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("library-missing", "driver-missing"),
        ("not-loaded", "driver-not-loaded"),
        ("mismatch", "driver-library-mismatch"),
        ("no-permission", "driver-no-permission"),
        ("gpu-lost", "gpu-lost"),
        ("timeout", "nvml-timeout"),
        ("failed", "driver-failed"),
    ],
)
def test_missing_or_broken_driver_mutes_gpu_findings(fault: f.DriverFault, code: str) -> None:
    problem = f.DriverProblem(fault=fault, detail="as told", kernel_module="580.1")
    found = judge(replace(FACTS, gpu=problem), INSTALLATION)
    assert [x.code for x in blocking(found)] == [code]
    assert "580.1" in blocking(found)[0].found
    assert {(x.code, x.muted_by) for x in found if x.muted_by} == {("gpu-missing", code)}


@pytest.mark.parametrize(("driver", "old"), [("535.104", True), ("580.65.06", False), ("x", True)])
def test_driver_older_than_580_is_refused(driver: str, old: bool) -> None:
    assert ("driver-too-old" in findings(gpu=with_gpus(GPU, driver=driver))) is old


def test_simulated_gpus_have_no_driver_to_judge() -> None:
    simulated = with_gpus(GPU, driver="simulated", simulated=True)
    assert findings(gpu=simulated) == {}


def test_fp4_weights_are_refused_on_hopper_with_the_reason() -> None:
    found = findings(gpu=with_gpus(HOPPER))["gpu-too-old-for-quantization"]
    assert found.found == "the weights are NVFP4, and GPU 0 (NVIDIA H100 80GB HBM3) has 9.0"
    assert "10.0" in found.expected


def test_quantization_of_absent_weights_is_read_from_the_model_name() -> None:
    absent = weights(present=False, quantization="")
    codes = findings(gpu=with_gpus(HOPPER), weights=absent)
    assert "the weights are FP4" in codes["gpu-too-old-for-quantization"].found or (
        codes["gpu-too-old-for-quantization"].subject == "nemotron"
    )
    assert (
        sum(
            x.code == "gpu-too-old-for-quantization"
            for x in judge(replace(FACTS, gpu=with_gpus(HOPPER), weights=absent), INSTALLATION)
        )
        == 2
    )


def test_fp8_weights_run_on_hopper_whatever_their_name_says() -> None:
    alone = replace(INSTALLATION, instances=(QWEN,))
    fp8 = findings(installation=alone, gpu=with_gpus(HOPPER), weights=weights(quantization="FP8"))
    assert fp8 == {}
    mixed = weights(quantization="MIXED_PRECISION")
    assert "gpu-too-old-for-quantization" in findings(
        installation=alone, gpu=with_gpus(HOPPER), weights=mixed
    )


def test_instance_judged_by_the_gpus_it_names_only() -> None:
    both = with_gpus(replace(HOPPER, uuid="GPU-h"), replace(GPU, index=1, uuid="GPU-b200"))
    by_index = replace(INSTALLATION, instances=(replace(QWEN, gpus=("1",)),))
    by_uuid = replace(INSTALLATION, instances=(replace(QWEN, gpus=("GPU-b2",)),))
    assert findings(installation=by_index, gpu=both) == {}
    assert findings(installation=by_uuid, gpu=both) == {}


def test_gpu_that_is_named_and_absent_is_missing() -> None:
    wanted = replace(INSTALLATION, instances=instances(gpus=("0", "3", "MIG-1")))
    found = findings(installation=wanted)["gpu-missing"]
    assert (found.subject, found.expected) == ("qwen", "GPU 3")
    assert "0 (NVIDIA B200, GPU-0)" in found.found


def test_host_without_gpu_is_told_about_simulation() -> None:
    assert "--simulate" in findings(gpu=with_gpus())["gpu-missing"].remedy


def test_lost_gpu_mutes_that_it_is_missing() -> None:
    lost = with_gpus(lost=(f.LostGpu(index=0, detail="GPU is lost"),))
    found = findings(gpu=lost)
    assert found["gpu-lost"].muted_by is None
    assert found["gpu-missing"].muted_by == "gpu-lost"


def test_weights_larger_than_the_memory_are_refused_with_both_figures() -> None:
    small = replace(GPU, memory=f.GpuMemory(total=32 * GIB, free=32 * GIB))
    found = findings(gpu=with_gpus(small))["gpu-memory-too-small"]
    assert found.found == ("the weights of qwen, nemotron take 36.0 GiB, the memory is 32.0 GiB")
    apart = replace(
        INSTALLATION, instances=(replace(QWEN, gpus=("0",)), replace(NEMOTRON, gpus=("1",)))
    )
    assert findings(installation=apart, gpu=with_gpus(small, replace(small, index=1))) == {}


def test_unified_memory_is_the_hosts_and_a_silent_gpu_is_not() -> None:
    assert isinstance(FACTS.system, f.SystemFacts)
    gb10 = replace(GPU, name="NVIDIA GB10", capability=(12, 1), memory=None)
    assert set(findings(gpu=with_gpus(gb10))) == {"gpu-memory-unified"}
    poor = replace(FACTS.system, memory_total=20 * GIB)
    assert "gpu-memory-too-small" in findings(gpu=with_gpus(gb10), system=poor)
    silent = replace(GPU, memory=None)
    assert set(findings(gpu=with_gpus(silent))) == {"gpu-memory-unknown"}
    broken = replace(gb10, memory=f.Unknown(reason="Unknown Error"))
    assert findings(gpu=with_gpus(broken))["gpu-memory-unknown"].found == "Unknown Error"


def test_strangers_on_the_gpu_are_named_and_our_own_are_not() -> None:
    ours = f.GpuProcess(pid=1, name="python", memory=GIB, ours=True)
    assert findings(gpu=with_gpus(replace(GPU, processes=(ours,)))) == {}
    other = f.GpuProcess(pid=7, name="ollama", memory=2 * GIB)
    found = findings(gpu=with_gpus(replace(GPU, processes=(ours, other))))["gpu-in-use"]
    assert found.found == "ollama (pid 7, 2.0 GiB)"
    assert found.severity is Severity.WARNING


def test_mig_is_a_warning_and_a_pending_change_an_error() -> None:
    assert set(findings(gpu=with_gpus(replace(GPU, mig=True, mig_pending=True)))) == {"mig-enabled"}
    assert set(findings(gpu=with_gpus(replace(GPU, mig_pending=True)))) == {"mig-pending"}
