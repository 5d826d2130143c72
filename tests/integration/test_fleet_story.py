"""Five empty hosts become a served fleet by one playbook, and stay as they are by the next.

Real Ansible over SSH to booted hosts; see tests/lab/fleet.py. The stages share one fleet.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab import checkout, fleet, needs, roots
from lab.visitor import NEMOTRON, QWEN

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]
STAGED = True

GPUS = ("gpu1", "gpu2", "gpu3", "gpu4")
FRONT = "front1"
PLAY = "trtllm.host.rollout"
TOOL = "trtllm-install"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the wheel of this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    argv = (sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation")
    subprocess.run(
        [*argv, "--no-index", "--wheel-dir", str(folder), str(checkout.ROOT)], check=True
    )
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def hosts(wheel: Path) -> Iterator[fleet.Fleet]:
    """Return four hosts for models and one for the front tier, with nothing of ours on them."""
    needs.require("ssh", "ssh-keygen", "ansible-playbook")
    with fleet.Fleet({"trtllm_gpu": GPUS, "trtllm_front": (FRONT,)}) as booted:
        booted.everywhere = {
            "host_tool_source": "wheel",
            "host_tool_wheel": str(wheel),
            "host_tool_environment": {
                "PIP_NO_INDEX": "1",
                "PIP_FIND_LINKS": roots.WHEELS_INSIDE,
                "PIP_NO_COMPILE": "1",
            },
            "host_simulate": True,
            "host_profile": "multi",
            "host_site": {"listen": "0.0.0.0"},
            "host_accept": ["listen-without-keys"],
            "rollout_models": [QWEN, NEMOTRON],
            "rollout_front_site": {"listen": "0.0.0.0"},
            "rollout_batches": [1, "100%"],
            "rollout_capacity": {QWEN: 2, NEMOTRON: 2},
            "rollout_soak": 1,
            "rollout_endpoints_dir": str(booted.folder / "endpoints"),
        }
        booted.write_inventory()
        yield booted


# asking ----------------------------------------------------------------------------
def rolled(hosts: fleet.Fleet, *words: str, **variables: object) -> Any:
    return hosts.ansible("ansible-playbook", PLAY, *words, "-e", json.dumps(variables))


def recap(ended: Any) -> dict[str, dict[str, int]]:
    """Return Ansible's figures: host -> what -> how many."""
    lines = ended.stdout.partition("PLAY RECAP")[2].splitlines()[1:]
    return {
        line.split(":")[0].strip(): {k: int(v) for k, v in re.findall(r"(\w+)=(\d+)", line)}
        for line in lines
        if ":" in line
    }


def assert_whole(ended: Any) -> None:
    assert ended.returncode == 0, ended.stdout[-6000:] + ended.stderr[-2000:]


def assert_answers(hosts: fleet.Fleet, address: str) -> None:
    for model in (QWEN, NEMOTRON):
        program = str(Path(fleet.__file__).with_name("ask.py"))
        words = (sys.executable, program, "--endpoint", f"http://{address}:8000/v1", model)
        ended = hosts.run_here(*words)
        assert ended.returncode == 0, ended.stderr
        assert json.loads(ended.stdout)["completion_tokens"] > 0


def drained(hosts: fleet.Fleet) -> set[str]:
    said = hosts.hosts[FRONT].check(TOOL, "drain", "--list", "--output", "json")
    return {b["peer"] for b in json.loads(said)["backends"] if b["draining"]}


# from nothing ----------------------------------------------------------------------
def test_one_playbook_makes_a_served_fleet_of_empty_hosts(hosts: fleet.Fleet) -> None:
    assert_whole(rolled(hosts))
    assert_answers(hosts, hosts.hosts[FRONT].address)
    peers = json.loads((hosts.folder / "endpoints/endpoints.json").read_text())
    assert [peer["name"] for peer in peers] == list(GPUS)
    assert drained(hosts) == set()


def test_a_second_run_changes_nothing(hosts: fleet.Fleet) -> None:
    ended = rolled(hosts)
    assert_whole(ended)
    figures = recap(ended)
    assert {name: figures[name]["changed"] for name in (*GPUS, FRONT)} == dict.fromkeys(
        (*GPUS, FRONT), 0
    )
