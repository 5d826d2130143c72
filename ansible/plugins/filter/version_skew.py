# Copyright: the trtllm-install authors
# SPDX-License-Identifier: Apache-2.0
"""Where the hosts of a fleet differ in what they run."""

from __future__ import annotations

DOCUMENTATION = r"""
---
name: version_skew
short_description: Show where hosts differ in tool, engine, profile, keys or state
version_added: 0.1.0
description:
  - Takes what M(trtllm.host.trtllm_info) said of several hosts.
  - Returns a mapping from each thing in which they differ to its values, and from each value to the
    hosts that have it. It is empty when all are alike.
options:
  _input:
    description: Results of M(trtllm.host.trtllm_info).
    type: list
    elements: dict
    required: true
author:
  - The trtllm-install authors (@trtllm-install)
"""

EXAMPLES = r"""
- name: Show where the hosts differ
  ansible.builtin.debug:
    msg: "{{ ansible_play_hosts | map('extract', hostvars, 'asked') | trtllm.host.version_skew }}"
  run_once: true
"""

RETURN = r"""
_value:
  description: Thing, value, hosts. Empty when all are alike.
  type: dict
"""


def version_skew(infos: list) -> dict:
    """Return in what the hosts differ: thing -> value -> hosts."""
    things: dict = {}
    for info in infos:
        installation = info.get("installation") or {}
        said = {
            "tool": info.get("tool_version"),
            "installed_by": installation.get("tool_version"),
            "engine": installation.get("engine"),
            "profile": info.get("profile"),
            "serving": info.get("serving", False),
        }
        if "clients" in info:
            said["clients"] = shown_clients(info["clients"])
        for thing, value in said.items():
            things.setdefault(thing, {}).setdefault(str(value), []).append(info.get("host", ""))
    return {
        thing: {value: sorted(hosts) for value, hosts in sorted(values.items())}
        for thing, values in things.items()
        if len(values) > 1
    }


def shown_clients(names: list | None) -> str:
    """Return whose keys are known; that nobody is asked for one is something else than none."""
    if names is None:
        return "nobody is asked for a key"
    return ", ".join(sorted(names)) or "nobody is let in"


class FilterModule:
    """What Ansible asks a file of filters for."""

    def filters(self) -> dict:
        """Return the filters of this file."""
        return {"version_skew": version_skew}
