"""``trtllm-install keys list``."""

import argparse
from collections.abc import Sequence

from trtllm_install.app.keys import list_keys
from trtllm_install.cli.envelope import Envelope
from trtllm_install.cli.wiring import HOST, reading
from trtllm_install.model.clientkeys import ADD_ONE, NOBODY, Key
from trtllm_install.model.errors import ExitCode


def run(arguments: argparse.Namespace, envelope: Envelope) -> ExitCode:
    """Show the names of the keys; nothing else of them is known."""
    with reading(arguments, envelope) as tell:
        keys = list_keys(HOST, tell)
    show_keys(envelope, keys or ())
    envelope.add({"asks_for_keys": keys is not None})
    if keys is None:
        envelope.say("the proxy asks nobody for a key")
    elif not keys:
        envelope.say(f"{NOBODY}: {ADD_ONE}")
    return ExitCode.DONE


def show_keys(envelope: Envelope, keys: Sequence[Key]) -> None:
    """Put the names into both forms of the answer."""
    envelope.add({"client_names": [key.name for key in keys]})
    for key in keys:
        envelope.say(f"  {key.name:<24}sha256 {key.sha256[:12]}")
