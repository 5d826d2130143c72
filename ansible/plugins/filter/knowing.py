# Copyright: the trtllm-install authors
# SPDX-License-Identifier: Apache-2.0
"""Which proxies of a front tier have a peer."""

from __future__ import annotations

DOCUMENTATION = r"""
---
name: knowing
short_description: Show which hosts of a front tier have a peer
version_added: 0.1.0
description:
  - Takes the results of a loop of M(trtllm.host.trtllm_info) over the hosts of a front tier.
positional: peer
options:
  _input:
    description: Results with C(item) and C(backends).
    type: list
    elements: dict
    required: true
  peer:
    description: Name of the peer.
    type: str
    required: true
author:
  - The trtllm-install authors (@trtllm-install)
"""

EXAMPLES = r"""
- name: Show who sends requests to gpu1
  ansible.builtin.debug:
    msg: "{{ asked.results | trtllm.host.knowing('gpu1') }}"
"""

RETURN = r"""
_value:
  description: Hosts of the front tier.
  type: list
"""


def knowing(results: list, peer: str) -> list:
    """Return the hosts whose proxy has the peer."""
    return [
        result["item"]
        for result in results
        if any(peer in (b["peer"], b["name"]) for b in result.get("backends") or [])
    ]


class FilterModule:
    """What Ansible asks a file of filters for."""

    def filters(self) -> dict:
        """Return the filters of this file."""
        return {"knowing": knowing}
