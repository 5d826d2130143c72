"""The command line as a process: signals, closed descriptors, a full disk. Reads only."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lab import checkout

PLAN = ("plan", "--profile", "multi", "--simulate")


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "trtllm_install.cli.main", *words]


def surroundings() -> dict[str, str]:
    mine = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    return {**mine, "PYTHONPATH": str(checkout.ROOT / "installer")}


def shell(redirected: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the command line with its descriptors as ``redirected`` says."""
    return subprocess.run(
        ["bash", "-c", f'"$@" {redirected}', "sh", *command(*words)],
        env=surroundings(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_is_answered_with_one_document(tmp_path: Path, number: signal.Signals) -> None:
    site = tmp_path / "site.yaml"
    os.mkfifo(site)
    process = subprocess.Popen(
        command(*PLAN, "--site", str(site), "--output", "jsonl"),
        env=surroundings(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    # The phase that reads the site file has begun: it waits for somebody who writes.
    read: list[dict[str, Any]] = []
    while not read or read[-1].get("event") != "phase":
        read.append(json.loads(process.stdout.readline()))
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    (document,) = [json.loads(line) for line in out.splitlines()]
    assert (process.returncode, document["exit_code"]) == (130, 130)
    assert document["error"]["code"] == "Interrupted"
    assert "Traceback" not in err


def test_closed_descriptors_are_nobody_s_problem() -> None:
    assert shell(">&-", *PLAN).returncode == 0
    closed = shell("<&- 2>&-", *PLAN, "--output", "json")
    assert (closed.returncode, json.loads(closed.stdout)["kind"]) == (0, "plan")
    for words in (PLAN, ("--help",)):
        piped = shell("| true; exit ${PIPESTATUS[0]}", *words)
        assert (piped.returncode, piped.stderr) == (0, "")
    asked = shell("<&-", "engine", "remove", "1.0")
    assert (asked.returncode, "no terminal" in asked.stderr) == (2, True)


def test_a_full_disk_behind_stdout_is_told() -> None:
    full = shell("> /dev/full", *PLAN)
    assert (full.returncode, "cannot write the answer: no space left" in full.stderr) == (1, True)


def test_talk_that_nobody_hears_is_dropped() -> None:
    """Python would end with 120 where the last of stderr could not be written."""
    ended = shell("2>&1 | true; exit ${PIPESTATUS[0]}", "plan", "--profile", "nope")
    assert ended.returncode == 2


@pytest.mark.parametrize("words", [("render", "x", *PLAN[1:]), ("doctor", "report")])
def test_a_present_folder_that_is_gone_is_told(tmp_path: Path, words: tuple[str, ...]) -> None:
    gone = f"cd {tmp_path} && mkdir gone && cd gone && rmdir ../gone"
    ended = subprocess.run(
        ["bash", "-c", f'{gone} && exec "$@"', "sh", *command(*words)],
        env=surroundings(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, "the present folder was removed" in ended.stderr) == (2, True)
