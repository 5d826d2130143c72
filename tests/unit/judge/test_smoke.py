"""What the CUDA smoke test means, and how a property that breaks it is lifted."""

from dataclasses import replace

import pytest

from fakes.healthy import FACTS, INSTALLATION
from trtllm_install.judge.judge import judge
from trtllm_install.model.facts import SmokeFacts, Unknown
from trtllm_install.model.facts.gpu import SmokeRun
from trtllm_install.model.findings import Finding

WELL = SmokeRun(passed=("GPU-0",))
NO_DEVICE = SmokeRun(gpu="GPU-0", step="cuInit", detail="CUDA_ERROR_NO_DEVICE (100)")


def found(outside: SmokeRun, inside: SmokeRun | Unknown | None, *breaks: str) -> list[Finding]:
    smoke = SmokeFacts(gpus=("GPU-0",), outside=outside, inside=inside, breaks=breaks)
    return list(judge(replace(FACTS, smoke=smoke), INSTALLATION))


def test_cuda_that_works_inside_and_outside_is_no_finding() -> None:
    assert found(WELL, WELL) == []
    assert found(WELL, None) == []


def test_cuda_that_works_nowhere_says_the_call_and_what_helps() -> None:
    (failed,) = found(NO_DEVICE, None)
    assert (failed.code, failed.subject) == ("cuda-smoke-failed", "GPU 0")
    assert failed.found == "cuInit: CUDA_ERROR_NO_DEVICE (100)"
    assert "nvidia-modprobe" in failed.remedy
    (odd,) = found(replace(NO_DEVICE, gpu="", detail="error (12345)"), None)
    assert odd.subject == "this host"
    assert odd.remedy


@pytest.mark.parametrize(
    ("breaks", "lifted"),
    [
        ("ProtectProc=invisible", "ProtectProc=no"),
        ("DevicePolicy=closed DeviceAllow=char-nvidia* rw", "DevicePolicy=auto"),
        ("RestrictAddressFamilies=AF_UNIX AF_INET", "RestrictAddressFamilies="),
        ("LimitMEMLOCK=8M", "LimitMEMLOCK=infinity"),
        ("CapabilityBoundingSet=", "CapabilityBoundingSet=~"),
    ],
)
def test_property_that_breaks_it_is_lifted_in_its_own_way(breaks: str, lifted: str) -> None:
    (failed,) = found(WELL, NO_DEVICE, breaks)
    assert failed.code == "cuda-sandbox-fails"
    assert f"without {breaks}" in failed.found
    assert failed.remedy.endswith(f"write: {lifted}")


def test_closed_devices_are_opened_and_not_the_sandbox() -> None:
    (failed,) = found(WELL, NO_DEVICE, "User=trtllm Group=trtllm")
    assert "ls -l /dev/nvidia*" in failed.remedy
    (vague,) = found(WELL, NO_DEVICE)
    assert "outside the sandbox" in vague.found


def test_what_could_not_be_tried_is_told() -> None:
    (whole,) = judge(replace(FACTS, smoke=Unknown(reason="no python")), INSTALLATION)
    assert (whole.code, whole.found) == ("cuda-smoke-untried", "no python")
    (half,) = found(WELL, Unknown(reason="no bus"))
    assert (half.code, half.found) == ("cuda-smoke-untried", "no bus")
