"""``trtllm-install keys set``."""

import argparse
from collections.abc import Iterator

from trtllm_install.app.keys_set import Setting, given_keys, plan_setting, set_keys
from trtllm_install.cli.envelope import Envelope
from trtllm_install.cli.present import change_values, service_value
from trtllm_install.cli.standard_input import heard
from trtllm_install.cli.wiring import HOST, host_of, reading, waiting
from trtllm_install.host.patient import patient
from trtllm_install.model.errors import ExitCode
from trtllm_install.proxy.keys import CLIENTS, PEERS, KeyFile


def run(arguments: argparse.Namespace, envelope: Envelope) -> ExitCode:
    """Take keys from standard input, where no other process sees them."""
    machine = host_of(arguments, HOST)
    file = PEERS if arguments.peers else CLIENTS
    given = given_keys(heard("the keys", "sudo trtllm-install keys set <FILE"), file)
    exclusive = "" if arguments.exclusive is True else arguments.exclusive
    if arguments.plan:
        with reading(arguments, envelope) as tell:
            setting = plan_setting(machine, given, file, tell, exclusive=exclusive)
    else:
        with waiting(arguments, envelope) as tell:
            host = patient(machine, arguments.lock_timeout, tell.note)
            setting = set_keys(host, given, file, tell, exclusive=exclusive)
    envelope.add(
        {
            "changed": not (setting.is_empty or arguments.plan),
            "dry_run": arguments.plan,
            "changes": list(_changes(setting, file)),
            "client_names": [key.name for key in setting.keys],
        }
    )
    for change in setting.changes:
        envelope.say(f"{change.action.value:<8}{change.name} ({change.reason})")
    if setting.is_empty:
        envelope.say("every key is as given")
    return ExitCode.DONE


def _changes(setting: Setting, file: KeyFile) -> Iterator[dict[str, object]]:
    if setting.writes:
        yield from change_values(setting.account)
    for change in setting.changes:
        yield {
            "action": change.action.value,
            "kind": "key",
            "path": change.name,
            "reason": change.reason,
        }
    if setting.guard:
        yield {
            "action": "chmod",
            "kind": "file",
            "path": file.path,
            "reason": setting.guard,
            "diff": "",
        }
    yield from (service_value(change) for change in setting.services)
