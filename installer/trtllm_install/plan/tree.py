"""What is wanted and what is there in, ordered changes out."""

from collections.abc import Iterator

from trtllm_install.model import layout
from trtllm_install.model.desired import Desired
from trtllm_install.model.receipt import Receipt
from trtllm_install.model.tree import Action, Change, Seen, Tree
from trtllm_install.plan.files import OnConflict, offered_files, plan_file, plan_obsolete_file


def plan_tree(
    desired: Desired, tree: Tree, receipt: Receipt | None, on_conflict: OnConflict = "keep"
) -> tuple[Change, ...]:
    """Return the changes, in an order in which each can be made and undone backwards."""
    files = tuple(_files(desired, tree, receipt, on_conflict))
    return (
        *_accounts(desired, tree),
        *_directories(desired, tree),
        *files,
        *_links(desired, tree),
        *plan_removal(desired, tree, receipt, offered=frozenset(offered_files(files))),
    )


def plan_removal(
    desired: Desired,
    tree: Tree,
    receipt: Receipt | None,
    *,
    offered: frozenset[str] = frozenset(),
) -> tuple[Change, ...]:
    """Return the removal of what the receipt owns and ``desired`` no longer names.

    With an empty ``desired`` this is an uninstall. Edited files stay, folders go only
    when nothing is left in them. ``offered`` lie beside an edited file and stay with it.
    What a service of another profile keeps (caches that took minutes) stays ours until then.
    """
    if receipt is None:
        return ()
    wanted = desired.paths | offered
    changes: list[Change] = []
    for path, target in receipt.links.items():
        there = tree.paths.get(path)
        if path not in wanted and there and there.kind == "link" and there.target == target:
            changes.append(_unlink(path, there, receipt.links_before.get(path)))
    for path, owned in receipt.files.items():
        if path not in wanted:
            changes.extend(plan_obsolete_file(path, owned, tree.paths.get(path)))
    changes.extend(
        Change(
            action=Action.REMOVE,
            kind="directory",
            path=path,
            reason="if empty",
            old=tree.paths[path],
        )
        for path in sorted(receipt.directories, reverse=True)  # children before parents
        if path not in wanted and path in tree.paths and not (wanted and _is_state(tree, path))
    )
    accounts = {a.name for a in desired.accounts}
    changes.extend(
        Change(action=Action.REMOVE, kind="account", path=name, reason="made by this tool")
        for name in receipt.accounts
        if name not in accounts and name in tree.accounts
    )
    return tuple(changes)


def _unlink(path: str, there: Seen, before: str | None) -> Change:
    """Our link goes, and one that it took the place of comes back."""
    return Change(
        action=Action.REPLACE if before else Action.REMOVE,
        kind="link",
        path=path,
        reason="as it was before us" if before else "no longer needed",
        old=there,
        target=before or "",
    )


def _is_state(tree: Tree, path: str) -> bool:
    return tree.paths[path].owner == layout.USER


def _accounts(desired: Desired, tree: Tree) -> Iterator[Change]:
    for account in desired.accounts:
        if account.name not in tree.accounts:
            yield Change(
                action=Action.CREATE,
                kind="account",
                path=account.name,
                reason="new",
                target=account.home,
            )


def _directories(desired: Desired, tree: Tree) -> Iterator[Change]:
    for directory in desired.directories:
        there = tree.paths.get(directory.path)
        if there is None:
            action, reason = Action.CREATE, "new"
        elif there.kind == "link":
            continue  # what it points to is not ours; plan/obstacles.py refuses it
        elif (there.mode, there.owner) != (directory.mode, directory.owner):
            action, reason = Action.CHMOD, f"was {there.mode:04o} {there.owner}"
        else:
            continue
        yield Change(
            action=action,
            kind="directory",
            path=directory.path,
            reason=reason,
            old=there,
            mode=directory.mode,
            owner=directory.owner,
        )


def _files(
    desired: Desired, tree: Tree, receipt: Receipt | None, on_conflict: OnConflict
) -> Iterator[Change]:
    for file in desired.files:
        owned = receipt.files.get(file.path) if receipt else None
        yield from plan_file(file, tree.paths, owned, on_conflict)


def _links(desired: Desired, tree: Tree) -> Iterator[Change]:
    for link in desired.links:
        there = tree.paths.get(link.path)
        if there and there.kind == "link" and there.target == link.target:
            continue
        yield Change(
            action=Action.REPLACE if there else Action.CREATE,
            kind="link",
            path=link.path,
            reason=f"was {there.target or there.kind}" if there else "new",
            old=there,
            target=link.target,
        )
