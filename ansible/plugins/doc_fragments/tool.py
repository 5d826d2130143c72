# Copyright: the trtllm-install authors
# SPDX-License-Identifier: Apache-2.0
"""What the documentation of every module says of the tool that it calls."""

from __future__ import annotations


class ModuleDocFragment:
    """Options and attributes that modules share."""

    DOCUMENTATION = r"""
options:
  executable:
    description:
      - The C(trtllm-install) of the host.
    type: path
    default: /usr/local/bin/trtllm-install
attributes:
  platform:
    description: Which systems the module works on.
    platforms: posix
    support: full
notes:
  - The module runs one verb of C(trtllm-install) on the host and translates its JSON document.
    Everything is decided there.
  - Needs root on the host, so use C(become).
  - A tool that is older than this collection needs is refused, with what mends it.
"""

    WISHES = r"""
options:
  profile:
    description:
      - Which profile the host serves.
      - By default the one that the site file names, else the one that is installed.
    type: str
  site:
    description:
      - The site file on the host.
      - By default C(/etc/trtllm/site.yaml).
    type: path
  root:
    description:
      - The tree of an image that is worked on instead of the host. Every other path is one of the
        image.
    type: path
  weights_dir:
    description:
      - Folder on the host that holds the checkpoints.
    type: path
  engine:
    description:
      - Version of an engine that M(trtllm.host.trtllm_engine) has added.
    type: str
  engine_path:
    description:
      - A C(trtllm-serve) on the host, in a virtual environment that is there already.
    type: path
  init:
    description:
      - What runs the services.
    type: str
    choices: [auto, systemd, supervisord]
    default: auto
  simulate:
    description:
      - Use the simulated engine and simulated GPUs.
    type: bool
    default: false
  accept:
    description:
      - Codes of findings that are taken as warnings.
    type: list
    elements: str
    default: []
"""
