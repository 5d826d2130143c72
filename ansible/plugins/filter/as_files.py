# Copyright: the trtllm-install authors
# SPDX-License-Identifier: Apache-2.0
"""Files that variables make."""

from __future__ import annotations

DOCUMENTATION = r"""
---
name: as_files
short_description: Make a list of YAML files from a mapping of names to contents
version_added: 0.1.0
description:
  - Returns a list of mappings with C(path) and C(content), in the order of the names.
  - The same content gives the same bytes.
positional: folder, suffix
options:
  _input:
    description: Name to content.
    type: dict
    required: true
  folder:
    description: Absolute folder of the files.
    type: str
    required: true
  suffix:
    description: What is added to each name.
    type: str
    default: ""
author:
  - The trtllm-install authors (@trtllm-install)
"""

EXAMPLES = r"""
- name: Show the files that a host will have
  ansible.builtin.debug:
    msg: "{{ host_profiles | trtllm.host.as_files('/etc/trtllm/profiles', '.yaml') }}"
"""

RETURN = r"""
_value:
  description: Files, each with path and content.
  type: list
  elements: dict
"""

import re

import yaml
from ansible.errors import AnsibleFilterError
from ansible.parsing.yaml.dumper import AnsibleDumper

HEADER = "# Written by the role trtllm.host.host.\n"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def as_files(contents: dict, folder: str, suffix: str = "") -> list:
    """Return path and content of each; raises for a name that leaves the folder."""
    files = []
    for name in sorted(contents):
        if not NAME.fullmatch(str(name)):
            raise AnsibleFilterError(f"cannot make a file of {name!r}: not a usable name")
        text = yaml.dump(
            contents[name], Dumper=AnsibleDumper, default_flow_style=False, sort_keys=False
        )
        files.append({"path": f"{folder}/{name}{suffix}", "content": HEADER + text})
    return files


class FilterModule:
    """What Ansible asks a file of filters for."""

    def filters(self) -> dict:
        """Return the filters of this file."""
        return {"as_files": as_files}
