"""A certificate that an operator brings: judged first, then put where the proxy reads it.

The proxy sees that its files have changed and reloads itself, so nothing here reloads it.
"""

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from trtllm_install.app.keys import demand_proxy
from trtllm_install.app.keys_set import new_account
from trtllm_install.app.operate import installed_receipt
from trtllm_install.app.prove import PROXY
from trtllm_install.app.reporter import Reporter
from trtllm_install.app.services import supervisor_called
from trtllm_install.apply.changes import apply_change
from trtllm_install.apply.detours import refuse_detour
from trtllm_install.host.protocol import Host
from trtllm_install.host.seeing import see
from trtllm_install.judge.tls import judge_tls
from trtllm_install.model import layout
from trtllm_install.model.errors import ConfigError, NeedsRoot, PreflightFailed
from trtllm_install.model.findings import Finding, Severity
from trtllm_install.model.installation import Tls
from trtllm_install.model.pem import Pair
from trtllm_install.model.tree import Action, Change
from trtllm_install.probes.tls import probe_pair
from trtllm_install.proxy.certificate import await_pair, names_certificate
from trtllm_install.receipts.store import read_receipt

_MODE: Final = 0o440


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewal:
    """What bringing a certificate does, or would do."""

    findings: tuple[Finding, ...]
    changes: tuple[Change, ...]  # accounts and folders first
    serves: bool  # a proxy that runs has these files


def judge_pair(machine: Host, pair: Pair, tls: Tls) -> tuple[Finding, ...]:
    """Return what clients and nginx would find wrong with a pair that is not on disk yet.

    Openssl of this machine reads it from its standard input. Raises ConfigError where there
    is none: a pair that nobody judged is not put in the place of one that works.
    """
    facts = probe_pair(machine, pair.certificate, pair.key, tls)
    if facts.is_certificate is None:
        raise ConfigError(
            "cannot judge the certificate: there is no openssl", hint="sudo apt-get install openssl"
        )
    return tuple(judge_tls(facts))


def plan_renewal(
    host: Host, pair: Pair, tls: Tls, findings: tuple[Finding, ...], reporter: Reporter
) -> Renewal:
    """Return what ``renew`` would do; raises as it does, GateFailed and Locked excepted."""
    _demand_root(host)
    if errors := [f for f in findings if f.severity is Severity.ERROR]:
        raise PreflightFailed(
            errors[0].message, hint="bring a certificate that is valid, and the key that it is for"
        )
    receipt = read_receipt(host)
    if receipt is not None:
        demand_proxy(host, reporter)
    return Renewal(
        findings=findings,
        changes=tuple(_changes(host, pair, tls)),
        serves=receipt is not None
        and PROXY in supervisor_called(receipt.supervisor, host).running((PROXY,))
        and names_certificate(host, tls.certificate, tls.key),
    )


def renew(
    host: Host, pair: Pair, tls: Tls, findings: tuple[Finding, ...], reporter: Reporter
) -> Renewal:
    """Put the pair in place and return once a proxy that has these files shows it.

    Each file is old or new after a power cut, never between. Raises NeedsRoot, Locked,
    ConfigError and PreflightFailed with nothing changed, and GateFailed when the proxy does
    not take the pair: it shows the old one then.
    """
    _demand_root(host)
    with host.lock(layout.LOCK):
        renewal = plan_renewal(host, pair, tls, findings, reporter)
        for change in renewal.changes:
            refuse_detour(host, change.path)
            if change.kind == "file":
                host.write(change.path, change.content, mode=_MODE, owner="root", group=layout.USER)
            else:
                apply_change(host, change)
        if renewal.serves:
            reporter.phase(f"await the certificate at {installed_receipt(host).endpoint}")
            await_pair(host, pair)
    return renewal


def _demand_root(host: Host) -> None:
    if not host.is_root():
        hint = "cat fullchain.pem privkey.pem | sudo trtllm-install tls set"
        raise NeedsRoot("cannot read the key: not root", hint=hint)


def _changes(host: Host, pair: Pair, tls: Tls) -> Iterator[Change]:
    files = [
        change
        for path, content in ((tls.key, pair.key), (tls.certificate, pair.certificate))
        if (change := _file(host, path, content))
    ]
    if files and (account := new_account(host)):
        yield account
    for folder in dict.fromkeys(_folders(host, files)):
        yield Change(action=Action.CREATE, kind="directory", path=folder, reason="new", mode=0o755)
    yield from files


def _file(host: Host, path: str, content: bytes) -> Change | None:
    there = see(host, path)
    if there is None:
        action, reason = Action.CREATE, "new"
    elif there.kind != "file" or there.content != content:
        action, reason = Action.REPLACE, "another one"
    elif (there.mode, there.owner, there.group) != (_MODE, "root", layout.USER):
        action, reason = Action.CHMOD, f"was {there.mode:04o} {there.owner}:{there.group}"
    else:
        return None
    return Change(action=action, kind="file", path=path, reason=reason, content=content, mode=_MODE)


def _folders(host: Host, files: list[Change]) -> Iterator[str]:
    """Yield the folders that are not there yet, parents first."""
    for change in files:
        above, missing = posixpath.dirname(change.path), []
        while above != "/" and host.look(above) is None:
            missing.append(above)
            above = posixpath.dirname(above)
        yield from reversed(missing)
