#!/usr/bin/python
# Copyright: the trtllm-install authors
# SPDX-License-Identifier: Apache-2.0
"""Translates ``trtllm-install install``, ``rollback`` and ``uninstall``."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: trtllm_install
short_description: Make a host serve a profile, or return to what it served before
version_added: 0.1.0
description:
  - Runs C(trtllm-install install), which makes the host serve a profile as one transaction and
    proves it with a completion from each model. What fails is undone.
  - In check mode it runs C(trtllm-install plan), which is the same computation without the
    changes, and fails where the install would refuse.
  - C(changed) is true when managed state differs, and not because something ran.
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
    description: Shows what differs, with secrets masked.
    support: full
  idempotent:
    description: Running it again changes nothing.
    support: full
options:
  state:
    description:
      - V(present) installs.
      - V(absent) uninstalls; weights, edits and logs stay.
      - V(rolled_back) installs the generation that O(generation) names again, and changes nothing
        when it is the present one.
    type: str
    choices: [present, absent, rolled_back]
    default: present
  generation:
    description:
      - Which generation to return to, a number that M(trtllm.host.trtllm_info) lists.
    type: int
  start:
    description:
      - Whether the services are started, and waited for.
    type: bool
    default: true
  on_conflict:
    description:
      - What to do with files that were edited or removed on the host.
      - V(keep) leaves them so, which is told as a warning.
    type: str
    choices: [keep, restore, replace, fail]
    default: keep
  pin_memory:
    description:
      - Whether each KV cache gets an absolute size. By default that stays as it is.
    type: bool
  site_content:
    description:
      - Text of a site file that is yet to be written. In check mode the plan is made with it.
      - Otherwise it must have been written, and is not read.
    type: str
  mended:
    description:
      - Codes of findings that tasks before this one mend. In check mode they have not done so yet,
        and the plan is made as if they had.
    type: list
    elements: str
    default: []
  timeout:
    description:
      - Seconds of the longest wait.
    type: float
    default: 3600.0
seealso:
  - module: trtllm.host.trtllm_check
  - module: trtllm.host.trtllm_engine
  - module: trtllm.host.trtllm_keys
  - module: trtllm.host.trtllm_tls
"""

EXAMPLES = r"""
- name: Serve both models
  trtllm.host.trtllm_install:
    profile: multi
    weights_dir: /srv/model_weights
  become: true

- name: Go back to the generation before the change
  trtllm.host.trtllm_install:
    state: rolled_back
    generation: 3
  become: true
"""

RETURN = r"""
changes:
  description: What was changed, in order; in check mode what would be.
  type: list
  elements: dict
  returned: when the tool answered
kept:
  description: Files that were edited on the host and stay so.
  type: list
  elements: str
  returned: when the tool answered
findings:
  description: What was found on the host.
  type: list
  elements: dict
  returned: when the tool answered
instances:
  description: The services in start order, the proxy last, each with its state.
  type: list
  elements: dict
  returned: when the tool answered
exit_code:
  description: What the tool ended with.
  type: int
  returned: when the tool answered
log_file:
  description: The log of the run on the host.
  type: str
  returned: on failure
hint:
  description: What to run next.
  type: str
  returned: on failure
"""

import os
import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.trtllm.host.plugins.module_utils.tool import (
    TOOL_SPEC,
    WISHES_EXCLUSIVE,
    WISHES_SPEC,
    Tool,
    blocking,
    root_words,
    wish_words,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

SPEC = {
    "state": {
        "type": "str",
        "choices": ["present", "absent", "rolled_back"],
        "default": "present",
    },
    "generation": {"type": "int"},
    "start": {"type": "bool", "default": True},
    "on_conflict": {
        "type": "str",
        "choices": ["keep", "restore", "replace", "fail"],
        "default": "keep",
    },
    "pin_memory": {"type": "bool"},
    "site_content": {"type": "str", "no_log": True},
    "mended": {"type": "list", "elements": "str", "default": []},
    "timeout": {"type": "float", "default": 3600.0},
}


def main() -> None:
    """Bring the host to the wanted state, or say what that would do."""
    spec = dict(SPEC)
    spec.update(TOOL_SPEC)
    spec.update(WISHES_SPEC)
    module = AnsibleModule(
        argument_spec=spec,
        mutually_exclusive=[*WISHES_EXCLUSIVE, ("site", "site_content")],
        required_if=[("state", "rolled_back", ["generation"])],
        supports_check_mode=True,
    )
    tool = Tool(module)
    tool.demand()
    state = {"present": present, "absent": absent, "rolled_back": rolled_back}
    state[module.params["state"]](tool, module)


def present(tool: Tool, module: AnsibleModule) -> None:
    """Install, or plan an install."""
    params = module.params
    words = [*wish_words(params), "--on-conflict", params["on_conflict"]]
    if params["pin_memory"] is not None:
        words.append("--pin-memory" if params["pin_memory"] else "--unpin-memory")
    if not params["start"]:
        words.append("--no-start")
    if module.check_mode:
        for code in params["mended"]:
            words += ["--accept", code]
        with candidate(module) as site_words:
            document = tool.ask("plan", *words, *site_words)
        # A plan is shown whatever was found; an install refuses, and so must its prediction.
        if document["ok"] and blocking(document):
            document.update(ok=False, changed=False, dry_run=False)
        tool.answer(document, params["mended"])
    words += ["--timeout", str(params["timeout"])]
    tool.answer(tool.ask("install", *words))


@contextmanager
def candidate(module: AnsibleModule) -> Iterator[list]:
    """Write the site file that would be where nobody else reads it; yield its option."""
    content, root = module.params["site_content"], module.params["root"] or ""
    if content is None:
        yield []
        return
    folder = root or module.tmpdir
    with tempfile.NamedTemporaryFile(
        "w", dir=folder, prefix=".trtllm-site.", encoding="utf-8"
    ) as file:
        file.write(content)
        file.flush()
        yield ["--site", "/" + os.path.relpath(file.name, root or "/")]


def absent(tool: Tool, module: AnsibleModule) -> None:
    """Uninstall, or list what would go."""
    word = "--dry-run" if module.check_mode else "--yes"
    tool.answer(tool.ask("uninstall", word, *root_words(module.params)))


def rolled_back(tool: Tool, module: AnsibleModule) -> None:
    """Install a generation again that was installed before, or plan it."""
    words = ["--to", str(module.params["generation"]), *root_words(module.params)]
    if module.check_mode:
        tool.answer(tool.ask("rollback", "--plan", *words))
    tool.answer(tool.ask("rollback", "--timeout", str(module.params["timeout"]), *words))


if __name__ == "__main__":
    main()
