"""Measures the proxy against the engine asked directly and against other gateways.

Every round asks each variant in turn, the order reversed in odd rounds, so that what else
happens on the machine hits all of them. Shown: the median of the rounds; latencies are
what a variant adds to asking the backend directly in the same round. On a machine that
others use, CPU for 1,000 requests is the figure to trust.

"plain" is nginx with kept connections and no logic: the least that a proxy made of it can
add. --reference is another nginx.conf, --programs a folder in which smg, vllm-router or
litellm are looked for. Needs nginx with ngx_lua, and wrk.

With --pin, for machines of nine cores or more, backend and load have cores of their own
and each gateway exactly one: no figure then depends on how many cores are shared.

    python benchmarks/proxy [--reference NGINX_CONF] [--programs DIR] [--rounds 5] [--pin]
                            [--workers 2 4]

--workers adds our proxy with so many workers. TRTLLM_TEST_NGINX=PATH measures with OpenResty.
"""

import argparse
import os
import statistics
import sys
import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parents[1] / part) for part in ("installer", "tests")]
sys.path.insert(0, str(HERE))

import load  # noqa: E402 (found through the path above)
from load import Cell  # noqa: E402
from variants import LOAD_CORES, Variant, variants  # noqa: E402

SIZES = {"300 B": 300, "1 kB": 1000, "20 KB": 20_000, "1 MB": 1_000_000, "10 MB": 10_000_000}
CONNECTIONS = (1, 16, 64)
STREAMS = {"burst": 500, "paced": 30}  # how many, one after the other; a paced one takes 0.1 s
SLOW = {"litellm"}  # takes minutes for large bodies, and says nothing new by it

Measure = Callable[[Variant], Cell | None]


def interleave(
    running: Mapping[str, Variant], rounds: int, measure: Measure
) -> list[dict[str, Cell | None]]:
    """Return the cells of every round."""
    done = []
    for turn in range(rounds):
        order = list(running) if turn % 2 == 0 else list(running)[::-1]
        cells = {name: measure(running[name]) for name in order}
        done.append({name: cells[name] for name in running})
    return done


def show(label: str, rounds: list[dict[str, Cell | None]]) -> None:
    """Print a line of a Markdown table for each variant."""
    for name in rounds[0]:
        pairs = [(r[name], r["direct"]) for r in rounds]
        whole = [(cell, direct) for cell, direct in pairs if cell and direct]
        if len(whole) < len(pairs):
            print(f"| {label} | {name} | failed | | | |", flush=True)
            continue
        sign, base = ("", 0) if name == "direct" else ("+", 1)
        p50 = statistics.median(c.p50 - base * d.p50 for c, d in whole)
        p99 = statistics.median(c.p99 - base * d.p99 for c, d in whole)
        rate = statistics.median(c.rate for c, _ in whole)
        cpu = statistics.median(c.cpu for c, _ in whole)
        print(
            f"| {label} | {name} | {p50:{sign}.3f} | {p99:{sign}.2f} | {rate:.0f} | {cpu:.4f} |",
            flush=True,
        )


def compare(label: str, rounds: list[dict[str, Cell | None]]) -> None:
    """Print how many times the reference's throughput and CPU the others come to."""
    for name in ("plain", "ours"):
        pairs = [(r[name], r["reference"]) for r in rounds]
        whole = [(mine, other) for mine, other in pairs if mine and other]
        if whole:
            rate = statistics.median(mine.rate / other.rate for mine, other in whole)
            cpu = statistics.median(other.cpu / mine.cpu for mine, other in whole)
            print(
                f"\n{label}: {name} : reference = {rate:.2f} requests/s, {cpu:.2f} per CPU second"
            )


def measure_all(folder: Path, running: dict[str, Variant], options: argparse.Namespace) -> None:
    """Print the tables, cell by cell as they are done."""
    print(
        "| what | variant | p50 ms | p99 ms | requests/s | CPU s / 1,000 |\n"
        "|---|---|---|---|---|---|"
    )
    for size, count in SIZES.items():
        if options.only and size not in options.only:
            continue
        load.write_bodies(folder, count, options.text, ("qwen", "nemotron"))
        chosen = {n: v for n, v in running.items() if n not in SLOW or count < 100_000}
        for connections in CONNECTIONS:
            cell = partial(measured, folder, connections, options.seconds)
            rounds = interleave(chosen, options.rounds, cell)
            label = f"{size}, {connections} conn."
            show(label, rounds)
            if "reference" in running:
                compare(label, rounds)
    if options.bodies:
        return
    for kind, count in STREAMS.items():
        ask = partial(streamed, kind, count)
        show(f"first chunk, {kind}", interleave(running, options.rounds, ask))
    load.write_bodies(folder, 300, options.text, ("qwen", "nemotron"))
    few = {name: v for name, v in running.items() if name not in SLOW}
    show(
        "300 B beside six uploads of 50 MB",
        interleave(few, options.rounds, lambda v: load.beside_uploads(folder, v.port, v.pid, 6, 3)),
    )
    load.write_bodies(folder, 10_000_000, options.text, ("qwen", "nemotron"))
    print("\nprivate memory at peak, 16 connections with 10 MB:")
    for name, variant in running.items():
        if name not in SLOW | {"direct"}:
            work = partial(measured, folder, 16, options.seconds, variant)
            print(f"{name}: {load.peak_private_mb(variant.pid, work):.0f} MB")


def measured(folder: Path, connections: int, seconds: float, variant: Variant) -> Cell | None:
    """Measure bodies; a variant last, so that the rest can be fixed before."""
    return load.measure(folder, variant.port, variant.pid, connections, seconds)


def streamed(kind: str, count: int, variant: Variant) -> Cell | None:
    """Measure streams, likewise."""
    return load.measure_streams(variant.port, variant.pid, kind, count)


def main() -> None:
    """Parse the command line, start everything, measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--reference", type=Path, help="an nginx.conf to compare with")
    parser.add_argument("--programs", type=Path, help="folder with smg, vllm-router, litellm")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=1)
    parser.add_argument("--text", choices=load.TEXTS, default="prose")
    parser.add_argument("--only", choices=SIZES, nargs="+", help="bodies of these sizes only")
    parser.add_argument("--bodies", action="store_true", help="no streams, uploads and memory")
    parser.add_argument("--pin", action="store_true", help="cores of their own for all parts")
    parser.add_argument("--workers", type=int, nargs="+", default=(), help="ours with more, too")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="trtllm-bench-") as name:
        folder = Path(name)
        folder.chmod(0o777)
        if options.pin:
            os.sched_setaffinity(0, LOAD_CORES)
        everything = variants(
            folder,
            options.reference,
            options.programs,
            pinned=options.pin,
            workers=options.workers,
        )
        with everything as running:
            measure_all(folder, running, options)


if __name__ == "__main__":
    main()
