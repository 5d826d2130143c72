"""``trtllm-install keys remove``."""

import argparse

from trtllm_install.app.keys import remove_key
from trtllm_install.cli.envelope import Envelope
from trtllm_install.cli.verbs.keys_list import show_keys
from trtllm_install.cli.wiring import HOST, waiting
from trtllm_install.model.clientkeys import ADD_ONE, NOBODY
from trtllm_install.model.errors import ExitCode


def run(arguments: argparse.Namespace, envelope: Envelope) -> ExitCode:
    """Refuse a key from now on."""
    with waiting(arguments, envelope) as tell:
        left = remove_key(HOST, arguments.name, tell)
    envelope.add({"changed": True})
    show_keys(envelope, left)
    if not left:
        envelope.note(f"that was the last one; {NOBODY}: {ADD_ONE}")
    return ExitCode.DONE
