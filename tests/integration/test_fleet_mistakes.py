"""Mistakes in an inventory or a variable, by real Ansible: said before any host is asked.

No host of these inventories exists; whoever asked one would wait for it.
"""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from lab import collection

GPU = {"ansible_host": "192.0.2.1", "rollout_models": ["a"], "host_tool_source": "present"}
FRONT = {"ansible_host": "192.0.2.9"}
ALL = {"ansible_connection": "local", "ansible_python_interpreter": "/none/python3"}


def rolled(
    folder: Path, groups: dict[str, dict[str, Any]], **variables: object
) -> subprocess.CompletedProcess[str]:
    collection.place(folder)
    inventory = folder / "inventory.json"
    children = {group: {"hosts": hosts} for group, hosts in groups.items()}
    inventory.write_text(
        json.dumps({"all": {"vars": {**ALL, **variables}, "children": children}}), encoding="utf-8"
    )
    return collection.run_play(folder, "-i", "inventory.json", "trtllm.host.rollout")


@pytest.mark.parametrize(
    ("groups", "variables", "says"),
    [
        ({"trtllm_gpu": {}}, {}, "no host is in the group trtllm_gpu"),
        (
            {"trtllm_gpu": {"g1": GPU}, "trtllm_front": {"g1": FRONT}},
            {},
            "cannot roll out: g1 is in trtllm_gpu and in trtllm_front",
        ),
        (
            {
                "trtllm_gpu": {"g1": {"ansible_host": "192.0.2.1"}},
                "trtllm_front": {"f1": FRONT},
            },
            {},
            "cannot render the front tier: g1 does not say what it serves",
        ),
        (
            {
                "trtllm_gpu": {"g1": {**GPU, "ansible_host": "g1.example"}},
                "trtllm_front": {"f1": FRONT},
            },
            {},
            "cannot render the front tier: g1 has no IP address",
        ),
        (
            {
                "trtllm_gpu": {"192.0.2.1": {**GPU, "host_tls_certificate": "x"}},
                "trtllm_front": {"f1": FRONT},
            },
            {},
            "cannot render the front tier: 192-0-2-1 has a certificate, and no host name",
        ),
        (
            {"trtllm_gpu": {"g1": GPU}, "trtllm_front": {"f1": FRONT}},
            {"rollout_capacity": {"b": 1}},
            "cannot keep 1 hosts in rotation for b: no host serves it",
        ),
        (
            {"trtllm_gpu": {"g1": GPU}, "trtllm_front": {"f1": FRONT}},
            {"rollout_capacity": {"a": 2}},
            "cannot keep 2 hosts in rotation for a: only g1 serve it",
        ),
        (
            {"trtllm_gpu": {"g1": {**GPU, "host_tool_source": "wheel"}}},
            {},
            "the tool on g1: host_tool_source is wheel, and host_tool_wheel is not set",
        ),
        (
            {"trtllm_gpu": {"g1": GPU}},
            {"rollout_soak": "a while"},
            "argument 'rollout_soak' is of type str and we were unable to convert to int",
        ),
        (
            {"trtllm_gpu": {"g1": GPU}},
            {"host_timeout": "soon"},
            "argument 'host_timeout' is of type str and we were unable to convert to float",
        ),
        (
            {"trtllm_gpu": {"g1": GPU}},
            {"host_on_conflict": "overwrite"},
            "value of host_on_conflict must be one of: keep, restore, replace, fail",
        ),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)
def test_a_mistake_is_said_before_any_host_is_touched(
    tmp_path: Path, groups: dict[str, Any], variables: dict[str, object], says: str
) -> None:
    ended = rolled(tmp_path, groups, **variables)
    said = " ".join((ended.stdout + ended.stderr).split())
    assert ended.returncode != 0
    assert says in said, said[-3000:]
    for task in ("Ask for Python", "Roll the host out", "Make the tool"):
        assert f"TASK [trtllm.host.host : {task}]" not in ended.stdout
