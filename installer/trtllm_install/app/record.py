"""What is written down of an installed whole: its receipt, and a copy to roll back to."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from trtllm_install import __version__
from trtllm_install.app.prove import endpoint_url
from trtllm_install.host.protocol import Host
from trtllm_install.model import layout
from trtllm_install.model.desired import Desired, content_digest
from trtllm_install.model.installation import Installation
from trtllm_install.model.receipt import OwnedFile, Receipt
from trtllm_install.model.tree import Action, Change, Plan
from trtllm_install.plan.files import offered_files
from trtllm_install.receipts.generations import generation_changes, kept_numbers
from trtllm_install.receipts.store import receipt_change


def outline_of(installation: Installation, pins: Mapping[str, Mapping[str, float]]) -> Receipt:
    """Return what a receipt says of an installation before anything is made."""
    return Receipt(
        generation=0,
        profile=installation.profile,
        supervisor=installation.supervisor,
        simulate=installation.simulate,
        weights_dir=installation.weights_dir,
        tool_version=__version__,
        endpoint=endpoint_url(installation),
        models=installation.models,
        order=installation.services,
        pins=pins,
    )


def record_changes(host: Host, receipt: Receipt, desired: Desired) -> Iterator[Change]:
    """Yield the changes that write it down, the receipt last."""
    yield from generation_changes(host, receipt, desired)
    yield receipt_change(host, receipt)


def next_number(host: Host, before: Receipt | None, tree: str) -> int:
    """Return the number of a whole: its own again when it is what is installed already.

    A number is never used twice, also after a rollback to an older one.
    """
    if before and before.tree == tree:
        return before.generation
    return max((*kept_numbers(host), before.generation if before else 0)) + 1


def made_receipt(outline: Receipt, desired: Desired, before: Receipt | None, plan: Plan) -> Receipt:
    """Return the receipt of the host once the plan is carried out."""
    created = [c for c in plan.changes if c.action is Action.CREATE]
    removed = {c.path for c in plan.changes if c.action is Action.REMOVE}
    directories = {c.path for c in created if c.kind == "directory"}
    # Logs outlive an undo, and are ours all the same.
    directories |= {d.path for d in desired.directories if d.path == layout.LOGS}
    accounts = {c.path for c in created if c.kind == "account"}
    packages = {c.path for c in plan.packages}
    return replace(
        outline,
        files={
            **{f.path: OwnedFile(digest=f.digest, template=f.template) for f in desired.files},
            **_offered(plan),
        },
        directories=tuple(
            sorted(directories.union(before.directories if before else ()) - removed)
        ),
        links={link.path: link.target for link in desired.links},
        links_before=_links_before(desired, before, plan),
        accounts=tuple(sorted(accounts.union(before.accounts if before else ()))),
        packages=tuple(sorted(packages.union(before.packages if before else ()))),
        services=plan.fingerprints,
    )


def _links_before(desired: Desired, before: Receipt | None, plan: Plan) -> dict[str, str]:
    """Links of the operator that ours took the place of, remembered for the uninstall."""
    known = dict(before.links_before) if before else {}
    ours = before.links if before else {}
    taken = {
        change.path: change.old.target
        for change in plan.changes
        if change.kind == "link" and change.old and change.old.kind == "link"
        if change.action is Action.REPLACE and change.path not in ours
    }
    wanted = {link.path for link in desired.links}
    return {path: target for path, target in (known | taken).items() if path in wanted}


def _offered(plan: Plan) -> dict[str, OwnedFile]:
    """Files laid beside an edited one are ours too, and go when they are no longer needed."""
    return {
        path: OwnedFile(digest=content_digest(content), template="beside an edited file")
        for path, content in offered_files(plan.changes).items()
    }
