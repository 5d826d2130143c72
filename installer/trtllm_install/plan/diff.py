"""A change as the unified diff that an operator reads before agreeing to it."""

from difflib import unified_diff

from trtllm_install.model.tree import Action, Change

_LONGEST = 400  # lines shown of one file


def unified(change: Change) -> str:
    """Return the diff of a file change, empty when there is no text to compare."""
    if change.kind != "file" or change.action is Action.CHMOD:
        return ""
    old = change.old.content if change.old else b""
    new = b"" if change.action is Action.REMOVE else change.content
    if change.action is Action.KEEP and not change.content:
        return ""
    try:
        before, after = old.decode().splitlines(), new.decode().splitlines()
    except UnicodeDecodeError:
        return f"(binary, {len(old)} -> {len(new)} bytes)\n"
    lines = list(
        unified_diff(
            before,
            after,
            fromfile=change.path if change.old else "/dev/null",
            tofile="/dev/null" if change.action is Action.REMOVE else change.path,
            lineterm="",
        )
    )
    if len(lines) > _LONGEST:
        rest = len(lines) - _LONGEST
        lines = [*lines[:_LONGEST], f"... {rest} more lines"]
    return "\n".join(lines) + "\n" if lines else ""
