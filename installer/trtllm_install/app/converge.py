"""What is wanted against what is there: the plan, and carrying all of it out."""

from dataclasses import dataclass, field, replace
from typing import Literal

from trtllm_install.app.bring import Supply, bring_packages
from trtllm_install.app.desired import desired_again, see_tree
from trtllm_install.app.gate import await_serving
from trtllm_install.app.observe import Judged
from trtllm_install.app.options import Options
from trtllm_install.app.prove import Proof, prove
from trtllm_install.app.record import made_receipt, next_number, outline_of, record_changes
from trtllm_install.app.reporter import Live, Reporter
from trtllm_install.app.start import await_reload, order, start_services
from trtllm_install.app.transact import all_or_nothing
from trtllm_install.apply.transaction import Transaction
from trtllm_install.host.protocol import Host
from trtllm_install.judge.packages import brought, expected_proxy
from trtllm_install.model.desired import Desired
from trtllm_install.model.errors import EditsKept
from trtllm_install.model.facts import LeftOut
from trtllm_install.model.receipt import Receipt
from trtllm_install.model.tree import Change, Plan, Tree
from trtllm_install.plan.hidden import without_hidden
from trtllm_install.plan.obstacles import refuse_obstacles
from trtllm_install.plan.packages import plan_packages
from trtllm_install.plan.services import fingerprints, plan_boot, plan_services
from trtllm_install.plan.tree import plan_tree
from trtllm_install.receipts.generations import tree_digest
from trtllm_install.supervisors.protocol import Supervisor

OnConflict = Literal["keep", "restore", "replace", "fail"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """From one installed whole to the next: a plan with everything it was made from."""

    outline: Receipt  # what is known of the new whole before it is made; generation 0: a new one
    desired: Desired
    tree: Tree
    receipt: Receipt | None  # of the old one
    plan: Plan
    supply: Supply = field(default_factory=Supply)

    @property
    def touchable(self) -> tuple[str, ...]:
        """Every service that the step may touch, in start order."""
        before = self.receipt.order if self.receipt else ()
        return tuple(dict.fromkeys((*self.outline.order, *before)))

    @property
    def is_empty(self) -> bool:
        """Tell whether the host is what is wanted, also by name."""
        before = self.receipt.generation if self.receipt else 0
        return not self.plan.count and self.outline.generation in {0, before}


@dataclass(frozen=True, slots=True, kw_only=True)
class How:
    """How a step is carried out."""

    verb: str
    start: bool = True
    keep_failed: bool = False  # leave what was installed when a service or a proof fails
    timeout_s: float = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What it came to: services and proofs only where something was started."""

    step: Step  # as it was carried out
    left_out: tuple[LeftOut, ...] = ()  # packages that failed, and that nothing waits for
    services: tuple[Live, ...] = ()
    proofs: tuple[Proof, ...] = ()


def plan_step(host: Host, supervisor: Supervisor, judged: Judged, options: Options) -> Step:
    """Return what ``install`` will do; reads only. Raises as ``plan_towards`` does."""
    wanted, receipt, facts = judged.wanted, judged.receipt, judged.facts
    desired, origin = desired_again(host, wanted, facts, receipt)
    return plan_towards(
        host,
        supervisor,
        replace(outline_of(wanted.installation, wanted.pins), origin=origin, wish=wanted.wish),
        desired,
        receipt,
        on_conflict=options.on_conflict,
        start=options.start,
        packages=tuple(plan_packages(facts.packages)),
        supply=Supply(
            wanted=brought(facts),
            folder=options.package_folder,
            debs=facts.packages.debs if facts.packages else (),
            proxy=expected_proxy(facts),
        ),
    )


def plan_towards(
    host: Host,
    supervisor: Supervisor,
    outline: Receipt,
    desired: Desired,
    receipt: Receipt | None,
    *,
    on_conflict: OnConflict = "keep",
    start: bool = True,
    packages: tuple[Change, ...] = (),
    supply: Supply | None = None,
) -> Step:
    """Return the step from what is on the host to ``desired``; reads only.

    Raises EditsKept with ``on_conflict`` fail, and ConfigError when something that is
    neither ours nor an edit is in the way.
    """
    tree = see_tree(host, desired, receipt)
    refuse_obstacles(desired, tree, receipt, replaces=on_conflict == "replace")
    changes = plan_tree(desired, tree, receipt, "keep" if on_conflict == "fail" else on_conflict)
    kept = [change.path for change in changes if not change.writes]
    if kept and on_conflict == "fail":
        raise EditsKept(
            f"cannot go on: edited or removed here: {', '.join(kept)}",
            hint="trtllm-install plan shows the differences; "
            "then --on-conflict keep, restore or replace",
        )
    now = fingerprints(desired, tree, changes)
    before = receipt.services if receipt else {}
    known = dict.fromkeys([*(s.name for s in desired.services), *before])
    running = supervisor.running(tuple(known))
    if start and host.image():
        services = plan_boot(enabled=supervisor.enabled())
    elif start:
        services = plan_services(desired, now, receipt, running)
    else:
        # What does not run will be started, by whomever, with what is written now.
        services = ()
        now = {name: before.get(name, new) if name in running else new for name, new in now.items()}
    plan = Plan(changes=(*packages, *changes), services=services, fingerprints=now)
    plan = without_hidden(plan, desired, tree)
    return Step(
        outline=outline,
        desired=desired,
        tree=tree,
        receipt=receipt,
        plan=plan,
        supply=supply or Supply(),
    )


def carry_out(
    host: Host, supervisor: Supervisor, step: Step, reporter: Reporter, how: How
) -> Outcome:
    """Make the step as one transaction, from the first stop to the last proof.

    Returns with all of it done. Raises as ``all_or_nothing`` does, and then the host is
    as it was. An empty plan only waits until everything serves, and undoes nothing.
    """
    if step.is_empty:
        services = _await_all(host, supervisor, step, reporter, how)
        return Outcome(step=step, services=services)
    with all_or_nothing(
        host,
        supervisor,
        step.touchable,
        reporter,
        verb=how.verb,
        changing=step.plan.changes,
        keep_failed=how.keep_failed,
    ) as transaction:
        reporter.phase("apply the plan")
        # While their units still have a name.
        order(supervisor, step.plan.stopping, reporter, transaction.announce)
        plan, out = bring_packages(host, step.plan, step.supply, reporter, transaction)
        step = replace(step, plan=plan)
        _write(host, step, transaction, start=how.start)
        if not how.start:
            return Outcome(step=step, left_out=out)
        if host.image():
            transaction.announce("activate")
            order(supervisor, step.plan.starting, reporter, transaction.announce)
            return Outcome(step=step, left_out=out)
        states = start_services(
            host,
            supervisor,
            step.plan.starting,
            step.outline.order,
            reporter,
            announce=transaction.announce,
            timeout_s=how.timeout_s,
        )
        await_reload(host, step.plan, step.desired.generation)
        reporter.phase("prove it with a completion from each model")
        proofs = tuple(prove(host, step.outline, reporter))
        return Outcome(step=step, left_out=out, services=states, proofs=proofs)


def _write(host: Host, step: Step, transaction: Transaction, *, start: bool) -> None:
    """Files, then the record of them: whoever asks while services start finds a receipt."""
    tree = tree_digest(step.desired)
    number = step.outline.generation or next_number(host, step.receipt, tree)
    started = start or (step.receipt is not None and step.receipt.started)
    new = replace(step.outline, generation=number, tree=tree, started=started)
    receipt = made_receipt(new, step.desired, step.receipt, step.plan)
    for change in step.plan.changes:
        if change.kind != "package":  # these are there by now
            transaction.make(change)
    for change in record_changes(host, receipt, step.desired):
        transaction.make(change)


def _await_all(
    host: Host, supervisor: Supervisor, step: Step, reporter: Reporter, how: How
) -> tuple[Live, ...]:
    if not how.start or host.image():
        return ()
    reporter.phase("wait until everything serves")
    names = step.outline.order
    return await_serving(host, supervisor, names, reporter, timeout_s=how.timeout_s, replaced={})
