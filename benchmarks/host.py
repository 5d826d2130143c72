"""Measures the figures of one host that BENCHMARKS.md lists, in a lab host of its own.

    sudo python benchmarks/host.py [order] [commands] [launchers] [restart]

Needs what scripts/test.sh installs. The host has no network and a simulated engine;
everything around the engine is real.
"""

import json
import statistics
import sys
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(REPOSITORY / "tests"), str(REPOSITORY / "installer")]

from lab import images  # noqa: E402 (the path comes first)
from lab.roots import BootedRoot  # noqa: E402

RUNS = 20
STARTS = 10
ORDER = (("qwen", "nemotron"), ("nemotron", "proxy"))
UNITS = tuple(f"trtllm-{name}.service" for name in ("qwen", "nemotron", "proxy"))
# systemd's own ids of "Starting ..." and "Started ..." (systemd.journal-catalog).
STARTING = "7d4958e842da4a758f6c1cdc7b36dcc5"
STARTED = "39f53479d3a045ac8e11786248231fbf"
IDLE_S = 60
INSTALL = ("trtllm-install", "--profile", "multi", "--simulate")

# Runs a command and prints its wall and CPU seconds: both without the cost of entering.
_TIMER = """
import json, resource, subprocess, sys, time
t = time.monotonic()
code = subprocess.run(sys.argv[1:], capture_output=True).returncode
wall = time.monotonic() - t
use = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps({"code": code, "wall": wall, "cpu": use.ru_utime + use.ru_stime}))
"""


def timed(root: BootedRoot, *argv: str, timeout: float = 60) -> tuple[float, float]:
    """Return wall and CPU seconds of a command in the host."""
    said = json.loads(root.check("python3", "-c", _TIMER, *argv, timeout=timeout))
    assert said["code"] == 0, argv
    return said["wall"], said["cpu"]


def report(what: str, seconds: list[float], unit: str = "s", scale: float = 1.0) -> None:
    """Print the median and the range."""
    low, middle, high = min(seconds), statistics.median(seconds), max(seconds)
    figures = f"{middle * scale:.3g} ({low * scale:.3g} to {high * scale:.3g}) {unit}"
    print(f"{what:<58}{figures}  n={len(seconds)}")


def measure_commands(root: BootedRoot) -> None:
    """--help, and an install on a host that needs nothing."""
    for what, argv in (("--help", ("trtllm-install", "--help")), ("second install", INSTALL)):
        pairs = [timed(root, *argv) for _ in range(RUNS)]
        report(f"trtllm-install {what}, wall", [wall for wall, _ in pairs])
        report(f"trtllm-install {what}, CPU", [cpu for _, cpu in pairs])


def measure_order(root: BootedRoot) -> None:
    """Predecessor ready -> the next unit in the journal, and -> the next engine's process."""
    units, processes = [], []
    for _ in range(STARTS):
        before = time.monotonic()  # the journal of the host has the same clock
        # By name: the stop of a target does not wait for its parts, and a start would only
        # call off the stops that have not begun.
        root.check("systemctl", "stop", "trtllm.target", *UNITS, timeout=300)
        root.check("systemctl", "start", "trtllm.target", timeout=300)
        moments = await_moments(root, before)
        for first, after in ORDER:
            begun = moments[f"trtllm-{after}.service", STARTING]
            units.append(begun - moments[f"trtllm-{first}.service", STARTED])
            processes.append(last_moment(root, after, "start") - last_moment(root, first, "ready"))
    report("ready -> next unit's launcher, journal", units, "ms", 1000)
    report("ready -> next service's process, launchers' records", processes, "ms", 1000)


def await_moments(root: BootedRoot, before: float) -> dict[tuple[str, str], float]:
    """Return when systemd last began and finished to start each unit, seconds after boot.

    The journal is written by a process of its own: what is older than ``before`` is waited for.
    """
    wanted = [(unit, message) for unit in UNITS for message in (STARTING, STARTED)]
    until = time.monotonic() + 30
    while True:
        found = journal_moments(root)
        late = [key for key in wanted if found.get(key, 0.0) < before]
        if not late:
            return found
        assert time.monotonic() < until, f"not in the journal since {before}: {late}, {found}"
        time.sleep(0.5)


def journal_moments(root: BootedRoot) -> dict[tuple[str, str], float]:
    """Return what the journal says now; of two starts the later one."""
    lines = root.check(
        *("journalctl", "--output=json", "--quiet"), *(f"UNIT={unit}" for unit in UNITS)
    ).splitlines()
    return {
        (entry["UNIT"], entry["MESSAGE_ID"]): int(entry["__MONOTONIC_TIMESTAMP"]) / 1e6
        for entry in map(json.loads, lines)
        if entry.get("MESSAGE_ID") in {STARTING, STARTED}
    }


def last_moment(root: BootedRoot, name: str, phase: str) -> float:
    """Return when the last start of a service came to a phase, on the kernel's clock."""
    start = json.loads(root.check("cat", f"/var/lib/trtllm/{name}/timeline.json"))["starts"][-1]
    moments = {entry["phase"]: entry["from_s"] for entry in start["phases"]}
    return float(start["clock"] + {**moments, "ready": start["ready_s"]}[phase])


def measure_launchers(root: BootedRoot) -> None:
    """Memory, and CPU while nothing happens."""
    states = [json.loads(root.check("cat", f"/run/trtllm/{n}.json")) for n in ("qwen", "nemotron")]
    pids = [str(state["pid"]) for state in states]

    def ticks() -> list[int]:
        return [sum(map(int, root.check("cat", f"/proc/{p}/stat").split()[13:15])) for p in pids]

    memory = [root.check("grep", "VmRSS", f"/proc/{pid}/status").split()[1] for pid in pids]
    report("launcher, resident memory", [int(kb) / 1024 for kb in memory], "MB")
    before = ticks()
    time.sleep(IDLE_S)
    spent = [(b - a) / 100 / IDLE_S for a, b in zip(before, ticks(), strict=True)]
    report(f"launcher, CPU over {IDLE_S} idle seconds", spent, "% of a core", 100)


def measure_restart(root: BootedRoot) -> None:
    """One instance, from the order to healthy again: drain, port, load, token."""
    report("systemctl restart trtllm-qwen", [timed(root, *RESTART)[0] for _ in range(5)])


RESTART = ("systemctl", "restart", "trtllm-qwen")


WHAT = {
    "order": measure_order,
    "commands": measure_commands,
    "launchers": measure_launchers,
    "restart": measure_restart,
}


def main() -> None:
    """Boot, install, measure what is named, everything without a name."""
    with BootedRoot(images.DEBIAN_12) as root:
        begun = time.monotonic()
        ended = root.bootstrap("--profile", "multi", "--simulate")
        assert ended.returncode == 0, ended.stderr
        report("bootstrap --profile multi --simulate, bare host", [time.monotonic() - begun])
        for what in sys.argv[1:] or WHAT:
            WHAT[what](root)


if __name__ == "__main__":
    main()
