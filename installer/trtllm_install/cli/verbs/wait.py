"""``trtllm-install wait``."""

import argparse

from trtllm_install.app.operate import wait
from trtllm_install.cli.envelope import Envelope
from trtllm_install.cli.present import live_values
from trtllm_install.cli.wiring import HOST, waiting
from trtllm_install.model.errors import ExitCode


def run(arguments: argparse.Namespace, envelope: Envelope) -> ExitCode:
    """Wait until the services serve."""
    with waiting(arguments, envelope) as tell:
        states = wait(HOST, tell, names=tuple(arguments.services), timeout_s=arguments.timeout)
    envelope.add({"instances": live_values(states)})
    envelope.say(f"healthy: {', '.join(live.name for live in states)}")
    return ExitCode.DONE
