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
  - For a model that no proxy sends to anybody, because there is no proxy yet or because it has
    not looked, the peers count that serve by their own account.
positional: peers, serving
options:
  _input:
    description: Results of M(trtllm.host.trtllm_info) with backends.
    type: list
    elements: dict
    required: true
  peers:
    description: What P(trtllm.host.endpoints#filter) returned.
    type: list
    elements: dict
    default: []
  serving:
    description: Names of the peers that serve by their own account.
    type: list
    elements: str
    default: []
author:
  - The trtllm-install authors (@trtllm-install)
"""

EXAMPLES = r"""
- name: Show who serves what
  ansible.builtin.debug:
    msg: "{{ asked.results | trtllm.host.in_rotation(peers, ['gpu1', 'gpu2']) }}"
"""

RETURN = r"""
_value:
  description: Model to names of peers.
  type: dict
"""


def in_rotation(infos: list, peers: list = (), serving: list = ()) -> dict:
    """Return for each model the peers that count as being in rotation."""
    fronts = [told(info["backends"]) for info in infos if info.get("backends") is not None]
    everywhere = set.intersection(*fronts) if fronts else set()
    models = {backend["model"] for info in infos for backend in info.get("backends") or []}
    models.update(model for peer in peers for model in peer["models"])
    rotation = {}
    for model in sorted(models):
        counted = [peer for found, peer in everywhere if found == model]
        by_own_account = [p["name"] for p in peers if model in p["models"] and p["name"] in serving]
        rotation[model] = sorted(counted or by_own_account)
    return rotation


def told(backends: list) -> set:
    """Return model and peer of all that a proxy sends requests to."""
    return {
        (backend["model"], backend["peer"] or backend["name"])
        for backend in backends
        if backend["serving"] and not backend["draining"]
    }


class FilterModule:
    """What Ansible asks a file of filters for."""

    def filters(self) -> dict:
        """Return the filters of this file."""
        return {"in_rotation": in_rotation}
