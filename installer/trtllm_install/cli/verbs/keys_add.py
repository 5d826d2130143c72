"""``trtllm-install keys add``."""

import argparse

from trtllm_install.app.keys import add_key
from trtllm_install.cli.envelope import Envelope
from trtllm_install.cli.wiring import HOST, waiting
from trtllm_install.model.errors import ExitCode


def run(arguments: argparse.Namespace, envelope: Envelope) -> ExitCode:
    """Make a key, and show it this once: alone on stdout, so that it can be piped."""
    with waiting(arguments, envelope) as tell:
        key = add_key(HOST, arguments.name, tell)
    envelope.add({"changed": True})
    envelope.reveal("key", key)
    envelope.note("the key is shown this once; only its hash is kept")
    return ExitCode.DONE
