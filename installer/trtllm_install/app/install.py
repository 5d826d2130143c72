"""Observe, judge, plan, apply, start, prove."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from trtllm_install.app.converge import (
    Step,
    carry_out,
    note_begun,
    plan_step,
    undo_what_was_cut_off,
)
from trtllm_install.app.observe import Judged, look_at, refuse_errors
from trtllm_install.app.options import Options
from trtllm_install.app.prove import Proof, prove
from trtllm_install.app.reporter import Live, Reporter
from trtllm_install.app.services import supervisor_called
from trtllm_install.app.smoke import try_cuda_first
from trtllm_install.app.start import await_reload, start_services
from trtllm_install.host.protocol import Host
from trtllm_install.model import layout
from trtllm_install.model.errors import Interrupted, NeedsRoot


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """How an install ended."""

    judged: Judged
    step: Step
    services: tuple[Live, ...] = ()
    proofs: tuple[Proof, ...] = ()


def install(host: Host, options: Options, reporter: Reporter) -> Installed:
    """Make the host what is wanted, and prove it.

    Raises NeedsRoot, Locked, ConfigError or PreflightFailed with nothing changed,
    ApplyFailed or Interrupted with every change undone, NotUndone, or GateFailed or
    Interrupted (``installed``) with everything installed.
    """
    if not host.is_root():
        raise NeedsRoot("cannot install: not root", hint="run the same command with sudo")
    with host.lock(layout.LOCK):
        undo_what_was_cut_off(host, reporter)
        judged = look_at(host, options, reporter)
        reporter.findings(judged.findings)
        refuse_errors(judged)
        wanted = judged.wanted.installation
        supervisor = supervisor_called(wanted.supervisor, host)
        step = plan_step(host, supervisor, judged, options)
        reporter.planned(step.plan)
        judged = try_cuda_first(host, judged, step.plan, options, reporter)
        carry_out(host, supervisor, step, reporter)
        if not options.start:
            return Installed(judged=judged, step=step)
        with _everything_installed():
            states = start_services(
                host,
                supervisor,
                step.plan,
                wanted.services,
                reporter,
                begun=lambda names: note_begun(host, step, names),
                timeout_s=options.timeout_s,
            )
            if not step.plan.count:
                return Installed(judged=judged, step=step, services=states)
            await_reload(host, step.plan, step.desired.generation)
            reporter.phase("prove it with a completion from each model")
            proofs = tuple(prove(host, wanted, reporter))
        return Installed(judged=judged, step=step, services=states, proofs=proofs)


@contextmanager
def _everything_installed() -> Iterator[None]:
    """Tell an interrupt from here on for what it is: the wait ends, and nothing else."""
    try:
        yield
    except KeyboardInterrupt:
        raise Interrupted(
            "interrupted: everything is installed, and the services go on starting",
            hint="trtllm-install wait",
            installed=True,
        ) from None
