"""Files by dpkg's conffile rule: what we shipped last, what we ship now, what is there."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

from trtllm_install.model import layout
from trtllm_install.model.desired import File
from trtllm_install.model.receipt import OwnedFile
from trtllm_install.model.tree import Action, Change, Seen

OnConflict = Literal["keep", "restore", "replace"]
NEW_SUFFIX = ".trtllm-new"


def plan_file(
    file: File, seen: Mapping[str, Seen], owned: OwnedFile | None, on_conflict: OnConflict
) -> Iterator[Change]:
    """Yield what makes ``file`` true without eating an edit (deb-conffiles(5)).

    Removing a configuration file is an edit too: it stays removed. A program or a
    checkpoint of ours is not for editing, and is written again.
    """
    there = seen.get(file.path)
    if there is None:
        if owned and on_conflict == "keep" and layout.is_configuration(file.path):
            yield _stays_removed(file)
        else:
            yield _write(file, Action.CREATE, "was removed" if owned else "new", None)
    elif there.kind != "file":
        yield _write(file, Action.REPLACE, f"was a {there.kind}", there)
    elif there.digest == file.digest:
        if (there.mode, there.owner) != (file.mode, file.owner):
            was = f"was {there.mode:04o} {there.owner}"
            yield _write(file, Action.CHMOD, was, there)
    elif owned and there.digest == owned.digest:
        yield _write(file, Action.REPLACE, "ours changed", there)
    elif on_conflict == "replace":
        yield _write(file, Action.REPLACE, "edited, and --on-conflict replace", there)
    else:
        yield from _kept(file, there, owned, seen)


def offered_files(changes: Iterable[Change]) -> dict[str, bytes]:
    """Return path → content of every file of ours that lies beside an edited one."""
    return {
        change.path + NEW_SUFFIX: change.content
        for change in changes
        if change.action is Action.KEEP and change.content
    }


def plan_obsolete_file(path: str, owned: OwnedFile, there: Seen | None) -> Iterator[Change]:
    """Yield the removal of a file that is no longer wanted, unless it was edited."""
    if there is None or there.kind != "file":
        return
    if there.digest == owned.digest:
        yield Change(
            action=Action.REMOVE, kind="file", path=path, reason="no longer needed", old=there
        )
    else:
        yield Change(
            action=Action.KEEP, kind="file", path=path, reason="edited; no longer needed", old=there
        )


def _kept(
    file: File, there: Seen, owned: OwnedFile | None, seen: Mapping[str, Seen]
) -> Iterator[Change]:
    """An edit stays; what the operator has not been offered yet is laid beside it.

    What was offered lies there until the operator takes it away or makes it theirs.
    """
    beside = file.path + NEW_SUFFIX
    offered = seen.get(beside)
    lies_there = offered is not None and offered.kind == "file" and offered.digest == file.digest
    nothing_new = owned is not None and owned.digest == file.digest
    origin = "edited here" if owned else "was there before us, and differs"
    if owned and not nothing_new:
        origin = "edited here, and ours changed"
    yield Change(
        action=Action.KEEP,
        kind="file",
        path=file.path,
        reason=origin if nothing_new and not lies_there else f"{origin}; ours is {beside}",
        old=there,
        content=b"" if nothing_new and not lies_there else file.content,
    )
    if not nothing_new and not lies_there:
        action = Action.REPLACE if offered else Action.CREATE
        yield Change(
            action=action,
            kind="file",
            path=beside,
            reason=f"beside {file.path}",
            old=offered,
            content=file.content,
            mode=file.mode,
            owner=file.owner,
        )


def _stays_removed(file: File) -> Change:
    reason = "removed here, and stays removed; --on-conflict restore brings it back"
    return Change(action=Action.KEEP, kind="file", path=file.path, reason=reason)


def _write(file: File, action: Action, reason: str, old: Seen | None) -> Change:
    return Change(
        action=action,
        kind="file",
        path=file.path,
        reason=reason,
        old=old,
        content=file.content,
        mode=file.mode,
        owner=file.owner,
    )
