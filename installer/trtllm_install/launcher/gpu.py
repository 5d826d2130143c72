"""What the driver says of the GPUs, through a process of its own that can be left behind.

The process is ``gpu_watch`` of the launch spec; its lines are described in
probes/gpu_events_child.py. NVML hangs on a sick GPU (leptonai/gpud#117), so a process that
says nothing for a minute is killed and started again, and one that cannot be killed is the
verdict itself. Nothing here ever resets a GPU.
"""

import json
import os
import select
import signal
from collections.abc import Callable, Mapping
from time import monotonic

from trtllm_install.launcher import child, tree
from trtllm_install.launcher.loop import Loop
from trtllm_install.launcher.words import render_seconds
from trtllm_install.model import exits

_SILENT_S = 60.0  # it says something every 5 s
_KILLED_WITHIN_S = 10.0
_LOOK_S = 5.0
_AGAIN_S = 30.0
_ATTEMPTS = 5  # in a row without a word that it watches
_LONGEST = 65536
_STEP = 64 << 20  # bytes: less is not worth writing the state file again
# NVML's codes for a GPU that is lost, and for one that needs a reset.
_CODES: Mapping[object, int] = {15: exits.REBOOT, 16: exits.GPU_RESET}
_FELL_OFF_THE_BUS = 79  # NVIDIA's catalogue of Xids
# NVML's recovery actions → our exit code; 0 (none), 3 (drain its peers) and 5 (the NVLink
# domain) leave the process its GPU.
_VERDICTS: Mapping[int, tuple[int | None, str]] = {
    1: (exits.GPU_RESET, "a reset"),
    2: (exits.REBOOT, "a reboot of the host"),
    4: (exits.GPU_RESET, "a reset, after its work has been drained"),
    6: (exits.REBOOT, "a reset of its bus"),
    7: (exits.REBOOT, "a reboot of the system"),
}
HINTS: Mapping[int, str] = {
    exits.GPU_RESET: "stop what uses the GPU and reset it with `nvidia-smi --gpu-reset`, or reboot",
    exits.REBOOT: "reboot the host",
}


class GpuFault(Exception):
    """A GPU cannot go on: the launcher's exit code and why."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class GpuWatch:
    """The process, its lines and its limits; ``check`` raises GpuFault."""

    def __init__(
        self,
        loop: Loop,
        argv: tuple[str, ...],
        environment: Mapping[str, str],
        *,
        log: Callable[[str], None],
    ) -> None:
        self.pid: int | None = None
        self.memory: list[Mapping[str, object]] = []  # of each GPU, as the process said it last
        self.suspicious = False  # something happened on a GPU that a probe should look into
        self._loop = loop
        self._argv = argv
        self._environment = environment
        self._log = log
        self._source = -1
        self._rest = b""
        self._heard_at = 0.0
        self._killed_at = 0.0
        self._start_at = 0.0
        self._failures = 0
        self._fault: GpuFault | None = None
        self._said = ""

    def check(self) -> float:
        """Do what is due and return the seconds until more is; GpuFault when a GPU is gone."""
        if self._fault:
            raise self._fault
        now = monotonic()
        if self.pid is None:
            if self._failures >= _ATTEMPTS:
                return _SILENT_S
            if now < self._start_at:
                return self._start_at - now
            self._start(now)
            return _SILENT_S
        if self.pid in self._loop.exits:
            self._note_end(now)
        elif self._killed_at:
            self._check_kill(now)
        elif now - self._heard_at >= _SILENT_S:
            self._log(f"the process that watches the GPUs says nothing for {_SILENT_S:.0f} s")
            tree.send_signal(self.pid, signal.SIGKILL)
            self._killed_at = now
            return _KILLED_WITHIN_S
        return 1.0 if self._killed_at else max(0.0, self._heard_at + _SILENT_S - now)

    def note(self, line: Mapping[str, object]) -> None:
        """Take one line of the process."""
        self._heard_at = monotonic()
        if "watching" in line or "beat" in line:
            self._failures = 0
        if has_moved(self.memory, memory := _memory_of(line)):
            self.memory = memory
        self._fault = self._fault or judge_line(line)
        if self._fault is None and {"xid", "ecc"} & set(line):
            self.suspicious = True
            self._log(f"{describe_line(line)}; asking for a token")
        if "gpu" not in line and "code" in line:
            self._said = str(line.get("text", ""))

    def _start(self, now: float) -> None:
        try:
            self.pid, self._source = child.spawn(
                self._argv, self._environment, death_signal=signal.SIGKILL
            )
        except OSError as error:
            self._failures = _ATTEMPTS
            self._log(f"GPU faults are not watched: cannot execute {self._argv[0]}: {error}")
            return
        os.set_blocking(self._source, False)
        self._loop.watch_exit(self.pid)
        self._loop.register(self._source, select.POLLIN, self._read)
        self._heard_at = now

    def _read(self, _events: int) -> None:
        try:
            data = os.read(self._source, _LONGEST)
        except BlockingIOError:
            return
        if not data:
            self._close()
            return
        *lines, self._rest = (self._rest + data)[-_LONGEST:].split(b"\n")
        for text in lines:
            try:
                line = json.loads(text)
            except ValueError:
                continue  # a warning of a library
            if isinstance(line, dict):
                self.note(line)

    def _note_end(self, now: float) -> None:
        while self._source >= 0:
            self._read(0)
        self.pid = None
        self._killed_at = 0.0
        self._failures += 1
        self._start_at = now + _AGAIN_S
        if self._failures >= _ATTEMPTS:
            self._log(f"GPU faults are not watched: {self._said or 'the process ends each time'}")

    def _check_kill(self, now: float) -> None:
        if now - self._killed_at < _KILLED_WITHIN_S:
            return
        process = tree.read_process(self.pid or 0)
        state = process.state if process else "?"
        waited = render_seconds(_KILLED_WITHIN_S)
        reason = f"the driver does not answer: its process cannot be killed (state {state})"
        self._fault = GpuFault(exits.REBOOT, f"{reason} within {waited}")

    def _close(self) -> None:
        self._loop.unregister(self._source)
        os.close(self._source)
        self._source = -1


def has_moved(old: list[Mapping[str, object]], new: list[Mapping[str, object]]) -> bool:
    """Tell whether a picture of the memory would look different: by 64 MiB, or by a GPU."""
    return bool(new) and [_step(gpu) for gpu in old] != [_step(gpu) for gpu in new]


def _step(gpu: Mapping[str, object]) -> tuple[object, object]:
    free = gpu.get("free")
    return gpu.get("gpu"), free // _STEP if isinstance(free, int) else None


def _memory_of(line: Mapping[str, object]) -> list[Mapping[str, object]]:
    said = line.get("memory")
    return [gpu for gpu in said if isinstance(gpu, dict)] if isinstance(said, list) else []


def take_look(argv: tuple[str, ...], environment: Mapping[str, str]) -> object:
    """Return what each GPU says now, None where that is not known within 5 s.

    The process is left behind when it hangs; it was told to end.
    """
    try:
        pid, source = child.spawn((*argv, "--once"), environment, death_signal=signal.SIGKILL)
    except OSError:
        return None
    until = monotonic() + _LOOK_S
    data = b""
    with os.fdopen(source, "rb", buffering=0) as stream:
        while (left := until - monotonic()) > 0 and select.select([stream], [], [], left)[0]:
            part = stream.read(_LONGEST)
            if not part:
                break
            data += part
    tree.send_signal(pid, signal.SIGKILL)
    try:
        return json.loads(data)
    except ValueError:
        return None


def judge_line(line: Mapping[str, object]) -> GpuFault | None:
    """Return the fault that a line tells, None for what a process may live through.

    The driver's own verdict counts before a table of Xids; the table is for drivers that do
    not know the question. An Xid of an application's own making is none of the GPU's.
    """
    if "gpu" not in line:
        return None
    said, recovery = describe_line(line), line.get("recovery")
    fault = None
    if "code" in line:
        fault = _CODES.get(line["code"])
    elif isinstance(recovery, int):
        fault, asked = _VERDICTS.get(recovery, (None, ""))
        said = f"{said}; the driver asks for {asked}"
    elif "ecc" in line:
        fault = exits.GPU_RESET
    elif isinstance(line.get("xid"), int):
        fault = _judge_xid(line["xid"])  # type: ignore[arg-type]  # as above
    return GpuFault(fault, said) if fault else None


def _judge_xid(xid: int) -> int | None:
    from trtllm_install.model.xids import XIDS  # noqa: PLC0415 (2.7 MB, rarely needed)

    meaning = XIDS.get(xid)
    if meaning is None or meaning.weight != "fault":
        return None
    return exits.REBOOT if xid == _FELL_OFF_THE_BUS else exits.GPU_RESET


def describe_line(line: Mapping[str, object]) -> str:
    """Return what happened on which GPU."""
    where = f"GPU {line.get('gpu')}"
    if "xid" in line:
        return f"{where}: Xid {line['xid']}"
    if "ecc" in line:
        return f"{where}: a memory error that ECC cannot correct"
    if "code" in line:
        return f"{where}: {line.get('text')}"
    return where
