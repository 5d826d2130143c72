# Copyright: the trtllm-install authors
# SPDX-License-Identifier: Apache-2.0
"""Endpoints as ``trtllm-serve disaggregated -c`` reads them."""

from __future__ import annotations

DOCUMENTATION = r"""
---
name: disaggregated
short_description: Make the configuration of trtllm-serve disaggregated from the variables of hosts
version_added: 0.1.0
description:
  - Hosts that say C(rollout_phase) become context or generation servers; others are left out.
positional: port
options:
  _input:
    description: Variables of hosts.
    type: list
    elements: dict
    required: true
  port:
    description: Port of hosts that do not say C(rollout_port), and of the server itself.
    type: int
    required: true
author:
  - The trtllm-install authors (@trtllm-install)
"""

EXAMPLES = r"""
- name: Show the configuration
  ansible.builtin.debug:
    msg: "{{ groups['trtllm_gpu'] | map('extract', hostvars)
      | trtllm.host.disaggregated(8000) }}"
"""

RETURN = r"""
_value:
  description: The configuration.
  type: dict
"""

from ansible.errors import AnsibleFilterError

PHASES = ("context", "generation")


def disaggregated(hosts: list, port: int) -> dict:
    """Return the configuration; raises for a phase that there is not."""
    servers: dict = {phase: [] for phase in PHASES}
    for host in hosts:
        phase = host.get("rollout_phase")
        if phase is None:
            continue
        if phase not in PHASES:
            raise AnsibleFilterError(
                f"cannot place {host['inventory_hostname']}: rollout_phase is {phase!r}, "
                "and must be context or generation"
            )
        address = str(
            host.get("rollout_address") or host.get("ansible_host") or host["inventory_hostname"]
        )
        shown = f"[{address}]" if ":" in address else address
        servers[phase].append(f"{shown}:{host.get('rollout_port', port)}")
    return {
        "hostname": "127.0.0.1",
        "port": port,
        **{
            f"{phase}_servers": {"num_instances": len(urls), "urls": urls}
            for phase, urls in servers.items()
        },
    }


class FilterModule:
    """What Ansible asks a file of filters for."""

    def filters(self) -> dict:
        """Return the filters of this file."""
        return {"disaggregated": disaggregated}
