"""Measures what TLS between a front tier and its hosts costs.

A front tier and a host, both nginx with one worker, and the host's model answers at once.
Each round asks every variant in turn, the order reversed in odd rounds; shown are medians:
milliseconds of a request of 300 bytes, one after the other, and CPU of both proxies for
1,000 of them. "one host" goes through nginx's own upstream, which takes up TLS sessions;
"two hosts" goes through balancer_by_lua, which does not.

    python benchmarks/peers.py [--rounds 7] [--requests 500]
"""

import argparse
import contextlib
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / part) for part in ("installer", "tests")]

from fakes.authority import Authority  # noqa: E402 (found through the path above)
from fakes.nginx_rig import QWEN, Backend, Handler, Rig, connect, eventually, running  # noqa: E402

OUTSIDE = "127.0.0.2"
NAME = "gpu1.example"
BODY = json.dumps({"model": QWEN, "messages": [{"role": "user", "content": "x" * 200}]})


class Far(Backend):
    """The host, which runs already."""

    def start(self) -> None:
        """Do nothing."""


@contextlib.contextmanager
def front_of(folder: Path, count: int, port: int, authority: Authority | None) -> Iterator[Rig]:
    """Yield a front tier before a host, known by so many names."""
    backends = [Far(f"gpu{i}", port) for i in range(count)]
    for backend in backends:
        backend.host = OUTSIDE if authority else "127.0.0.1"
        backend.tls_name = NAME if authority else ""
    folder.mkdir(mode=0o755)
    trusted = str(authority.file) if authority else ""
    front = Rig(
        folder,
        backends,
        peers=dict.fromkeys((b.name for b in backends), QWEN),
        peer_authority=trusted,
    )
    try:
        front.start()
        eventually("it serves", lambda: front.ask("GET", "/health").status == 200)
        yield front
    finally:
        front.stop()


def cpu_s(*rigs: Rig) -> float:
    """Return the CPU seconds that the workers of these have taken."""
    ticks = 0
    for rig in rigs:
        for pid in rig.workers():
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def measure(front: Rig, host: Rig, requests: int) -> tuple[float, float]:
    """Return the median of a request in ms, and CPU seconds of both for 1,000."""
    taken = []
    before = cpu_s(front, host)
    with contextlib.closing(connect(front.port)) as connection:
        for _ in range(requests):
            begun = time.perf_counter()
            connection.request("POST", "/v1/chat/completions", BODY)
            answer = connection.getresponse()
            answer.read()
            taken.append((time.perf_counter() - begun) * 1000)
            if answer.status != 200:
                sys.exit(f"a request ended with {answer.status}")
    return statistics.median(taken), (cpu_s(front, host) - before) / requests * 1000


def main() -> None:
    """Parse the command line, start everything, measure."""
    Handler.disable_nagle_algorithm = True  # or 40 ms of each answer would be its own
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--requests", type=int, default=500)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="trtllm-bench-") as name,
        contextlib.ExitStack() as all_of,
    ):
        folder = Path(name)
        folder.chmod(0o755)
        authority = Authority(folder / "authority")
        pair = authority.sign(NAME)
        host = all_of.enter_context(running("qwen", host=OUTSIDE, tls=pair))
        fronts = {
            f"{hosts}, {kind}": all_of.enter_context(
                front_of(folder / f"{count}-{kind}", count, host.port, by)
            )
            for hosts, count in (("one host", 1), ("two hosts", 2))
            for kind, by in (("plain", None), ("TLS", authority))
        }
        rounds = []
        for turn in range(options.rounds):
            order = list(fronts) if turn % 2 == 0 else list(fronts)[::-1]
            rounds.append({n: measure(fronts[n], host, options.requests) for n in order})
        print("| variant | ms | CPU s / 1,000 |\n|---|---|---|")
        for variant in fronts:
            figures = [statistics.median(r[variant][i] for r in rounds) for i in (0, 1)]
            print(f"| {variant} | {figures[0]:.2f} | {figures[1]:.3f} |")


if __name__ == "__main__":
    main()
