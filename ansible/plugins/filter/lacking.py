# Copyright: the trtllm-install authors
# SPDX-License-Identifier: Apache-2.0
"""Whether a batch can be taken out of rotation."""

from __future__ import annotations

DOCUMENTATION = r"""
---
name: lacking
short_description: Say which model would have too few hosts without some of them
version_added: 0.1.0
description:
  - Takes the peers that are about to leave the rotation.
positional: rotation, capacity
options:
  _input:
    description: Peers that leave together.
    type: list
    elements: str
    required: true
  rotation:
    description: What P(trtllm.host.in_rotation#filter) returned.
    type: dict
    required: true
  capacity:
    description: Model to the number of peers that must stay in rotation.
    type: dict
    required: true
author:
  - The trtllm-install authors (@trtllm-install)
"""

EXAMPLES = r"""
- name: Demand that two stay
  ansible.builtin.assert:
    that: "(['gpu1', 'gpu2'] | trtllm.host.lacking(rotation, {'qwen': 2})) == ''"
"""

RETURN = r"""
_value:
  description: The model and its figures in words, empty when enough stay.
  type: str
"""

from ansible_collections.trtllm.host.plugins.plugin_utils.capacity import lacking


class FilterModule:
    """What Ansible asks a file of filters for."""

    def filters(self) -> dict:
        """Return the filters of this file."""
        return {"lacking": lacking}
