# Copyright: the trtllm-install authors
# SPDX-License-Identifier: Apache-2.0
"""Endpoints as Prometheus reads them from a file."""

from __future__ import annotations

DOCUMENTATION = r"""
---
name: file_sd
short_description: Make a file_sd document of Prometheus from endpoints
version_added: 0.1.0
description:
  - Returns a target group for each endpoint, with its models as a label.
options:
  _input:
    description: What P(trtllm.host.endpoints#filter) returned.
    type: list
    elements: dict
    required: true
author:
  - The trtllm-install authors (@trtllm-install)
"""

EXAMPLES = r"""
- name: Show the target groups
  ansible.builtin.debug:
    msg: "{{ groups['trtllm_gpu'] | map('extract', hostvars) | trtllm.host.endpoints(8000)
      | trtllm.host.file_sd }}"
"""

RETURN = r"""
_value:
  description: Target groups.
  type: list
  elements: dict
"""


def file_sd(peers: list) -> list:
    """Return target groups; the label of several models has commas at both ends."""
    groups = []
    for peer in peers:
        scheme, _, target = peer["url"].partition("://")
        labels = {"host": peer["name"], "models": "," + ",".join(peer["models"]) + ","}
        if scheme != "http":  # Prometheus' own word for it
            labels["__scheme__"] = scheme
        groups.append({"targets": [target], "labels": labels})
    return groups


class FilterModule:
    """What Ansible asks a file of filters for."""

    def filters(self) -> dict:
        """Return the filters of this file."""
        return {"file_sd": file_sd}
