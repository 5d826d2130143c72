"""Packages of the distribution: fetched before the transaction, installed within it."""

from dataclasses import dataclass, replace

from trtllm_install.app.observe import Judged, judged_findings, look_at, refuse_errors
from trtllm_install.app.options import Options
from trtllm_install.app.packages import ask_distribution
from trtllm_install.app.reporter import Reporter
from trtllm_install.apply import apt
from trtllm_install.apply.packages import bring, hold_services
from trtllm_install.apply.transaction import Transaction
from trtllm_install.host.protocol import Host
from trtllm_install.judge.packages import necessary
from trtllm_install.model.errors import HostError, PreflightFailed
from trtllm_install.model.facts import LeftOut, ProxyBinary
from trtllm_install.model.tree import Plan
from trtllm_install.probes.proxy_binary import probe_proxy_binary


@dataclass(frozen=True, slots=True, kw_only=True)
class Supply:
    """What a step takes from the distribution, and the proxy that it counts on then."""

    debs: tuple[str, ...] = ()
    proxy: ProxyBinary | None = None


def fetch_first(host: Host, judged: Judged, options: Options, reporter: Reporter) -> Judged:
    """Download the packages that will be brought; the lists are read where that is needed.

    Returns what was found then. One that only a warning asks for is left out where it cannot
    be had, and the warning says why. Raises PreflightFailed when one that is necessary
    cannot be had, with nothing installed.
    """
    packages = judged.facts.packages
    if packages is None or not packages.can_bring or packages.debs:
        return judged
    reporter.phase("fetch packages of the distribution")
    needed = necessary(packages.wanted)
    try:
        try:
            return _fetched(host, judged, options, reporter)
        except HostError as error:
            if needed == packages.wanted:
                raise
            told = judged.findings
            judged = _without_the_rest(host, judged, options, error.message)
        if needed:
            _download(host, judged, reporter)
    except HostError as error:
        raise PreflightFailed(f"{error.message}; nothing was changed", hint=error.hint) from error
    reporter.findings([finding for finding in judged.findings if finding not in told])
    return judged


def _fetched(host: Host, judged: Judged, options: Options, reporter: Reporter) -> Judged:
    try:
        if judged.facts.packages and judged.facts.packages.lists_read:
            _download(host, judged, reporter)
            return judged
    except HostError as error:
        # The archive has moved on since the lists were read.
        reporter.note(error.message)
    apt.update_lists(host, reporter.note)
    judged = look_at(host, options, reporter)
    refuse_errors(judged)
    _download(host, judged, reporter)
    return judged


def _download(host: Host, judged: Judged, reporter: Reporter) -> None:
    packages = judged.facts.packages
    if packages is None or not packages.can_bring:
        return
    if not packages.lists_read:
        raise HostError(
            f"cannot fetch packages {', '.join(packages.wanted)}: "
            "apt has no list of packages, and apt-get update brought none",
            hint="sudo apt-get update, which says what it cannot reach; "
            "then run the same command again",
        )
    apt.download(host, [package.name for package in packages.brings], reporter.note)


def _without_the_rest(host: Host, judged: Judged, options: Options, why: str) -> Judged:
    """Return what is found when nothing is brought but what is necessary."""
    asked = judged.facts.packages
    wanted, before = (asked.wanted, asked.left_out) if asked else ((), ())
    needed = necessary(wanted)
    out = *before, *(LeftOut(name=name, why=why) for name in wanted if name not in needed)
    installation = judged.wanted.installation
    packages = ask_distribution(host, judged.facts, installation, options, out)
    facts = replace(judged.facts, packages=packages)
    findings = judged_findings(judged.wanted, facts, judged.memory, options, judged.scope)
    return replace(judged, facts=facts, findings=findings)


def bring_packages(
    host: Host, plan: Plan, supply: Supply, reporter: Reporter, transaction: Transaction
) -> None:
    """Install the packages of a plan, and start none of their services.

    Raises HostError, also when the proxy is then not the one that the plan counted on.
    """
    if not plan.packages:
        return
    reporter.phase("install packages of the distribution")
    holds = list(hold_services(host))
    for hold in holds:
        transaction.make(hold)
    names = [change.path for change in plan.packages]
    transaction.make_together(plan.packages, lambda: bring(host, names, supply.debs, reporter.note))
    for hold in reversed(holds):
        transaction.take_back(hold)
    found = probe_proxy_binary(host)
    if supply.proxy and _outline(found) != _outline(supply.proxy):
        raise HostError(
            f"cannot use the packages: expected {_outline(supply.proxy)}, found {_outline(found)}",
            hint="install nginx with ngx_lua and lua-cjson yourself, then run this again",
        )


def _outline(proxy: object) -> tuple[object, ...]:
    """What a rendered configuration holds of the proxy's program."""
    if not isinstance(proxy, ProxyBinary):
        return ("no usable nginx",)
    return proxy.path, proxy.modules, proxy.lua_path, proxy.lua_cpath
