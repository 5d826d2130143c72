"""Proves the scanner against json.loads: a million bodies, and a folder of JSON files.

    python benchmarks/scanner.py [--bodies 1000000] [--seed 1] [--suite FOLDER]

A file of the folder is tried as the body and as a value in front of and behind a model.
nst/JSONTestSuite keeps such files in its folder test_parsing. The bodies lie directly in
front of a page that may not be read, so that one byte too far ends the process.
"""

import argparse
import itertools
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1] / part) for part in ("installer", "tests")]

from lua import lua_runner, strange_bodies  # noqa: E402 (found through the path above)

BATCH = 2000


def bodies_of_suite(folder: Path) -> Iterator[bytes]:
    """Yield each file as the body, and as a value beside a model."""
    for path in sorted(folder.iterdir()):
        text = path.read_bytes()
        yield text
        yield b'{"model":"qwen","x":' + text + b"}"
        yield b'{"x":' + text + b',"model":"qwen"}'


def agree(body: bytes, found: strange_bodies.Verdict) -> bool:
    """Return whether both say the same; too deep for us must be too deep for Python."""
    if found[0] == "too_deep":
        return strange_bodies.verdict_of_python(body)[0] == "invalid"
    return strange_bodies.agree(body, found)


def count_disagreements(runner: lua_runner.Runner, bodies: Iterable[bytes]) -> tuple[int, int]:
    """Return how many bodies were tried, and on how many the two disagree; show those."""
    tried = wrong = 0
    source = iter(bodies)
    while batch := list(itertools.islice(source, BATCH)):
        for body, found in zip(batch, runner.scan(batch), strict=True):
            if not agree(body, found):
                wrong += 1
                print(body[:200], found, strange_bodies.verdict_of_python(body))
        tried += len(batch)
    return tried, wrong


def main() -> int:
    """Try everything that was asked for; return 1 if one body was read differently."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bodies", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--suite", type=Path, help="folder of JSON files")
    options = parser.parse_args()
    failed = False
    with lua_runner.running() as runner:
        sources = {"random": strange_bodies.bodies(options.seed, options.bodies)}
        if options.suite:
            sources["suite"] = bodies_of_suite(options.suite)
        for name, source in sources.items():
            begun = time.monotonic()
            tried, wrong = count_disagreements(runner, source)
            print(
                f"{name}: {tried} bodies, {wrong} disagreements, {time.monotonic() - begun:.0f} s"
            )
            failed = failed or wrong > 0
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
