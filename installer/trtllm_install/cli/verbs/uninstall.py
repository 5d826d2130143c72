"""``trtllm-install uninstall``."""

import argparse
import sys

from trtllm_install.app.uninstall import Going, plan_uninstall, uninstall
from trtllm_install.cli.envelope import Envelope
from trtllm_install.cli.present import change_values
from trtllm_install.cli.question import is_agreed
from trtllm_install.cli.wiring import HOST, host_of, reading, waiting, working
from trtllm_install.host.patient import patient
from trtllm_install.host.protocol import Host
from trtllm_install.model.errors import ConfigError, ExitCode


def run(arguments: argparse.Namespace, envelope: Envelope) -> ExitCode:
    """Remove what install wrote."""
    machine = host_of(arguments, HOST)
    if arguments.dry_run:
        return _shown(machine, arguments, envelope)
    if arguments.purge and not arguments.yes:
        _ask(plan_uninstall(machine, purge=True))
    if arguments.purge:  # its log would be one of those that go
        with waiting(arguments, envelope) as tell:
            host = patient(machine, arguments.lock_timeout, tell.note)
            gone = uninstall(host, tell, purge=True)
    else:
        with working(machine, arguments, envelope) as (host, tell):
            gone = uninstall(host, tell, purge=False)
    envelope.add({"changed": bool(gone.removed), "changes": change_values(gone.removed)})
    if not gone.removed:
        envelope.say("nothing is installed")
        return ExitCode.DONE
    envelope.say(f"removed {sum(c.writes for c in gone.removed)} of ours")
    for path in gone.left:
        envelope.say(f"  left: {path}")
    for package in (c for c in gone.removed if c.kind == "package" and not c.writes):
        envelope.say(f"  left: package {package.path} ({package.reason})")
    if not arguments.purge:
        envelope.say("logs, weights and your own configuration stay; --purge removes the logs too")
    envelope.say("the tool itself stays: sudo scripts/bootstrap.sh --remove")
    return ExitCode.DONE


def _shown(host: Host, arguments: argparse.Namespace, envelope: Envelope) -> ExitCode:
    with reading(arguments, envelope):
        going = plan_uninstall(host, purge=arguments.purge)
    envelope.add({"dry_run": True, "changes": change_values(going.changes)})
    for line in _lines(going) or ["nothing is installed"]:
        envelope.say(line)
    return ExitCode.DONE


def _lines(going: Going) -> list[str]:
    return [
        *(f"{c.action.value:<8}{c.path}" for c in going.changes if c.writes),
        *(f"keep    {c.path} ({c.reason})" for c in going.changes if not c.writes),
        *(f"remove  {path} and everything in it" for path in going.contents),
    ]


def _ask(going: Going) -> None:
    """Purging cannot be undone: say what goes, and take only a yes."""
    if not sys.stdin.isatty():
        raise ConfigError("cannot ask whether to purge: no terminal", hint="add --yes")
    for line in _lines(going):
        print(line, file=sys.stderr)  # noqa: T201
    if not is_agreed("Remove all of this?"):
        raise ConfigError("not purged: you did not say yes", hint="sudo trtllm-install uninstall")
