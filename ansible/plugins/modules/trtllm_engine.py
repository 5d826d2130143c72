#!/usr/bin/python
# Copyright: the trtllm-install authors
# SPDX-License-Identifier: Apache-2.0
"""Translates ``trtllm-install engine add``, ``engine remove`` and ``engine use``."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: trtllm_engine
short_description: Add, switch to or remove a version of TensorRT-LLM
version_added: 0.1.0
description:
  - Engines stand beside one another, so adding one touches nothing that serves.
  - Switching is an install that changes one link. It ends with the old engine serving when the
    new one does not serve.
author:
  - The trtllm-install authors (@trtllm-install)
extends_documentation_fragment:
  - trtllm.host.tool
attributes:
  check_mode:
    description: Can run in check mode without changing the host.
    support: full
  diff_mode:
    description: Shows which engines there are before and after.
    support: full
  idempotent:
    description: Running it again changes nothing.
    support: full
options:
  version:
    description:
      - What the engine is called, a version such as V(1.3.0rc2).
    type: str
    required: true
  state:
    description:
      - V(present) adds it, V(used) switches to it, V(absent) removes it.
    type: str
    choices: [present, used, absent]
    default: present
  source:
    description:
      - Folder of wheels, or a bundle with an engine, on the host. No network is used then.
    type: path
  path:
    description:
      - A virtual environment on the host that is adopted as it is.
    type: path
  index:
    description:
      - A further package index, PyTorch's for the CUDA of the host. Not shown, since it may hold a
        password.
    type: str
  python:
    description:
      - The Python to build with.
    type: path
  accept:
    description:
      - Codes of findings that are taken as warnings.
    type: list
    elements: str
    default: []
  timeout:
    description:
      - With O(state=used), seconds of the longest wait.
    type: float
    default: 3600.0
"""

EXAMPLES = r"""
- name: Build an engine out of a bundle
  trtllm.host.trtllm_engine:
    version: 1.3.0rc2
    source: /srv/trtllm/bundle.tar
  become: true

- name: Switch to it
  trtllm.host.trtllm_engine:
    version: 1.3.0rc2
    state: used
  become: true
"""

RETURN = r"""
engines:
  description: The engines of the host before the run.
  type: list
  elements: dict
  returned: always
findings:
  description: What was found while it was added.
  type: list
  elements: dict
  returned: when the tool ran
hint:
  description: What to run next.
  type: str
  returned: on failure
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.trtllm.host.plugins.module_utils.tool import TOOL_SPEC, Tool

SPEC = {
    "version": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "used", "absent"], "default": "present"},
    "source": {"type": "path"},
    "path": {"type": "path"},
    "index": {"type": "str", "no_log": True},
    "python": {"type": "path"},
    "accept": {"type": "list", "elements": "str", "default": []},
    "timeout": {"type": "float", "default": 3600.0},
}


def main() -> None:
    """Bring one engine to the wanted state, or say what that would do."""
    spec = dict(SPEC)
    spec.update(TOOL_SPEC)
    module = AnsibleModule(
        argument_spec=spec,
        mutually_exclusive=[("source", "path", "index")],
        supports_check_mode=True,
    )
    tool = Tool(module)
    tool.demand()
    engines = tool.ask("engine list")["engines"]
    version, state = module.params["version"], module.params["state"]
    after = wanted(engines, version, state)
    shown = {
        "engines": engines,
        "diff": {"before": listed(engines), "after": listed(after)},
    }
    if state == "used" and not any(e["version"] == version for e in engines):
        module.fail_json(
            msg=f"cannot use engine {version}: it was not added",
            hint="add it first: state: present",
            **shown,
        )
    if listed(after) == listed(engines) and state != "used":
        module.exit_json(changed=False, **shown)
    if module.check_mode:
        module.exit_json(changed=listed(after) != listed(engines), **shown)
    verb = {"present": "engine add", "used": "engine use", "absent": "engine remove"}[state]
    tool.answer(tool.ask(verb, version, *words_of(module.params)), **shown)


def wanted(engines: list, version: str, state: str) -> list:
    """Return the engines as they would be."""
    others = [e for e in engines if e["version"] != version]
    mine = [e for e in engines if e["version"] == version]
    if state == "absent":
        return others
    if state == "used":
        return [dict(e, current=False) for e in others] + [dict(e, current=True) for e in mine]
    return others + (mine or [{"version": version, "current": False}])


def listed(engines: list) -> str:
    """Return engines as text: one a line, a star at the one in use."""
    ordered = sorted(engines, key=lambda engine: engine["version"])
    return "".join("{} {}\n".format("*" if e["current"] else " ", e["version"]) for e in ordered)


def words_of(params: dict) -> list:
    """Return the options of the verb."""
    if params["state"] == "absent":
        return ["--yes"]
    words = []
    for code in params["accept"]:
        words += ["--accept", code]
    if params["state"] == "used":
        return [*words, "--timeout", str(params["timeout"])]
    for name, option in (
        ("source", "--from"),
        ("path", "--path"),
        ("index", "--index"),
        ("python", "--python"),
    ):
        if params[name] is not None:
            words += [option, params[name]]
    return words


if __name__ == "__main__":
    main()
