"""Files by dpkg's conffile rule: what we shipped last, what we ship now, what is there."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

from trtllm_install.model.desired import File
from trtllm_install.model.receipt import OwnedFile
from trtllm_install.model.tree import Action, Change, Seen

OnConflict = Literal["keep", "replace"]
NEW_SUFFIX = ".trtllm-new"


def plan_file(
    file: File, seen: Mapping[str, Seen], owned: OwnedFile | None, on_conflict: OnConflict
) -> Iterator[Change]:
    """Yield what makes ``file`` true without eating an edit (deb-conffiles(5))."""
    there = seen.get(file.path)
    if there is None:
        reason = "was removed" if owned else "new"
        yield _write(file, Action.CREATE, reason, None)
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
    """An edit stays; only what the operator has not been offered yet is laid beside it."""
    if owned and owned.digest == file.digest:
        yield Change(
            action=Action.KEEP, kind="file", path=file.path, reason="edited here", old=there
        )
        return
    beside = file.path + NEW_SUFFIX
    origin = "edited here, and ours changed" if owned else "was there before us, and differs"
    yield Change(
        action=Action.KEEP,
        kind="file",
        path=file.path,
        reason=f"{origin}; ours is {beside}",
        old=there,
        content=file.content,
    )
    offered = seen.get(beside)
    if offered is None or offered.kind != "file" or offered.digest != file.digest:
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
