#!/usr/bin/python
# Copyright: the trtllm-install authors
# SPDX-License-Identifier: Apache-2.0
"""Translates ``trtllm-install keys set``."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: trtllm_keys
short_description: Make keys of a vault the keys of clients, or those shown to peers
version_added: 0.1.0
description:
  - Runs C(trtllm-install keys set). The secrets reach it by its standard input, and are in no
    result, log or list of processes.
  - Of a client's key the host keeps the SHA-256 alone. A key that is shown to peers is kept whole,
    in a file for the user of the proxy.
  - The proxy is reloaded where it does not follow, and no request is lost by it.
author:
  - The trtllm-install authors (@trtllm-install)
extends_documentation_fragment:
  - trtllm.host.tool
attributes:
  check_mode:
    description: Can run in check mode without changing the host.
    support: full
  diff_mode:
    description: Shows the names of keys that differ, and nothing of the keys.
    support: full
  idempotent:
    description: Running it again changes nothing.
    support: full
options:
  keys:
    description:
      - Name to secret, 32 to 512 of C(A-Z a-z 0-9 . _ ~ + / = -).
      - C(openssl rand -hex 32) makes one.
      - With O(peers), name of the peer to the key that it asks for, of any length.
      - From the first key of a client on, every client needs one.
    type: dict
    required: true
  exclusive:
    description:
      - Whether keys go that are not in O(keys).
      - Without keys nobody would be let in, so O(keys) may not be empty.
    type: bool
    default: false
  prefix:
    description:
      - With O(exclusive), only keys go whose names begin with this.
    type: str
    default: ""
  peers:
    description:
      - Whether they are the keys that peers ask this proxy for, rather than those of its clients.
    type: bool
    default: false
  root:
    description:
      - The tree of an image that is worked on instead of the host.
    type: path
seealso:
  - module: trtllm.host.trtllm_install
  - module: trtllm.host.trtllm_tls
"""

EXAMPLES = r"""
- name: Let the clients of the vault in, and nobody else
  trtllm.host.trtllm_keys:
    keys: "{{ vault_client_keys }}"
    exclusive: true
  become: true

- name: Show gpu1 and gpu2 the key that they ask for
  trtllm.host.trtllm_keys:
    keys: "{{ dict(['gpu1', 'gpu2'] | product([vault_front_key])) }}"
    peers: true
  become: true
"""

RETURN = r"""
client_names:
  description: Names of the keys that there are; in check mode, that there would be.
  type: list
  elements: str
  returned: when the tool answered
changes:
  description: What was changed, in order; in check mode what would be. Names alone.
  type: list
  elements: dict
  returned: when the tool answered
hint:
  description: What to run next.
  type: str
  returned: on failure
"""

import re

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.trtllm.host.plugins.module_utils.tool import TOOL_SPEC, Tool, root_words

SPEC = {
    "keys": {"type": "dict", "required": True, "no_log": True},
    "exclusive": {"type": "bool", "default": False},
    "prefix": {"type": "str", "default": ""},
    "peers": {"type": "bool", "default": False},
    "root": {"type": "path"},
}


def main() -> None:
    """Set the keys, or say which ones that would change."""
    spec = dict(SPEC)
    spec.update(TOOL_SPEC)
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True)
    tool = Tool(module)
    tool.demand()
    params = module.params
    words = root_words(params)
    if params["peers"]:
        words.append("--peers")
    if params["exclusive"]:
        words += ["--exclusive", *([params["prefix"]] if params["prefix"] else [])]
    if module.check_mode:
        words.append("--plan")
    document = tool.ask("keys set", *words, given=lines_of(module))
    name_the_line(document, sorted(params["keys"]))
    tool.answer(document, client_names=document.get("client_names", []))


def lines_of(module: AnsibleModule) -> str:
    """Return a line for each key; one with a line break in it would be two."""
    lines = []
    for name, key in sorted(module.params["keys"].items()):
        line = f"{name} {str(key).strip()}"
        if len(line.splitlines()) != 1:
            module.fail_json(
                msg=f"cannot take the key of {name}: there is a line break in it",
                hint="make one with openssl rand -hex 32",
            )
        lines.append(line + "\n")
    return "".join(lines)


def name_the_line(document: dict, names: list) -> None:
    """Say whose key an error is about; the tool shows no part of a line, which may be a key."""
    error = document["error"]
    line = re.search(r"\bline (\d+)", error["message"]) if error else None
    if line and int(line[1]) <= len(names):
        error["message"] = error["message"].replace(line[0], names[int(line[1]) - 1], 1)


if __name__ == "__main__":
    main()
