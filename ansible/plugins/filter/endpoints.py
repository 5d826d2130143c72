# Copyright: the trtllm-install authors
# SPDX-License-Identifier: Apache-2.0
"""What the front tier is rendered from, and what others may read."""

from __future__ import annotations

DOCUMENTATION = r"""
---
name: endpoints
short_description: Make the peers of a front tier from the variables of hosts
version_added: 0.1.0
description:
  - Takes the variables of hosts and returns a peer for each, as the site file of the profile
    C(front) has them.
positional: port
options:
  _input:
    description: Variables of hosts.
    type: list
    elements: dict
    required: true
  port:
    description: Port of hosts that do not say C(rollout_port).
    type: int
    required: true
author:
  - The trtllm-install authors (@trtllm-install)
"""

EXAMPLES = r"""
- name: Show the peers
  ansible.builtin.debug:
    msg: "{{ groups['trtllm_gpu'] | map('extract', hostvars) | trtllm.host.endpoints(8000) }}"
"""

RETURN = r"""
_value:
  description: Peers, each with name, url and models, and with tls_name where it has a certificate.
  type: list
"""

import re


def endpoints(hosts: list, port: int) -> list:
    """Return name, url, models and name for TLS of each host, in the order of the inventory."""
    found = []
    for host in hosts:
        address = str(
            host.get("rollout_address") or host.get("ansible_host") or host["inventory_hostname"]
        )
        shown = f"[{address}]" if ":" in address else address
        where = f"{shown}:{host.get('rollout_port', port)}"
        peer = {
            "name": peer_name(host["inventory_hostname"]),
            "url": f"http://{where}",
            "models": list(host.get("rollout_models", [])),
        }
        if speaks_tls(host):
            name = host.get("rollout_tls_name") or host["inventory_hostname"]
            peer |= {"url": f"https://{where}", "tls_name": name}
        found.append(peer)
    return found


def speaks_tls(host: dict) -> bool:
    """Tell whether a host has a certificate, so that it is spoken to by TLS."""
    proxy = (host.get("host_site") or {}).get("proxy") or {}
    return bool(host.get("host_tls_certificate") or proxy.get("tls"))


def peer_name(name: str) -> str:
    """Return what a front tier calls a host: lower-case letters, digits and dashes."""
    return re.sub("[^a-z0-9-]", "-", name.lower())


class FilterModule:
    """What Ansible asks a file of filters for."""

    def filters(self) -> dict:
        """Return the filters of this file."""
        return {"endpoints": endpoints}
