#!/usr/bin/python
# Copyright: the trtllm-install authors
# SPDX-License-Identifier: Apache-2.0
"""Translates ``trtllm-install drain`` and ``undrain``."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: trtllm_drain
short_description: Take backends out of a proxy's rotation, and put them back
version_added: 0.1.0
description:
  - Runs on the host of the proxy, which for a fleet is a host of the front tier.
  - A drain returns when the backends have no request left; taking it back returns when the proxy
    sees them serve.
author:
  - The trtllm-install authors (@trtllm-install)
extends_documentation_fragment:
  - trtllm.host.tool
attributes:
  check_mode:
    description: Can run in check mode without changing the host.
    support: full
  diff_mode:
    description: Shows which backends get requests before and after.
    support: full
  idempotent:
    description: Running it again changes nothing.
    support: full
options:
  backends:
    description:
      - Names of backends or of peers of the proxy, as M(trtllm.host.trtllm_info) lists them. A peer
        stands for all that it serves.
    type: list
    elements: str
    required: true
  state:
    description:
      - Whether they get no new requests, or get them.
    type: str
    choices: [drained, undrained]
    default: drained
  timeout:
    description:
      - Seconds that running requests, or a backend that comes up, may take. The module fails after
        that, and what it told the proxy holds.
    type: float
    default: 600.0
"""

EXAMPLES = r"""
- name: Take gpu7 out of rotation and wait until it is empty
  trtllm.host.trtllm_drain:
    backends: [gpu7]
  delegate_to: front1
  become: true
"""

RETURN = r"""
backends:
  description: The backends as the proxy saw them at the end; in check mode before.
  type: list
  elements: dict
  returned: when the proxy answered
hint:
  description: What to run next.
  type: str
  returned: on failure
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.trtllm.host.plugins.module_utils.tool import TOOL_SPEC, Tool

SPEC = {
    "backends": {"type": "list", "elements": "str", "required": True},
    "state": {"type": "str", "choices": ["drained", "undrained"], "default": "drained"},
    "timeout": {"type": "float", "default": 600.0},
}


def main() -> None:
    """Drain or undrain, or say which backends that would change."""
    spec = dict(SPEC)
    spec.update(TOOL_SPEC)
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True)
    tool = Tool(module)
    tool.demand()
    names, drained = module.params["backends"], module.params["state"] == "drained"
    document = tool.ask("drain", "--list")
    if not document["ok"]:
        tool.answer(document)
    chosen = [b for b in document["backends"] if b["name"] in names or b.get("peer") in names]
    known = {b["name"] for b in document["backends"]} | {b.get("peer") for b in chosen}
    missing = [name for name in names if name not in known]
    if missing:
        there = ", ".join(sorted(known - {None})) or "none"
        module.fail_json(
            msg="cannot find backend {}: the proxy has {}".format(", ".join(missing), there),
            hint="render the front tier from the inventory first",
            backends=document["backends"],
        )
    diff = {
        "before": listed({b["name"]: b["draining"] for b in chosen}),
        "after": listed({b["name"]: drained for b in chosen}),
    }
    if module.check_mode or not names:
        module.exit_json(changed=diff["before"] != diff["after"], backends=chosen, diff=diff)
    verb = "drain" if drained else "undrain"
    document = tool.ask(verb, "--timeout", str(module.params["timeout"]), *names)
    tool.answer(document, backends=document.get("backends", []), diff=diff)


def listed(draining: dict) -> str:
    """Return one line for each backend."""
    return "".join(
        "{}: {}\n".format(name, "drained" if draining[name] else "in rotation")
        for name in sorted(draining)
    )


if __name__ == "__main__":
    main()
