"""Weights on a real disk: 100 GB by their headers, and hashing that can be cut off."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest

from lab import checkout

_DEADLINE_S = 60


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    """The file that makes the figures of BENCHMARKS.md."""
    path = checkout.ROOT / "benchmarks/weights.py"
    spec = importlib.util.spec_from_file_location("weights_benchmark", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_headers_of_100_gigabytes_cost_little_time_and_memory(
    benchmark: ModuleType, tmp_path: Path
) -> None:
    benchmark.sparse_checkpoint(tmp_path / "nvidia/Qwen3-30B-A3B-FP4")
    seconds = []
    for _ in range(3):  # a neighbour may have the core for a while
        benchmark.drop_cache(tmp_path)
        seen = benchmark.run(benchmark.CHECK, str(tmp_path), "qwen")
        seconds.append(seen.cpu_s)
        codes = {f["code"] for f in json.loads(seen.output)["findings"]}
        assert {c for c in codes if c.startswith("weights-")} <= {"weights-unreadable"}
        assert seen.rss_mb < 60
        if seconds[-1] < 2:
            return
    pytest.fail(f"{seconds} s of CPU")


# A command line of a user with a state folder of their own: nothing of this machine is written.
_CHECK = """
import sys
from trtllm_install.cli.main import main
from trtllm_install.cli.verbs import check
from trtllm_install.host.local import LocalHost

class Visitor(LocalHost):
    def is_root(self):
        return False
    def environment(self, name):
        return {"XDG_STATE_HOME": sys.argv[1], "HOME": sys.argv[1]}.get(name)

check.HOST = Visitor()
sys.exit(main(["check", "--profile", "qwen", *sys.argv[2:]]))
"""


class Weights:
    """A folder of weights, and `check --deep` on it."""

    def __init__(self, home: Path) -> None:
        self.state = home / "state"
        self.folder = home / "w/nvidia/Qwen3-30B-A3B-FP4"
        self.folder.mkdir(parents=True)
        self.state.mkdir()
        (self.folder / "config.json").write_text("{}")
        self.kept = self.state / "trtllm/weights-hashes.json"

    def start(self, *words: str) -> subprocess.Popen[str]:
        more = ("--weights-dir", str(self.folder.parents[1]), "--deep", *words)
        return subprocess.Popen(
            [sys.executable, "-c", _CHECK, str(self.state), *more],
            env={**os.environ, "PYTHONPATH": str(checkout.ROOT / "installer")},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


@pytest.fixture
def weights(tmp_path: Path) -> Weights:
    return Weights(tmp_path)


def test_a_run_that_is_interrupted_ends_with_130_and_is_gone_on_with(weights: Weights) -> None:
    large = weights.folder / "large.safetensors"
    large.write_bytes(b"")
    os.truncate(large, 2**40)  # no disk reads that before the test is over
    running = weights.start()
    deadline = time.monotonic() + _DEADLINE_S
    while not weights.kept.exists():
        assert time.monotonic() < deadline
        assert running.poll() is None
        os.sched_yield()
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=_DEADLINE_S)
    assert running.returncode == 130
    assert "interrupted: 1 of 2 files are hashed and kept" in said
    os.truncate(large, 100)
    out, _ = weights.start("--output", "json").communicate(timeout=_DEADLINE_S)
    files = {Path(f["path"]).name: f["read"] for f in json.loads(out)["weights"]["files"]}
    assert files == {"config.json": False, "large.safetensors": True}
    assert not weights.kept.exists()


def test_the_page_cache_is_left_as_it_was(weights: Weights) -> None:
    path = weights.folder / "shard.safetensors"
    path.write_bytes(os.urandom(2**20) * 32)
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    before = cached(path)
    weights.start().communicate(timeout=_DEADLINE_S)
    assert cached(path) <= before + 2**20


def cached(path: Path) -> int:
    """Return the bytes of a file that are in the page cache (util-linux)."""
    said = subprocess.run(
        ["fincore", "--bytes", "--noheadings", "--output", "RES", str(path)],
        capture_output=True,
        text=True,
        check=True,
    )
    return int(said.stdout)


def test_what_was_recorded_is_compared_by_content(weights: Weights) -> None:
    path = weights.folder / "shard.safetensors"
    path.write_bytes(b"a" * 5000)
    weights.start("--record").communicate(timeout=_DEADLINE_S)
    before = path.stat()
    path.write_bytes(b"a" * 4999 + b"b")  # as a disk forgets: size and time stay
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    out, _ = weights.start("--compare", "--output", "json").communicate(timeout=_DEADLINE_S)
    changed = [f for f in json.loads(out)["findings"] if f["code"] == "weights-changed"]
    assert [str(path) in f["message"] for f in changed] == [True]
