"""What a GPU's events mean for a service, and what becomes of the process that tells them."""

import pytest

from trtllm_install.launcher import child, gpu, tree
from trtllm_install.launcher.gpu import GpuFault, GpuWatch, judge_line
from trtllm_install.model import exits


@pytest.mark.parametrize(
    ("line", "code"),
    [
        # The driver's verdict counts, whatever the Xid.
        ({"xid": 62, "recovery": 1}, exits.GPU_RESET),
        ({"xid": 79, "recovery": 2}, exits.REBOOT),
        ({"xid": 48, "recovery": 4}, exits.GPU_RESET),
        ({"xid": 79, "recovery": 0}, None),
        ({"xid": 74, "recovery": 3}, None),
        ({"xid": 145, "recovery": 5}, None),
        ({"recovery": 1}, exits.GPU_RESET),
        ({"recovery": 7}, exits.REBOOT),
        ({"recovery": 99}, None),
        ({"ecc": True, "recovery": 0}, None),
        # Without one, the table: an application's own error is none of the GPU's.
        ({"xid": 13, "recovery": None}, None),
        ({"xid": 31, "recovery": None}, None),
        ({"xid": 43, "recovery": None}, None),
        ({"xid": 45, "recovery": None}, None),
        ({"xid": 94, "recovery": None}, None),
        ({"xid": 95, "recovery": None}, exits.GPU_RESET),
        ({"xid": 119, "recovery": None}, exits.GPU_RESET),
        ({"xid": 79, "recovery": None}, exits.REBOOT),
        ({"xid": 9999, "recovery": None}, None),
        ({"ecc": True, "recovery": None}, exits.GPU_RESET),
        ({"code": 15, "text": "GPU is lost"}, exits.REBOOT),
        ({"code": 16, "text": "GPU requires reset"}, exits.GPU_RESET),
        ({"code": 3, "text": "Not Supported"}, None),
    ],
)
def test_a_line_is_a_verdict_or_none(line: dict[str, object], code: int | None) -> None:
    fault = judge_line({"gpu": "GPU-1", **line})
    assert (fault and fault.code) == code


def test_lines_that_name_no_gpu_are_no_fault() -> None:
    for line in ({"beat": True}, {"watching": []}, {"code": 9, "text": "Driver Not Loaded"}, {}):
        assert judge_line(line) is None


def test_the_reason_names_the_gpu_and_what_the_driver_asks_for() -> None:
    fault = judge_line({"gpu": "GPU-1", "xid": 62, "recovery": 1})
    assert fault is not None
    assert fault.reason == "GPU GPU-1: Xid 62; the driver asks for a reset"


class FakeLoop:
    def __init__(self) -> None:
        self.exits: dict[int, int] = {}

    def register(self, *_: object) -> None:
        """Nothing comes from this process."""

    def unregister(self, *_: object) -> None:
        """Nothing came."""

    def watch_exit(self, _pid: int) -> None:
        """Its end is told by the test."""


class Rig:
    """A watch whose process and clock are the test's."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.loop = FakeLoop()
        self.now = 1000.0
        self.started: list[int] = []
        self.killed: list[int] = []
        self.said: list[str] = []
        monkeypatch.setattr(gpu, "monotonic", lambda: self.now)
        monkeypatch.setattr(child, "spawn", self._spawn)
        monkeypatch.setattr(tree, "send_signal", lambda pid, _number: self.killed.append(pid))
        monkeypatch.setattr(gpu.os, "set_blocking", lambda *_: None)
        monkeypatch.setattr(gpu.os, "read", lambda *_: b"")
        monkeypatch.setattr(gpu.os, "close", lambda *_: None)
        self.watch = GpuWatch(self.loop, ("watch",), {}, log=self.said.append)  # type: ignore[arg-type]

    def _spawn(self, *_: object, **__: object) -> tuple[int, int]:
        self.started.append(2**22 + len(self.started))
        return self.started[-1], 99

    def check_for(self, seconds: float) -> None:
        until = self.now + seconds
        while self.now < until:
            self.watch.check()
            self.now += 1

    def end(self) -> None:
        self.loop.exits[self.started[-1]] = 256


@pytest.fixture(name="rig")
def make_rig(monkeypatch: pytest.MonkeyPatch) -> Rig:
    return Rig(monkeypatch)


def test_a_process_that_ends_is_started_again_and_given_up_in_the_end(rig: Rig) -> None:
    for _ in range(20):
        rig.check_for(5)
        rig.end()
        rig.check_for(40)
    assert len(rig.started) == 5
    assert "not watched" in rig.said[-1]


def test_one_that_watched_in_between_is_not_given_up(rig: Rig) -> None:
    for _ in range(8):
        rig.check_for(5)
        rig.watch.note({"watching": ["GPU-1"]})
        rig.end()
        rig.check_for(40)
    assert len(rig.started) >= 8


def test_one_that_says_nothing_is_killed_and_started_again(rig: Rig) -> None:
    rig.check_for(59)
    assert rig.killed == []
    rig.check_for(3)
    assert rig.killed == rig.started
    rig.end()
    rig.check_for(40)
    assert len(rig.started) == 2


def test_beats_keep_it_alive(rig: Rig) -> None:
    for _ in range(40):
        rig.check_for(5)
        rig.watch.note({"beat": True})
    assert rig.killed == []


def test_one_that_cannot_be_killed_is_the_verdict(rig: Rig) -> None:
    with pytest.raises(GpuFault, match="cannot be killed") as caught:
        rig.check_for(200)
    assert caught.value.code == exits.REBOOT
    assert rig.killed


def test_an_application_error_makes_a_probe_look_and_a_fault_is_raised(rig: Rig) -> None:
    rig.check_for(1)
    rig.watch.note({"gpu": "GPU-1", "xid": 31, "recovery": 0})
    assert rig.watch.suspicious
    rig.check_for(1)
    rig.watch.note({"gpu": "GPU-1", "code": 15, "text": "GPU is lost"})
    with pytest.raises(GpuFault, match="GPU is lost"):
        rig.check_for(1)


def test_memory_is_taken_up_when_a_picture_of_it_would_move(rig: Rig) -> None:
    def beat(free: int | None) -> list[object]:
        bar = {"gpu": "GPU-1", "index": 0, "name": "B200", "total": 180 << 30, "free": free}
        rig.watch.note({"beat": True, "memory": [bar]})
        return list(rig.watch.memory)

    rig.check_for(1)
    first = beat(100 << 30)
    assert first[0]["free"] == 100 << 30  # type: ignore[index]
    assert beat((100 << 30) + 4096) == first
    assert beat(99 << 30) != first
    assert beat(None)[0]["free"] is None  # type: ignore[index]


@pytest.mark.parametrize("memory", [None, 3, "x", [], [3], {"a": 1}])
def test_memory_that_is_none_changes_nothing(rig: Rig, memory: object) -> None:
    rig.check_for(1)
    rig.watch.note({"beat": True, "memory": memory})
    assert rig.watch.memory == []
