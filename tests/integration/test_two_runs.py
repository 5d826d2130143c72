"""Two installs at once, as processes: one works, the other names it or waits for it."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import pytest

from fakes.image_tree import image_tree
from lab import images, needs
from lab.visitor import await_true

pytestmark = pytest.mark.timeout(120)

PROGRAM = "from trtllm_install.cli.main import main; raise SystemExit(main())"
INSTALL = ("install", "--profile", "multi", "--simulate")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    needs.require_root()
    return image_tree(tmp_path / "image")


def begin(tree: Path, *argv: str) -> "subprocess.Popen[str]":
    """Start the command line of the checkout for an image: nothing of this machine is touched."""
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *argv, "--root", str(tree)],
        cwd=images.CHECKOUT / "installer",
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: "subprocess.Popen[str]") -> tuple[int, str, str]:
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


@contextmanager
def stopped_at_work(tree: Path) -> Iterator["subprocess.Popen[str]"]:
    """Yield an install that holds the lock and has begun to write, and does not go on."""
    process = begin(tree, *INSTALL)
    lock = Path(f"/run/trtllm-install-{sha256(str(tree).encode()).hexdigest()[:12]}.lock")
    journal = tree / "var/lib/trtllm/journal"
    try:
        await_true("an open journal", lambda: list(journal.glob("0003.json")), seconds=60)
        process.send_signal(signal.SIGSTOP)
        yield process
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()
        lock.unlink(missing_ok=True)


def test_the_second_run_names_the_first_and_leaves_with_7(tree: Path) -> None:
    with stopped_at_work(tree) as first:
        code, _, said = ended(begin(tree, *INSTALL))
        assert code == 7
        assert re.search(rf"pid {first.pid}, -c install --profile multi .*, for \d+ s", said), said
        first.send_signal(signal.SIGCONT)
        assert ended(first)[0] == 0


def test_a_patient_run_waits_for_the_first_and_finds_nothing_to_do(tree: Path) -> None:
    with stopped_at_work(tree) as first:
        second = begin(tree, *INSTALL, "--lock-timeout", "60")
        assert second.stderr is not None
        line = next(line for line in second.stderr if "waiting" in line)
        assert f"waiting for another run: pid {first.pid}" in line
        first.send_signal(signal.SIGCONT)
        assert ended(first)[0] == 0
        code, out, said = ended(second)
        assert code == 0, said
        assert "done: 0 changes" in out


def test_a_run_that_was_killed_leaves_no_lock_and_is_undone_by_the_next(tree: Path) -> None:
    with stopped_at_work(tree) as first:
        os.kill(first.pid, signal.SIGKILL)
        first.wait(timeout=30)
        code, out, said = ended(begin(tree, *INSTALL))
        assert code == 0, said
        assert "a run of install was cut off" in said
        assert "done: " in out
        assert not (tree / "var/lib/trtllm/journal").exists()
