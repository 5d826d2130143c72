"""Who is rolled out, and how many at a time, by the play itself and what a front tier says.

The part of the play that decides runs as it is, behind a play that stands for the check. The
tool of the front tier answers only where Ansible has gone to the front tier to ask it.
"""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab import checkout, collection

GPUS = ("gpu1", "gpu2", "gpu3", "gpu4")
MODEL = "a"
REACHED = "REACHED_THE_FRONT_TIER"
CONNECTION = f"""
from ansible.plugins.connection.local import Connection as Local

DOCUMENTATION = '''
name: reaching
short_description: Local, and says so
description: Local, and says so.
author: [the tests]
'''

class Connection(Local):
    transport = "reaching"

    def exec_command(self, cmd, in_data=None, sudoable=True):
        return super().exec_command("export {REACHED}=1; " + cmd, in_data, sudoable)
"""
TOOL = f"""#!/bin/sh
[ -n "${REACHED}" ] || {{ echo "asked on the wrong host" >&2; exit 1; }}
[ "$1" != --version ] || {{ echo trtllm-install 0.1.0; exit 0; }}
exec cat "$(dirname "$0")/answer"
"""
CHECKED: dict[str, Any] = {
    "hosts": "all",
    "gather_facts": False,
    "tasks": [
        {
            "ansible.builtin.set_fact": {
                "rollout_name": "{{ inventory_hostname }}",
                "rollout_checked": True,
                "rollout_serves": "{{ serves }}",
                "host_pending": True,
            }
        }
    ],
}


def backends(*serving: str) -> list[dict[str, Any]]:
    return [
        {
            "name": f"{peer}/{MODEL}",
            "peer": peer,
            "model": MODEL,
            "state": "healthy",
            "serving": peer in serving,
            "draining": False,
            "in_flight": 0,
        }
        for peer in GPUS
    ]


def decided(folder: Path, said: list[dict[str, Any]] | None, *, serves: bool) -> str:
    """Let the play decide; return what it says, spaces made one."""
    collection.place(folder)
    plays = [CHECKED, play_of_the_rollout("Decide")]
    return played(folder, plays, said, serves=serves)


def play_of_the_rollout(name: str) -> Any:
    text = (checkout.ROOT / "ansible/playbooks/rollout.yml").read_text(encoding="utf-8")
    (play,) = (play for play in yaml.safe_load(text) if play["name"] == name)
    return play


def played(
    folder: Path, plays: list[Any], said: list[dict[str, Any]] | None, *, serves: bool
) -> str:
    """Run plays on a fleet whose front tier says this; return what they print."""
    (folder / "play.json").write_text(json.dumps(plays), encoding="utf-8")
    (folder / "plugins").mkdir()
    (folder / "plugins/reaching.py").write_text(CONNECTION, encoding="utf-8")
    tool = folder / "trtllm-install"
    tool.write_text(TOOL, encoding="utf-8")
    tool.chmod(0o755)
    answer = {
        "apiVersion": "trtllm.install/v1",
        "host": "front1",
        "ok": True,
        "exit_code": 0,
        "profile": "front",
        "installation": {},
        "instances": [],
        "backends": said,
    }
    (folder / "answer").write_text(json.dumps(answer), encoding="utf-8")
    gpus = {name: {"ansible_host": f"192.0.2.{n}"} for n, name in enumerate(GPUS)}
    front = {"ansible_connection": "reaching", "host_executable": str(tool)}
    inventory = {
        "vars": {
            "ansible_connection": "local",
            "ansible_become": False,
            "serves": serves,
            "ansible_python_interpreter": "{{ ansible_playbook_python }}",
            "rollout_models": [MODEL],
            "rollout_capacity": {MODEL: 2},
            "rollout_batches": [1, "100%"],
        },
        "children": {
            "trtllm_gpu": {"hosts": gpus},
            "trtllm_front": {"hosts": {} if said is None else {"front1": front}},
        },
    }
    (folder / "inventory.json").write_text(json.dumps({"all": inventory}), encoding="utf-8")
    ended = collection.run_play(
        folder,
        *("-i", "inventory.json", "play.json"),
        ANSIBLE_CONNECTION_PLUGINS=str(folder / "plugins"),
    )
    return " ".join((ended.stdout + ended.stderr).split())


@pytest.mark.parametrize(
    ("said", "serves", "wanted"),
    [
        (backends(*GPUS), True, "gpu1, gpu2, gpu3, gpu4 in batches of 1, 2, 1"),
        (backends("gpu2", "gpu3"), True, "gpu1, gpu2, gpu3, gpu4 in batches of 1, 1, 2"),
        (backends("gpu1"), True, "gpu1 out of rotation: a would have 0 in rotation, and 2 must"),
        # Nobody is in rotation there, so that those count that serve all the same.
        (backends(), True, "gpu1, gpu2, gpu3, gpu4 in batches of 1, 2, 1"),
        (None, True, "gpu1, gpu2, gpu3, gpu4 in batches of 1, 2, 1"),
        (None, False, "gpu1, gpu2, gpu3, gpu4 in batches of 1, 3"),
    ],
    ids=["all", "two", "one", "none by the front", "no front", "empty fleet"],
)
def test_the_play_never_takes_more_than_the_capacity_allows(
    tmp_path: Path, said: list[dict[str, Any]] | None, *, serves: bool, wanted: str
) -> None:
    output = decided(tmp_path, said, serves=serves)
    assert wanted in output, output[-3000:]


def test_hosts_that_may_fail_the_check_are_left_out_and_told(tmp_path: Path) -> None:
    """The others are done; the play fails all the same."""
    collection.place(tmp_path)
    done = {"ansible.builtin.set_fact": {"rollout_done": True}}
    plays = [
        {**CHECKED, "hosts": "all:!gpu4"},
        play_of_the_rollout("Decide"),
        {"hosts": "trtllm_rollout", "gather_facts": False, "tasks": [done]},
        play_of_the_rollout("Say how it ended"),
    ]
    plays[1]["vars"] = {"rollout_max_check_failures": 1}
    output = played(tmp_path, plays, backends(*GPUS), serves=True)
    assert "gpu4: out of reach" in output
    assert "gpu1, gpu2, gpu3 in batches of 1, 2" in output
    assert "the roll-out left hosts out: 3 of 3 hosts are done; failed the check: gpu4;" in output
