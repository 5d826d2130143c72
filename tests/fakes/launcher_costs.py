"""What a launcher costs: memory and CPU over many state changes, and over much child output."""

import json
import subprocess
import sys
from pathlib import Path
from time import monotonic

from fakes.launcher_room import INSTALLER, Room, await_true

_CHANGES = """
import json, os, resource, sys
from trtllm_install.launcher.history import History
from trtllm_install.launcher.loop import Loop
from trtllm_install.launcher.notify import Notifier
from trtllm_install.launcher.record import Record
from trtllm_install.launcher.station import Station
from trtllm_install.model import states
from trtllm_install.model.launchspec import LaunchSpec

folder, count = sys.argv[1], int(sys.argv[2])
spec = LaunchSpec(name="qwen", kind="engine", argv=("x",), environment={}, host="127.0.0.1",
                  port=1, run_dir=folder, state_dir=folder)
history = History(folder)
record = Record(spec, spec_hash="0", history=history)
station = Station(spec, loop=Loop(), notifier=Notifier({}), record=record, history=history)

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()

def change(times):
    for number in range(times):
        station.enter(states.BUSY, f"busy, canary {number}")
        station.enter(states.HEALTHY, "healthy")
        station.turn(0)

for state in (states.WAITING, states.ADMISSION, states.LOADING, states.WARMING, states.HEALTHY):
    station.enter(state, state)
change(min(500, count // 4))  # what is allocated once
before, spent = resident(), sum(os.times()[:2])
change(count // 2)
print(json.dumps({"grown": resident() - before, "cpu_s": sum(os.times()[:2]) - spent}))
"""

_TALKS = """
import os, socket, sys
port, size = int(sys.argv[1]), int(sys.argv[2])
s = socket.socket(); s.bind(("127.0.0.1", port)); s.listen()
line = b"step %7d of a server that says too much " + b"x" * 60 + b"\\n"
block = b"".join(line % n for n in range(9000))
talked = False
while True:
    c = s.accept()[0]
    if b"/health_generate" in c.recv(999) and talked is False:
        talked = True
        c.send(b"HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\n\\r\\n"); c.close()
        left = size
        while left > 0:
            left -= os.write(1, block)
        os.write(1, b"\\nsaid everything\\n")
        continue
    c.send(b"HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\n\\r\\n"); c.close()
"""


def cost_of_changes(folder: Path, count: int) -> tuple[int, float]:
    """Return by how many bytes a launcher grew over ``count`` state changes, and its CPU time."""
    ended = subprocess.run(
        [sys.executable, "-c", _CHANGES, str(folder), str(count)],
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(INSTALLER)},
        capture_output=True,
        text=True,
        check=True,
    )
    told = json.loads(ended.stdout)
    return int(told["grown"]), float(told["cpu_s"])


def cost_of_output(room: Room, size: int, deadline_s: float = 120) -> tuple[int, float, float]:
    """Return growth in bytes, CPU seconds and seconds of a launcher whose child says ``size``."""
    port = room.write_spec("talker")
    argv = (sys.executable, "-S", "-c", _TALKS, str(port), str(size))
    room.write_spec("talker", port=port, argv=argv, canary_idle_s=0)
    launcher = room.start("talker")
    launcher.await_state("healthy", deadline_s=deadline_s)
    pid, begun = launcher.process.pid, monotonic()
    before, spent = resident(pid), cpu_s(pid)
    said = lambda: b"said everything" in tail_of(launcher.log)  # noqa: E731 (a word)
    await_true(said, "the whole output", deadline_s)
    return resident(pid) - before, cpu_s(pid) - spent, monotonic() - begun


def tail_of(path: Path) -> bytes:
    """Return the last bytes of a file."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 4096))
        return file.read()


def resident(pid: int) -> int:
    """Return the memory of a process that is in RAM, in bytes."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) * 1024


def cpu_s(pid: int) -> float:
    """Return the CPU seconds that a process has used."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9
