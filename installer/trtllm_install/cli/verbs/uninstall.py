"""``trtllm-install uninstall``."""

import argparse
import sys

from trtllm_install.app.uninstall import uninstall
from trtllm_install.cli.envelope import Envelope
from trtllm_install.cli.present import change_values
from trtllm_install.cli.wiring import HOST, working
from trtllm_install.model import layout
from trtllm_install.model.errors import ConfigError, ExitCode


def run(arguments: argparse.Namespace, envelope: Envelope) -> ExitCode:
    """Remove what install wrote."""
    if arguments.purge and not arguments.yes:
        _ask()
    with working(HOST, arguments, envelope) as (host, tell):
        gone = uninstall(host, tell, purge=arguments.purge)
    envelope.add({"changed": bool(gone.removed), "changes": change_values(gone.removed)})
    if not gone.removed:
        envelope.say("nothing is installed")
        return ExitCode.DONE
    envelope.say(f"removed {sum(c.writes for c in gone.removed)} of ours")
    for path in gone.left:
        envelope.say(f"  left: {path}")
    envelope.say("the tool itself stays: scripts/bootstrap.sh --remove")
    return ExitCode.DONE


def _ask() -> None:
    """Purging cannot be undone: say what goes, and take only a yes."""
    if not sys.stdin.isatty():
        raise ConfigError("cannot ask whether to purge: no terminal", hint="add --yes")
    print(f"This also removes every log in {layout.LOGS}. Go on? [y/N] ", end="", file=sys.stderr)  # noqa: T201
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        raise ConfigError("not purged: you did not say yes", hint="trtllm-install uninstall")
