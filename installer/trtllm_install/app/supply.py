"""Packages of the distribution are fetched before the transaction that installs them."""

from dataclasses import replace

from trtllm_install.app.observe import Judged, judged_findings, look_at, refuse_errors
from trtllm_install.app.options import Options
from trtllm_install.app.packages import ask_distribution
from trtllm_install.app.reporter import Reporter
from trtllm_install.apply import apt
from trtllm_install.host.protocol import Host
from trtllm_install.judge.packages import necessary
from trtllm_install.model.errors import HostError, PreflightFailed
from trtllm_install.model.facts import LeftOut, PackageFacts


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
    return _judged_again(judged, packages, options)


def tell_left_out(
    judged: Judged, left_out: tuple[LeftOut, ...], options: Options, reporter: Reporter
) -> Judged:
    """Return what is found once these failed while they were installed, and say so."""
    packages = judged.facts.packages
    if packages is None or not left_out:
        return judged
    names = {package.name for package in left_out}
    wanted = tuple(name for name in packages.wanted if name not in names)
    left = replace(packages, wanted=wanted, left_out=(*packages.left_out, *left_out))
    again = _judged_again(judged, left, options)
    reporter.findings([finding for finding in again.findings if finding not in judged.findings])
    return again


def _judged_again(judged: Judged, packages: PackageFacts | None, options: Options) -> Judged:
    facts = replace(judged.facts, packages=packages)
    findings = judged_findings(judged.wanted, facts, judged.memory, options, judged.scope)
    return replace(judged, facts=facts, findings=findings)
