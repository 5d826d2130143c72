"""What the units wait for before the first model may load."""

import json
import sys

import pytest

from fakes.fake_host import FakeHost
from trtllm_install.app.gpu_ready import await_gpus
from trtllm_install.host.protocol import Completed
from trtllm_install.model.errors import GateFailed
from trtllm_install.probes.gpu import CHILD

GPU = {"index": 0, "name": "NVIDIA B200", "uuid": "GPU-0", "capability": [10, 0]}
REST = {"memory": {"total": 1, "free": 1}, "fabric": {"state": 3, "status": 0}}
NOT_LOADED = json.dumps({"code": 9, "text": "Driver Not Loaded"})


def answer(**changed: object) -> str:
    gpu = {**GPU, **REST, **changed}
    return json.dumps({"driver": "580.1", "cuda": 13000, "gpus": [gpu]})


def host(*answers: str) -> FakeHost:
    """A host whose driver answers these one after the other, and the last for ever."""
    made = FakeHost()
    left = list(answers)

    def nvml(argv: tuple[str, ...], _: str) -> Completed:
        text = left.pop(0) if len(left) > 1 else left[0]
        return Completed(argv=argv, code=0, stdout=text, stderr="")

    made.answer_command([sys.executable, "-I", CHILD], by=nvml)
    for program in ("modprobe", "nvidia-modprobe"):
        made.add_program(f"/usr/sbin/{program}")
        made.answer_command([program])
    return made


def test_nodes_are_made_until_the_driver_counts_a_gpu() -> None:
    on = host(NOT_LOADED, NOT_LOADED, answer())
    assert await_gpus(on, simulate=False) == "driver 580.1, GPUs: NVIDIA B200"
    assert [c for c in on.ran if c[0] == "nvidia-modprobe"] == [
        ("nvidia-modprobe", "-u", "-c", "0")
    ] * 3


def test_fabric_that_begins_is_waited_for_and_one_that_does_not_only_with_a_switch() -> None:
    beginning = host(answer(fabric={"state": 2, "status": 0}), answer())
    before = beginning.now
    assert "NVIDIA B200" in await_gpus(beginning, simulate=False)
    assert beginning.now == before + 1
    starting = answer(fabric={"state": 1, "status": 0})
    assert "NVIDIA B200" in await_gpus(host(starting), simulate=False)
    switched = host(starting, starting, answer())
    switched.add_file("/sys/bus/pci/devices/0000:05:00.0/vendor", "0x10de\n")
    switched.add_file("/sys/bus/pci/devices/0000:05:00.0/class", "0x068000\n")
    before = switched.now
    assert "NVIDIA B200" in await_gpus(switched, simulate=False)
    assert switched.now == before + 2


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        (NOT_LOADED, "the driver says: Driver Not Loaded"),
        (json.dumps({"driver": "580.1", "cuda": 13000, "gpus": []}), "the driver shows no GPU"),
        (
            json.dumps(
                {"driver": "1", "cuda": 1, "gpus": [{"index": 0, "code": 15, "text": "lost"}]}
            ),
            "GPU 0: lost",
        ),
    ],
)
def test_gpu_that_does_not_come_is_told_with_its_cause(said: str, cause: str) -> None:
    on = host(said)
    on.answer_command(["modprobe"], code=1, stderr="modprobe: FATAL: Module not found\n")
    with pytest.raises(GateFailed) as failed:
        await_gpus(on, simulate=False)
    assert cause in failed.value.message
    assert "modprobe nvidia-uvm: modprobe: FATAL: Module not found" in failed.value.message
    assert "DriverProblem" not in failed.value.message
