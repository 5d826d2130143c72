#!/usr/bin/python
# Copyright: the trtllm-install authors
# SPDX-License-Identifier: Apache-2.0
"""Translates ``trtllm-install tls set``."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: trtllm_tls
short_description: Put a certificate and its key where the proxy of a host reads them
version_added: 0.1.0
description:
  - Runs C(trtllm-install tls set). The key reaches it by its standard input, and is in no result,
    log, list of processes or temporary file.
  - A pair that does not fit, is damaged or has ended is refused, and what works stays in its place.
  - The proxy takes a renewed certificate in by itself, without a restart, and no request is lost.
    The module returns when it shows it.
author:
  - The trtllm-install authors (@trtllm-install)
extends_documentation_fragment:
  - trtllm.host.tool
attributes:
  check_mode:
    description: Can run in check mode without changing the host.
    support: full
  diff_mode:
    description: Shows the paths that differ, and nothing of their content.
    support: full
  idempotent:
    description: Running it again changes nothing.
    support: full
options:
  certificate:
    description:
      - The certificate as PEM, the chain behind it.
    type: str
    required: true
  key:
    description:
      - Its private key as PEM, without a password.
    type: str
    required: true
  certificate_path:
    description:
      - Where C(proxy.tls.certificate) of the site file says that it is.
    type: path
    default: /etc/trtllm/tls/fullchain.pem
  key_path:
    description:
      - Where C(proxy.tls.key) of the site file says that it is.
    type: path
    default: /etc/trtllm/tls/privkey.pem
  root:
    description:
      - The tree of an image that is worked on instead of the host.
    type: path
seealso:
  - module: trtllm.host.trtllm_install
  - module: trtllm.host.trtllm_keys
"""

EXAMPLES = r"""
- name: Renew the certificate, with a key that Ansible Vault keeps
  trtllm.host.trtllm_tls:
    certificate: "{{ lookup('ansible.builtin.file', 'fullchain.pem') }}"
    key: "{{ vault_tls_key }}"
  become: true
"""

RETURN = r"""
changes:
  description: What was changed, in order; in check mode what would be. Paths alone.
  type: list
  elements: dict
  returned: when the tool answered
findings:
  description: What was found of the certificate, such as that it is about to end.
  type: list
  elements: dict
  returned: when the tool answered
hint:
  description: What to run next.
  type: str
  returned: on failure
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.trtllm.host.plugins.module_utils.tool import TOOL_SPEC, Tool, root_words

SPEC = {
    "certificate": {"type": "str", "required": True},
    "key": {"type": "str", "required": True, "no_log": True},
    "certificate_path": {"type": "path", "default": "/etc/trtllm/tls/fullchain.pem"},
    "key_path": {"type": "path", "default": "/etc/trtllm/tls/privkey.pem"},
    "root": {"type": "path"},
}


def main() -> None:
    """Put the pair in place, or say what that would change."""
    spec = dict(SPEC)
    spec.update(TOOL_SPEC)
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True)
    tool = Tool(module)
    tool.demand()
    params = module.params
    words = [
        *("--certificate", params["certificate_path"], "--key", params["key_path"]),
        *root_words(params),
    ]
    if module.check_mode:
        words.append("--plan")
    given = "{}\n{}\n".format(params["certificate"].strip(), params["key"].strip())
    tool.answer(tool.ask("tls set", *words, given=given))


if __name__ == "__main__":
    main()
