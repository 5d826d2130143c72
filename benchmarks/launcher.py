"""Measures what a launcher costs, and what reading the next model ahead saves.

    python benchmarks/launcher.py costs
    python benchmarks/launcher.py order
    python benchmarks/launcher.py preread [--gb 4] [--rounds 3] [--folder DIR]

Launchers and files are real, engines are simulated; nothing is installed.
``preread`` starts two models one after the other, with their files dropped from the page
cache (of these files alone: posix_fadvise), with and without reading ahead by turns.
"""

import argparse
import statistics
import sys
import tempfile
from pathlib import Path
from time import monotonic

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(REPOSITORY / "tests"), str(REPOSITORY / "installer")]

from fakes.big_weights import write_big_checkpoint  # noqa: E402 (the path comes first)
from fakes.launcher_costs import (  # noqa: E402
    cost_of_changes,
    cost_of_output,
    cpu_s,
    resident,
)
from fakes.launcher_room import Room, await_true  # noqa: E402
from fakes.residency import drop  # noqa: E402
from fakes.simulated_engine import NEMOTRON, QWEN  # noqa: E402

CHANGES = 100_000
OUTPUT = 1 << 30
IDLE_S = 120
STARTS = 21
DEADLINE_S = 600


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("costs", "order", "preread"))
    parser.add_argument("--gb", type=float, default=4, help="weights of each model")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--warm-s", type=float, default=20, help="kernels and graphs of a model")
    parser.add_argument("--folder", type=Path, help="where the weights are written")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        if options.what == "costs":
            measure_costs(Path(folder))
        elif options.what == "order":
            measure_order(Path(folder))
        else:
            measure_preread(Path(folder), options)


def measure_costs(folder: Path) -> None:
    """100,000 state changes, 1 GiB of output, and two idle minutes."""
    changes = folder / "changes"
    changes.mkdir()
    grown, spent = cost_of_changes(changes, CHANGES)
    each = spent / CHANGES * 1e6
    print(f"{CHANGES} state changes: grown {grown / 1024:.0f} KiB, {each:.0f} µs each")
    room = Room(folder)
    try:
        grown, spent, seconds = cost_of_output(room, OUTPUT, DEADLINE_S)
        kib = grown / 1024
        print(f"1 GiB of output: grown {kib:.0f} KiB, {spent:.1f} s of CPU in {seconds:.0f} s")
        room.write_spec("qwen", canary_idle_s=60)
        qwen = room.start("qwen")
        qwen.await_state("healthy")
        pid, before, begun = qwen.process.pid, cpu_s(qwen.process.pid), monotonic()
        await_true(lambda: monotonic() - begun > IDLE_S, "idle minutes", IDLE_S + 60)
        share = (cpu_s(pid) - before) / (monotonic() - begun)
        print(f"healthy and idle: {resident(pid) / 1e6:.1f} MB, {share * 100:.3f} % of a core")
    finally:
        room.close()


def measure_order(folder: Path) -> None:
    """A launcher that waits, as under supervisord: predecessor ready -> the next process."""
    room = Room(folder)
    gaps = []
    try:
        for number in range(STARTS):
            first, after = f"a{number}", f"b{number}"
            room.write_spec(first, "--load-s", "0.5")
            room.write_spec(after, after=(first,))
            waits, leads = room.start(after), room.start(first)
            waits.await_state("healthy")
            gaps.append(moment(room, after, "start") - moment(room, first, "ready"))
            for launcher in (waits, leads):
                launcher.stop()
    finally:
        room.close()
    low, middle, high = min(gaps), statistics.median(gaps), max(gaps)
    spread = f"{low * 1e3:.0f} to {high * 1e3:.0f}"
    print(f"ready -> next process: {middle * 1e3:.0f} ms ({spread}), n={STARTS}")


def moment(room: Room, name: str, phase: str) -> float:
    """Return when the last start of a service came to a phase, on the kernel's clock."""
    start = await_true(lambda: room.read_starts(name)[-1], "the record")
    moments = {entry["phase"]: entry["from_s"] for entry in start["phases"]}
    return float(start["clock"] + {**moments, "ready": start["ready_s"]}[phase])


def measure_preread(folder: Path, options: argparse.Namespace) -> None:
    """Cold starts of two models, with and without reading ahead by turns."""
    size = int(options.gb * 1e9)
    weights = {
        name: write_big_checkpoint(folder, model, size, real=True)
        for name, model in (("qwen", QWEN), ("nemotron", NEMOTRON))
    }
    seconds: dict[bool, list[float]] = {False: [], True: []}
    second: dict[bool, list[float]] = {False: [], True: []}
    for number in range(options.rounds):
        for ahead in (False, True) if number % 2 else (True, False):
            drop(*(shard for w in weights.values() for shard in w.glob("*.safetensors")))
            room_folder = folder / f"room-{number}-{ahead}"
            room_folder.mkdir()
            whole, load = start_both(room_folder, weights, ahead=ahead, warm_s=options.warm_s)
            seconds[ahead].append(whole)
            second[ahead].append(load)
            kind = "read ahead" if ahead else "not       "
            print(f"{kind}: {whole:.1f} s, second load {load:.1f} s")
    for what, figures in (("both models healthy", seconds), ("second model's load", second)):
        plain, quick = statistics.median(figures[False]), statistics.median(figures[True])
        print(f"{what}: {plain:.1f} s, read ahead {quick:.1f} s, ratio {plain / quick:.2f}")


def start_both(
    folder: Path, weights: dict[str, Path], *, ahead: bool, warm_s: float
) -> tuple[float, float]:
    """Return the seconds until both are healthy, and those of the second one's load."""
    room = Room(folder)
    faults = f"load_seconds={warm_s},weights_seconds=0,read_all"
    try:
        for name, after in (("qwen", ()), ("nemotron", ("qwen",))):
            room.write_simulated(name, weights[name], faults=faults, after=after, preread=ahead)
        begun = monotonic()
        nemotron, qwen = room.start("nemotron"), room.start("qwen")
        qwen.await_state("healthy", deadline_s=DEADLINE_S)
        state = nemotron.await_state("healthy", deadline_s=DEADLINE_S)
        return monotonic() - begun, float(state["load_seconds"])
    finally:
        room.close()


if __name__ == "__main__":
    main()
