# Copyright: the trtllm-install authors
# SPDX-License-Identifier: Apache-2.0
"""Which peers get requests for each model."""

from __future__ import annotations

DOCUMENTATION = r"""
---
name: in_rotation
short_description: Show which peers get requests for each model
version_added: 0.1.0
description:
  - Takes what M(trtllm.host.trtllm_info) said of the proxies of a front tier.
  - A peer counts when every proxy sends it requests and sees it serve.
options:
  _input:
    description: Results of M(trtllm.host.trtllm_info) with backends.
    type: list
    elements: dict
    required: true
author:
  - The trtllm-install authors (@trtllm-install)
"""

EXAMPLES = r"""
- name: Show who serves what
  ansible.builtin.debug:
    msg: "{{ groups['trtllm_front'] | map('extract', hostvars, 'asked')
      | trtllm.host.in_rotation }}"
"""

RETURN = r"""
_value:
  description: Model to names of peers.
  type: dict
"""


def in_rotation(infos: list) -> dict:
    """Return for each model the peers that every proxy sends requests to."""
    fronts = []
    models: set = set()
    for info in infos:
        if info.get("backends") is None:
            continue
        counted = set()
        for backend in info["backends"]:
            models.add(backend["model"])
            if backend["serving"] and not backend["draining"]:
                counted.add((backend["model"], backend["peer"] or backend["name"]))
        fronts.append(counted)
    everywhere = set.intersection(*fronts) if fronts else set()
    return {
        model: sorted(peer for found, peer in everywhere if found == model)
        for model in sorted(models)
    }


class FilterModule:
    """What Ansible asks a file of filters for."""

    def filters(self) -> dict:
        """Return the filters of this file."""
        return {"in_rotation": in_rotation}
