# Copyright: the trtllm-install authors
# SPDX-License-Identifier: Apache-2.0
"""What a batch of a roll-out would take from the capacity of a model."""

from __future__ import annotations


def lacking(batch: list, rotation: dict, capacity: dict) -> str:
    """Return which model would have too few peers without this batch, empty if none."""
    for model, least in sorted(capacity.items()):
        peers = rotation.get(model, [])
        left = [peer for peer in peers if peer not in batch]
        # A batch that serves nothing yet takes nothing away.
        if len(left) < len(peers) and len(left) < int(least):
            return f"{model} would have {len(left)} in rotation, and {least} must stay"
    return ""
