"""A change as the unified diff that an operator reads before agreeing to it."""

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher

from trtllm_install.model.secrets import mask_lines
from trtllm_install.model.tree import Action, Change

_LONGEST = 400  # lines shown of one file
_AROUND = 3  # lines that did not change, above and below one that did


def unified(change: Change) -> str:
    """Return the diff of a file change, empty when there is no text to compare.

    Secrets are masked: a line that changed is shown as changed, its value is not.
    """
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
    lines = list(_hunks(before, after))
    if not lines:
        return ""
    lines = [
        f"--- {change.path if change.old else '/dev/null'}",
        f"+++ {'/dev/null' if change.action is Action.REMOVE else change.path}",
        *lines,
    ]
    if len(lines) > _LONGEST:
        rest = len(lines) - _LONGEST
        lines = [*lines[:_LONGEST], f"... {rest} more lines"]
    return "\n".join(lines) + "\n"


def _hunks(before: Sequence[str], after: Sequence[str]) -> Iterator[str]:
    """What difflib.unified_diff yields, from real lines and with masked ones.

    Masked first and compared then, a secret that changed would look the same.
    """
    old, new = mask_lines(before), mask_lines(after)
    for group in SequenceMatcher(None, before, after).get_grouped_opcodes(_AROUND):
        (_, i, _, j, _), (_, _, i_end, _, j_end) = group[0], group[-1]
        yield f"@@ -{_span(i, i_end)} +{_span(j, j_end)} @@"
        for tag, i1, i2, j1, j2 in group:
            if tag == "equal":
                yield from (f" {line}" for line in old[i1:i2])
                continue
            yield from (f"-{line}" for line in old[i1:i2])
            yield from (f"+{line}" for line in new[j1:j2])


def _span(start: int, stop: int) -> str:
    length = stop - start
    if length == 1:
        return str(start + 1)
    return f"{start + 1 if length else start},{length}"
