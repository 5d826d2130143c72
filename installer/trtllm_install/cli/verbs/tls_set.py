"""``trtllm-install tls set``."""

import argparse
from collections.abc import Iterator

from trtllm_install.app.tls_set import Renewal, judge_pair, plan_renewal, renew
from trtllm_install.cli.envelope import Envelope
from trtllm_install.cli.present import change_value, finding_lines, finding_values
from trtllm_install.cli.standard_input import heard
from trtllm_install.cli.wiring import HOST, host_of, reading, waiting
from trtllm_install.host.patient import patient
from trtllm_install.model.errors import ExitCode
from trtllm_install.model.installation import Tls
from trtllm_install.model.pem import parse_pair


def run(arguments: argparse.Namespace, envelope: Envelope) -> ExitCode:
    """Take a certificate and its key from standard input, where no other process sees them."""
    machine = host_of(arguments, HOST)
    pair = parse_pair(
        heard("the certificate", "cat fullchain.pem privkey.pem | sudo trtllm-install tls set")
    )
    tls = Tls(certificate=arguments.certificate, key=arguments.key)
    findings = judge_pair(HOST, pair, tls)
    envelope.add({"findings": finding_values(findings)})
    if arguments.plan:
        with reading(arguments, envelope) as tell:
            renewal = plan_renewal(machine, pair, tls, findings, tell)
    else:
        with waiting(arguments, envelope) as tell:
            host = patient(machine, arguments.lock_timeout, tell.note)
            renewal = renew(host, pair, tls, findings, tell)
    envelope.add(
        {
            "changed": bool(renewal.changes) and not arguments.plan,
            "dry_run": arguments.plan,
            "changes": list(_changes(renewal)),
        }
    )
    for line in finding_lines(findings):
        envelope.say(line)
    for change in renewal.changes:
        envelope.say(f"{change.action.value:<8}{change.path} ({change.reason})")
    if not renewal.changes:
        envelope.say("certificate and key are as given")
    return ExitCode.DONE


def _changes(renewal: Renewal) -> Iterator[dict[str, object]]:
    """What differs in a key is a secret, and in a certificate says nothing to people."""
    yield from ({**change_value(change), "diff": ""} for change in renewal.changes)
