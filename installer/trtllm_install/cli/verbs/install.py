"""``trtllm-install [install]``."""

import argparse
from collections.abc import Callable
from datetime import datetime, timezone
from functools import partial

from trtllm_install.app.install import Installed, install
from trtllm_install.app.observe import Refused
from trtllm_install.app.options import Options
from trtllm_install.app.prove import endpoint_url
from trtllm_install.cli.chorus import Chorus
from trtllm_install.cli.envelope import Envelope
from trtllm_install.cli.present import (
    counted,
    finding_values,
    live_values,
    plan_values,
    try_it,
)
from trtllm_install.cli.values import absolute
from trtllm_install.cli.wiring import HOST, host_of, options_of, working
from trtllm_install.host.protocol import Host
from trtllm_install.model.errors import ConfigError, ExitCode, GateFailed, Interrupted


def run(arguments: argparse.Namespace, envelope: Envelope) -> ExitCode:
    """Make the host serve, and prove it."""
    options = options_of(arguments)
    machine = host_of(arguments, HOST)
    if arguments.bundle and machine.image():
        raise ConfigError(
            "cannot use --bundle with --root: an engine is built on the host that runs it",
            hint="boot the image, and install from the bundle there",
        )
    with working(machine, arguments, envelope) as (host, tell):
        if arguments.bundle:
            work = partial(_from_bundle, host, arguments, options, tell)
        else:
            work = partial(install, host, options, tell)
        return told_install(tell, envelope, work)


def _from_bundle(
    host: Host, arguments: argparse.Namespace, options: Options, tell: Chorus
) -> Installed:
    from trtllm_install.app.bundle_install import install_bundle  # noqa: PLC0415 (rarely asked for)

    return install_bundle(
        host,
        absolute(arguments.bundle),
        options,
        tell,
        pinned=arguments.bundle_sha256 or "",
        today=datetime.now(timezone.utc).isoformat(timespec="seconds"),
    )


def told_install(tell: Chorus, envelope: Envelope, work: Callable[[], Installed]) -> ExitCode:
    """Do an install and answer how it went, also for the verbs that are one in disguise."""
    try:
        done = work()
    except Refused as refused:
        envelope.add({"findings": finding_values(refused.findings)})
        raise
    except (GateFailed, Interrupted) as ended:
        # Where it was not undone, whoever reads the answer must know.
        if (plan := tell.carried_out) and ended.installed:
            envelope.add({"changed": plan.count > 0, "changes": plan_values(plan)})
        raise
    plan, wanted = done.step.plan, done.judged.wanted.installation
    envelope.add(
        {
            "changed": plan.count > 0,
            "findings": finding_values(done.judged.findings),
            "changes": plan_values(plan),
            "instances": live_values(done.outcome.services),
        }
    )
    envelope.say(f"done: {counted(plan.count, 'change')}; {_outcome(done)}")
    if done.outcome.proofs:
        envelope.say()
        for line in try_it(endpoint_url(wanted), list(wanted.models), keyed=done.judged.facts.keys):
            envelope.say(line)
    return ExitCode.DONE


def _outcome(done: Installed) -> str:
    wanted = done.judged.wanted.installation
    if image := done.judged.facts.image:
        return f"profile {wanted.profile} is in {image.folder} and serves once that is booted"
    if not done.outcome.services:
        return f"profile {wanted.profile} is written and not started: trtllm-install start"
    simulated = " (simulated engine)" if wanted.simulate else ""
    return f"profile {wanted.profile} serves on {endpoint_url(wanted)}{simulated}"
