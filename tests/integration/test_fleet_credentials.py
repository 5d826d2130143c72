"""In which order keys change on a fleet, by the play itself and a tool that notes what it is asked.

That no request is refused meanwhile is shown by test_fleet_story.py, on booted hosts.
"""

import json
import subprocess
from pathlib import Path
from typing import Any

from lab import collection

GPUS, FRONT = ("gpu1", "gpu2"), "front1"
KEY, BEFORE = "k" * 40, "b" * 40
TOOL = """#!/bin/sh
[ "$1" != --version ] || { echo trtllm-install 0.1.0; exit 0; }
case "$1 $2" in
  "keys set")
    given=$(cut -d " " -f 1 | tr "\\n" ",")
    echo "%(name)s $* $given" | sed "s/ --output json//" >>"%(folder)s/asked"
    ;;
esac
cat "%(folder)s/answer"
"""
ANSWER = {
    "apiVersion": "trtllm.install/v1",
    "host": "any",
    "tool_version": "0.1.0",
    "ok": True,
    "exit_code": 0,
    "changed": True,
    "dry_run": False,
    "profile": "multi",
    "findings": [],
    "changes": [],
    "instances": [{"name": "proxy"}],
    "installation": {},
    "client_names": ["front-before"],
    "asks_for_keys": True,
    "error": None,
    "log_file": None,
}


def brought(
    folder: Path, away: str = "", *, asks: bool = True, **variables: object
) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    """Bring what is secret to a fleet; return how that ended, and what its tools were asked."""
    collection.place(folder)
    answer = json.dumps({**ANSWER, "asks_for_keys": asks})
    (folder / "answer").write_text(answer, encoding="utf-8")
    hosts: dict[str, dict[str, Any]] = {}
    for number, name in enumerate((*GPUS, FRONT), start=1):
        tool = folder / f"tool-{name}"
        tool.write_text(TOOL % {"name": name, "folder": folder}, encoding="utf-8")
        tool.chmod(0o755)
        hosts[name] = {"host_executable": str(tool), "rollout_address": f"192.0.2.{number}"}
    if away:  # nobody listens at port 1
        hosts[away] |= {"ansible_connection": "ssh", "ansible_host": "127.0.0.1"}
        hosts[away] |= {"ansible_port": 1}
    inventory = {
        "vars": {
            "ansible_connection": "local",
            "ansible_become": False,
            "ansible_python_interpreter": "{{ ansible_playbook_python }}",
            "rollout_models": ["a"],
            "rollout_front_key": KEY,
            **variables,
        },
        "children": {
            "trtllm_gpu": {"hosts": {name: hosts[name] for name in GPUS}},
            "trtllm_front": {"hosts": {FRONT: hosts[FRONT]}},
        },
    }
    (folder / "inventory.json").write_text(json.dumps({"all": inventory}), encoding="utf-8")
    words = ("-i", "inventory.json", "trtllm.host.credentials", "--forks", "1")
    ended = collection.run_play(folder, *words)
    asked = folder / "asked"
    lines = asked.read_text(encoding="utf-8").splitlines() if asked.exists() else []
    return ended, lines


def test_hosts_know_a_new_key_before_it_is_shown_and_an_old_one_goes_after(tmp_path: Path) -> None:
    ended, asked = brought(tmp_path)
    assert ended.returncode == 0, ended.stdout[-3000:]
    known = asked[0].split()[-1]
    assert known.startswith("front-")
    assert asked == [
        *(f"{name} keys set {known}" for name in GPUS),
        f"{FRONT} keys set --peers --exclusive gpu1,gpu2,",
        *(f"{name} keys set --exclusive front- {known}" for name in GPUS),
    ]


def test_hosts_that_ask_for_no_key_yet_are_shown_one_before_they_do(tmp_path: Path) -> None:
    ended, asked = brought(tmp_path, asks=False)
    assert ended.returncode == 0, ended.stdout[-3000:]
    assert asked[0] == f"{FRONT} keys set --peers gpu1,gpu2,"
    assert [line.partition(" ")[0] for line in asked[1:]] == [*GPUS, FRONT, *GPUS]


def test_a_host_out_of_reach_is_shown_the_key_that_it_knows(tmp_path: Path) -> None:
    ended, asked = brought(tmp_path, away="gpu2")
    assert ended.returncode != 0
    known = asked[0].split()[-1]
    assert asked == [
        f"gpu1 keys set {known}",
        f"{FRONT} keys set --peers gpu1,",
        f"gpu1 keys set --exclusive front- {known}",
    ]


def test_a_front_tier_out_of_reach_leaves_both_keys_known(tmp_path: Path) -> None:
    ended, asked = brought(tmp_path, away=FRONT)
    assert ended.returncode != 0
    assert [line.partition(" ")[0] for line in asked] == list(GPUS)
    assert not any("--exclusive" in line for line in asked)


def test_keys_that_the_vault_does_not_have_go_at_the_end_alone(tmp_path: Path) -> None:
    ended, asked = brought(tmp_path, host_keys={"alice": BEFORE}, host_keys_exclusive=True)
    assert ended.returncode == 0, ended.stdout[-3000:]
    shown = asked[0].split()[-1]
    assert set(shown.split(",")) > {"alice"}
    assert asked[:2] == [f"{name} keys set {shown}" for name in GPUS]
    assert asked[-2:] == [f"{name} keys set --exclusive {shown}" for name in GPUS]
