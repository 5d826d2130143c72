"""Observe, judge, plan, apply, start, prove."""

from dataclasses import dataclass

from trtllm_install.app.converge import How, Outcome, Step, carry_out, plan_step
from trtllm_install.app.observe import Judged, look_at, refuse_errors
from trtllm_install.app.options import Options
from trtllm_install.app.packages import keep_in_mind
from trtllm_install.app.reporter import Reporter
from trtllm_install.app.services import supervisor_called
from trtllm_install.app.smoke import try_cuda_first
from trtllm_install.app.supply import fetch_first, tell_left_out
from trtllm_install.app.undo import undo_what_was_cut_off
from trtllm_install.host.protocol import Host
from trtllm_install.model import layout
from trtllm_install.model.errors import NeedsRoot


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """How an install ended."""

    judged: Judged
    step: Step
    outcome: Outcome


def install(host: Host, options: Options, reporter: Reporter) -> Installed:
    """Make the host what is wanted, and prove it.

    Raises NeedsRoot, Locked, ConfigError, EditsKept or PreflightFailed with nothing
    changed; ApplyFailed, GateFailed or Interrupted with everything undone (``installed``
    says where it stays); NotUndone with the steps that are left.
    """
    if not host.is_root():
        raise NeedsRoot("cannot install: not root", hint="run the same command with sudo")
    with host.lock(layout.LOCK):
        undo_what_was_cut_off(host, reporter)
        judged = look_at(host, options, reporter)
        reporter.findings(judged.findings)
        refuse_errors(judged)
        supervisor = supervisor_called(judged.wanted.installation.supervisor, host)
        judged = fetch_first(host, judged, options, reporter)
        step = plan_step(host, supervisor, judged, options)
        reporter.planned(step.plan)
        judged = try_cuda_first(host, judged, step.plan, options, reporter)
        how = How(
            verb="install",
            start=options.start,
            keep_failed=not options.rollback,
            timeout_s=options.timeout_s,
        )
        outcome = carry_out(host, supervisor, step, reporter, how)
        judged = tell_left_out(judged, outcome.left_out, options, reporter)
        keep_in_mind(host, judged.facts.packages, options)
        return Installed(judged=judged, step=outcome.step, outcome=outcome)
