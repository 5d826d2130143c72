"""``trtllm-install engine remove``."""

import argparse
import sys

from trtllm_install.app.engines import remove_engine
from trtllm_install.cli.engine_words import engine_values
from trtllm_install.cli.envelope import Envelope
from trtllm_install.cli.question import is_agreed
from trtllm_install.cli.wiring import HOST, working
from trtllm_install.model.errors import ConfigError, ExitCode


def run(arguments: argparse.Namespace, envelope: Envelope) -> ExitCode:
    """Remove an engine that is not in use."""
    if not arguments.yes:
        _ask(arguments.name)
    with working(HOST, arguments, envelope) as (host, tell):
        gone = remove_engine(host, arguments.name, tell)
    envelope.add({"changed": True, "engines": engine_values([gone], None)})
    envelope.say(f"removed engine {gone.version}")
    if gone.origin == "adopted":
        envelope.say(f"  left: {gone.home}")
    return ExitCode.DONE


def _ask(version: str) -> None:
    if not sys.stdin.isatty():
        raise ConfigError(
            f"cannot ask whether to remove engine {version}: no terminal", hint="add --yes"
        )
    if not is_agreed(f"Remove engine {version}?"):
        raise ConfigError("not removed: you did not say yes", hint="trtllm-install engine list")
