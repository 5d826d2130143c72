"""``trtllm-install engine list``."""

import argparse

from trtllm_install.app.engines import list_engines
from trtllm_install.cli.engine_words import engine_lines, engine_values
from trtllm_install.cli.envelope import Envelope
from trtllm_install.cli.wiring import HOST
from trtllm_install.model.errors import ExitCode


def run(arguments: argparse.Namespace, envelope: Envelope) -> ExitCode:  # noqa: ARG001 (one shape)
    """Show the engines that are here."""
    listed = list_engines(HOST)
    envelope.add({"engines": engine_values(listed.engines, listed.generation)})
    for line in engine_lines(listed.engines, listed.generation):
        envelope.say(line)
    return ExitCode.DONE
