#!/usr/bin/python
# Copyright: the trtllm-install authors
# SPDX-License-Identifier: Apache-2.0
"""Translates ``trtllm-install status`` and the lists of ``engine``, ``rollback`` and ``drain``."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: trtllm_info
short_description: Say what is installed on a host, in which versions, and whether it serves
version_added: 0.1.0
description:
  - Reads a host and changes nothing. A host without the tool, or with nothing installed, is an
    answer and no failure.
  - The filter P(trtllm.host.version_skew#filter) shows where the hosts of a fleet differ.
author:
  - The trtllm-install authors (@trtllm-install)
extends_documentation_fragment:
  - trtllm.host.tool
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
  gather:
    description:
      - What to read. V(backends) needs a proxy that runs, and V(drift) takes the longest.
    type: list
    elements: str
    choices: [status, engines, generations, backends, clients, drift]
    default: [status, engines, generations]
  root:
    description:
      - The tree of an image that is read instead of the host.
    type: path
"""

EXAMPLES = r"""
- name: Ask every host what it serves
  trtllm.host.trtllm_info:
  register: asked
  become: true

- name: Show where they differ
  ansible.builtin.debug:
    msg: "{{ ansible_play_hosts | map('extract', hostvars, 'asked') | trtllm.host.version_skew }}"
  run_once: true
"""

RETURN = r"""
host:
  description: Name of the machine.
  type: str
  returned: always
tool_version:
  description: Version of the tool, null where there is none.
  type: str
  returned: always
too_old:
  description: Whether the tool is older than this collection needs. Nothing else is read then.
  type: bool
  returned: when there is a tool
installed:
  description: Whether anything is installed.
  type: bool
  returned: always
serving:
  description: Whether every service serves.
  type: bool
  returned: with status
profile:
  description: The profile that is installed.
  type: str
  returned: with status
installation:
  description: Generation, supervisor, endpoint, models and versions of what is installed.
  type: dict
  returned: with status
instances:
  description: The services in start order, each with its state.
  type: list
  elements: dict
  returned: with status
engines:
  description: The engines of the host.
  type: list
  elements: dict
  returned: with engines
generations:
  description: The generations that can be returned to, oldest first.
  type: list
  elements: dict
  returned: with generations
drift:
  description: What differs from what was installed, as C(trtllm-install verify) says it.
  type: list
  elements: dict
  returned: with drift
clients:
  description: Names of the clients' keys, null where nobody is asked for one.
  type: list
  elements: str
  returned: with clients, when there is a tool
backends:
  description: The backends of the proxy.
  type: list
  elements: dict
  returned: with backends
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.trtllm.host.plugins.module_utils.tool import (
    NEEDED,
    TOOL_SPEC,
    Tool,
    root_words,
    version_key,
)

# What is read -> the verb, its options, the field of its document.
READS = {
    "engines": ("engine list", (), "engines"),
    "generations": ("rollback", ("--list",), "generations"),
    "backends": ("drain", ("--list",), "backends"),
    "clients": ("keys list", (), "client_names"),
    "drift": ("verify", (), "drift"),
}
# Of those, what can be read of the tree of an image.
OF_A_TREE = {"generations", "drift"}
USAGE = 2  # of status: nothing is installed


def main() -> None:
    """Read the host."""
    spec = {
        "gather": {
            "type": "list",
            "elements": "str",
            "choices": ["status", "engines", "generations", "backends", "clients", "drift"],
            "default": ["status", "engines", "generations"],
        },
        "root": {"type": "path"},
    }
    spec.update(TOOL_SPEC)
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True)
    tool = Tool(module)
    found = {"host": "", "tool_version": tool.version(), "installed": False}
    if found["tool_version"] is None:
        module.exit_json(changed=False, **found)
    # Not refused here: whoever renews the tool has to look first.
    found["too_old"] = version_key(found["tool_version"]) < version_key(NEEDED)
    if found["too_old"]:
        module.exit_json(changed=False, **found)
    gather, root = module.params["gather"], root_words(module.params)
    document = tool.ask("status", *root)
    found["host"] = document["host"]
    found["installed"] = document["exit_code"] != USAGE
    if "status" in gather and found["installed"]:
        found.update(
            serving=document["ok"],
            profile=document["profile"],
            installation=document.get("installation"),
            instances=document["instances"],
        )
    serves_clients = any(instance["name"] == "proxy" for instance in document["instances"])
    if "clients" in gather:
        found["clients"] = None
    for name, (verb, words, field) in READS.items():
        if (root and name not in OF_A_TREE) or (name == "clients" and not serves_clients):
            continue
        if name in gather and (found["installed"] or name == "engines"):
            document = tool.ask(verb, *words, *root)
            if not document["ok"]:
                tool.answer(document)
            found[name] = document[field] if document.get("asks_for_keys", True) else None
    module.exit_json(changed=False, **found)


if __name__ == "__main__":
    main()
