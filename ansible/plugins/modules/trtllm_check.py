#!/usr/bin/python
# Copyright: the trtllm-install authors
# SPDX-License-Identifier: Apache-2.0
"""Translates ``trtllm-install check``."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: trtllm_check
short_description: Say every reason why the models would not run on a host
version_added: 0.1.0
description:
  - Runs C(trtllm-install check), which reads the host and changes nothing.
  - Fails with every reason, each with the command that mends it, when an install would refuse.
  - Findings that stop nothing become warnings.
author:
  - The trtllm-install authors (@trtllm-install)
extends_documentation_fragment:
  - trtllm.host.tool
  - trtllm.host.tool.wishes
attributes:
  check_mode:
    description: Can run in check mode without changing the host.
    support: full
  diff_mode:
    description: Shows what would differ.
    support: none
  idempotent:
    description: Running it again changes nothing.
    support: full
options:
  smoke:
    description:
      - Also run a small CUDA kernel on each GPU that our services do not use.
    type: bool
    default: false
  deep:
    description:
      - Also read and hash every file of the weights.
    type: bool
    default: false
seealso:
  - module: trtllm.host.trtllm_install
"""

EXAMPLES = r"""
- name: Learn whether these hosts can serve both models
  trtllm.host.trtllm_check:
    profile: multi
    weights_dir: /srv/model_weights
  become: true
"""

RETURN = r"""
findings:
  description: What was found, as C(docs/reference/json-output.md) describes it.
  type: list
  elements: dict
  returned: when the tool answered
profile:
  description: The profile that was checked.
  type: str
  returned: when the tool answered
tool_version:
  description: Version of the tool on the host.
  type: str
  returned: when the tool answered
hint:
  description: What to run next.
  type: str
  returned: on failure
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.trtllm.host.plugins.module_utils.tool import (
    TOOL_SPEC,
    WISHES_EXCLUSIVE,
    WISHES_SPEC,
    Tool,
    wish_words,
)


def main() -> None:
    """Check the host; fail with every reason why an install would refuse."""
    spec = {"smoke": {"type": "bool", "default": False}, "deep": {"type": "bool", "default": False}}
    spec.update(TOOL_SPEC)
    spec.update(WISHES_SPEC)
    module = AnsibleModule(
        argument_spec=spec, mutually_exclusive=WISHES_EXCLUSIVE, supports_check_mode=True
    )
    tool = Tool(module)
    tool.demand()
    words = wish_words(module.params)
    words += ["--" + name for name in ("smoke", "deep") if module.params[name]]
    tool.answer(tool.ask("check", *words))


if __name__ == "__main__":
    main()
