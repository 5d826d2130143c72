"""What is wanted against what is there: the plan, and carrying it out."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from trtllm_install import __version__
from trtllm_install.app.desired import desired_tree, see_tree
from trtllm_install.app.observe import Judged
from trtllm_install.app.options import Options
from trtllm_install.app.prepare import Wanted
from trtllm_install.app.prove import endpoint_url
from trtllm_install.app.reporter import Reporter
from trtllm_install.app.start import order
from trtllm_install.apply.transaction import apply_all, recover
from trtllm_install.host.protocol import Host
from trtllm_install.model.desired import Desired, content_digest
from trtllm_install.model.errors import (
    ApplyFailed,
    EditsKept,
    GateFailed,
    Interrupted,
)
from trtllm_install.model.receipt import OwnedFile, Receipt
from trtllm_install.model.tree import Action, Fingerprint, Plan, ServiceAction, ServiceChange, Tree
from trtllm_install.plan.files import offered_files
from trtllm_install.plan.services import fingerprints, plan_services
from trtllm_install.plan.tree import plan_tree
from trtllm_install.receipts.store import receipt_change, write_receipt
from trtllm_install.supervisors.protocol import Supervisor


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A plan together with everything it was made from."""

    wanted: Wanted
    desired: Desired
    tree: Tree
    receipt: Receipt | None
    plan: Plan


def undo_what_was_cut_off(host: Host, reporter: Reporter) -> None:
    """Undo the changes of a run that was killed; raises NotUndone when the machine refuses."""
    if undone := recover(host):
        reporter.note(f"a run that was cut off had begun {undone} changes; they are undone")


def plan_step(host: Host, supervisor: Supervisor, judged: Judged, options: Options) -> Step:
    """Return what ``install`` will do; reads only. Raises EditsKept with --on-conflict fail."""
    wanted, receipt = judged.wanted, judged.receipt
    desired = desired_tree(wanted, judged.facts, receipt, options.engine_path)
    tree = see_tree(host, desired, receipt)
    changes = plan_tree(
        desired, tree, receipt, "replace" if options.on_conflict == "replace" else "keep"
    )
    kept = [change.path for change in changes if not change.writes]
    if kept and options.on_conflict == "fail":
        raise EditsKept(
            f"cannot go on: edited here: {', '.join(kept)}",
            hint="trtllm-install plan shows the differences; then --on-conflict keep or replace",
        )
    now = fingerprints(desired, tree, changes)
    before = receipt.services if receipt else {}
    known = dict.fromkeys([*(s.name for s in desired.services), *before])
    running = supervisor.running(tuple(known))
    if options.start:
        services = plan_services(desired, now, receipt, running)
    else:
        # What does not run will be started, by whomever, with what is written now.
        services = ()
        now = {name: before.get(name, new) if name in running else new for name, new in now.items()}
    plan = Plan(changes=changes, services=services, fingerprints=now)
    return Step(wanted=wanted, desired=desired, tree=tree, receipt=receipt, plan=plan)


def carry_out(host: Host, supervisor: Supervisor, step: Step, reporter: Reporter) -> None:
    """Stop what is no longer wanted, then write the files as one transaction.

    Raises ApplyFailed, Interrupted or NotUndone as ``apply_all`` does; services that
    were stopped run again by then. Raises GateFailed when a stop is refused: then no
    file has changed.
    """
    if not step.plan.count:
        return
    reporter.phase("apply the plan")
    order(supervisor, step.plan.stopping, reporter)  # while its unit still has a name
    written = receipt_change(host, replace(made_receipt(step), services=_still_running(step)))
    try:
        apply_all(host, (*step.plan.changes, written), told=reporter.change)
    except (ApplyFailed, Interrupted):
        _start_again(supervisor, step.plan.stopping, reporter)
        raise


def _start_again(
    supervisor: Supervisor, stopped: Sequence[ServiceChange], reporter: Reporter
) -> None:
    """Their files are back, and so are they; a refusal must not hide what went wrong before."""
    again = [
        ServiceChange(action=ServiceAction.START, name=c.name, reason="as it was") for c in stopped
    ]
    with suppress(GateFailed):
        order(supervisor, again, reporter)


def note_begun(host: Host, step: Step, names: Sequence[str]) -> None:
    """Record in the receipt that these services now run with what was written."""
    if not step.plan.count:
        return
    fresh = {name: step.plan.fingerprints[name] for name in names}
    write_receipt(host, replace(made_receipt(step), services=_still_running(step) | fresh))


def _still_running(step: Step) -> dict[str, Fingerprint]:
    """What services run with before any is begun anew: a crash must not make us forget it."""
    before = step.receipt.services if step.receipt else {}
    old = {c.name for c in step.plan.starting if c.action is not ServiceAction.START}
    rest = {name: new for name, new in step.plan.fingerprints.items() if name not in old}
    return rest | {name: before[name] for name in old if name in before}


def made_receipt(step: Step) -> Receipt:
    """Return the receipt of the host once the plan is carried out."""
    before, desired = step.receipt, step.desired
    created = [c for c in step.plan.changes if c.action is Action.CREATE]
    removed = {c.path for c in step.plan.changes if c.action is Action.REMOVE}
    directories = {c.path for c in created if c.kind == "directory"}
    accounts = {c.path for c in created if c.kind == "account"}
    installation = step.wanted.installation
    return Receipt(
        generation=(before.generation if before else 0) + 1,
        profile=installation.profile,
        supervisor=installation.supervisor,
        simulate=installation.simulate,
        weights_dir=installation.weights_dir,
        tool_version=__version__,
        endpoint=endpoint_url(installation),
        models=tuple(instance.model for instance in installation.instances),
        order=installation.services,
        files={
            **{f.path: OwnedFile(digest=f.digest, template=f.template) for f in desired.files},
            **_offered(step),
        },
        directories=tuple(
            sorted(directories.union(before.directories if before else ()) - removed)
        ),
        links={link.path: link.target for link in desired.links},
        links_before=_links_before(step),
        accounts=tuple(sorted(accounts.union(before.accounts if before else ()))),
        services=step.plan.fingerprints,
    )


def _links_before(step: Step) -> dict[str, str]:
    """Links of the operator that ours took the place of, remembered for the uninstall."""
    before = step.receipt
    known = dict(before.links_before) if before else {}
    ours = before.links if before else {}
    taken = {
        change.path: change.old.target
        for change in step.plan.changes
        if change.kind == "link" and change.old and change.old.kind == "link"
        if change.action is Action.REPLACE and change.path not in ours
    }
    wanted = {link.path for link in step.desired.links}
    return {path: target for path, target in (known | taken).items() if path in wanted}


def _offered(step: Step) -> dict[str, OwnedFile]:
    """Files laid beside an edited one are ours too, and go when they are no longer needed."""
    return {
        path: OwnedFile(digest=content_digest(content), template="beside an edited file")
        for path, content in offered_files(step.plan.changes).items()
    }
