# Copyright: the trtllm-install authors
# SPDX-License-Identifier: Apache-2.0
"""How many hosts a roll-out may take at a time."""

from __future__ import annotations

DOCUMENTATION = r"""
---
name: batches
short_description: Cut hosts into batches that leave the stated capacity in rotation
version_added: 0.1.0
description:
  - Takes peers in the order of a roll-out and returns the sizes of its batches, for C(serial).
  - A batch is as large as was asked for, or as the capacity allows. It is an error when a single
    host is too much.
  - The peers of a batch are in rotation when the next one begins.
positional: sizes, rotation, capacity, peers
options:
  _input:
    description: Peers in the order of the roll-out.
    type: list
    elements: str
    required: true
  sizes:
    description: Wanted sizes, numbers or percentages; the last one holds for the rest.
    type: list
    elements: raw
    required: true
  rotation:
    description: What P(trtllm.host.in_rotation#filter) returned.
    type: dict
    required: true
  capacity:
    description: Model to the number of peers that must stay in rotation.
    type: dict
    required: true
  peers:
    description: What P(trtllm.host.endpoints#filter) returned.
    type: list
    elements: dict
    default: []
author:
  - The trtllm-install authors (@trtllm-install)
"""

EXAMPLES = r"""
- name: Show the batches
  ansible.builtin.debug:
    msg: "{{ ['gpu1', 'gpu2', 'gpu3'] | trtllm.host.batches([1, '50%'], rotation, {'qwen': 2}) }}"
"""

RETURN = r"""
_value:
  description: Sizes of the batches.
  type: list
  elements: int
"""

from ansible.errors import AnsibleFilterError
from ansible_collections.trtllm.host.plugins.plugin_utils.capacity import lacking


def batches(order: list, sizes: list, rotation: dict, capacity: dict, peers: list = ()) -> list:
    """Return the sizes of batches, each of which leaves the capacity."""
    left, result = list(order), []
    wanted = [count_of(size, len(left)) for size in sizes]
    while left:
        size = min(wanted[min(len(result), len(wanted) - 1)], len(left))
        while size and (short := lacking(left[:size], rotation, capacity)):
            size -= 1
        if not size:
            raise AnsibleFilterError(f"cannot take {left[0]} out of rotation: {short}")
        result.append(size)
        rotation = joined(rotation, left[:size], peers)
        left = left[size:]
    return result


def joined(rotation: dict, batch: list, peers: list) -> dict:
    """Return who is in rotation once a batch has come back."""
    serves = {peer["name"]: peer["models"] for peer in peers}
    return {
        model: sorted({*there, *(name for name in batch if model in serves.get(name, ()))})
        for model, there in rotation.items()
    }


def count_of(size: object, total: int) -> int:
    """Return how many hosts a size means: a number, or a percentage of all."""
    text = str(size).strip()
    try:
        count = int(float(text[:-1]) / 100 * total) if text.endswith("%") else int(text)
    except ValueError as error:
        raise AnsibleFilterError(
            f"cannot read batch size {size!r}: no number, no percentage"
        ) from error
    return max(1, count)


class FilterModule:
    """What Ansible asks a file of filters for."""

    def filters(self) -> dict:
        """Return the filters of this file."""
        return {"batches": batches}
