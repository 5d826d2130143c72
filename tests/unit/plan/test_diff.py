"""A diff as people know it, without the secrets in it."""

from difflib import unified_diff

from hypothesis import given
from hypothesis import strategies as st

from trtllm_install.model.tree import Action, Change, Seen
from trtllm_install.plan.diff import unified

PATH = "/etc/trtllm/engine/x.yaml"


def change(old: str | None, new: str, action: Action = Action.REPLACE) -> Change:
    seen = Seen(kind="file", mode=0o644, owner="root", content=(old or "").encode())
    return Change(
        action=action,
        kind="file",
        path=PATH,
        reason="edited here, and ours changed",
        old=None if old is None else seen,
        content=new.encode(),
    )


texts = st.lists(st.sampled_from(["a: 1", "b: 2", "c: 3", "", "d: 4"]), max_size=12).map("\n".join)


@given(old=texts, new=texts)
def test_it_is_the_usual_unified_diff(old: str, new: str) -> None:
    usual = unified_diff(old.splitlines(), new.splitlines(), PATH, PATH, lineterm="")
    assert unified(change(old, new)).splitlines() == list(usual)


def test_a_secret_that_changed_is_seen_to_change_and_not_shown() -> None:
    filler = "".join(f"  - other{n}\n" for n in range(9))
    shown = unified(change(f"keys:\n{filler}  - hunter22\n", f"keys:\n{filler}  - hunter33\n"))
    assert "-  ********\n+  ********\n" in shown
    assert "hunter" not in shown  # although the name stands far above the hunk


def test_both_ends_have_their_names() -> None:
    assert unified(change(None, "a: 1")).splitlines()[:2] == ["--- /dev/null", f"+++ {PATH}"]
    gone = unified(change("a: 1", "", Action.REMOVE)).splitlines()
    assert gone == [f"--- {PATH}", "+++ /dev/null", "@@ -1 +0,0 @@", "-a: 1"]


def test_what_is_no_text_is_counted() -> None:
    binary = Change(
        action=Action.CREATE, kind="file", path=PATH, reason="new", content=b"\xff\x00\xfe"
    )
    assert unified(binary) == "(binary, 0 -> 3 bytes)\n"


def test_a_long_diff_is_cut_and_says_so() -> None:
    shown = unified(change(None, "\n".join(map(str, range(1000))))).splitlines()
    assert len(shown) == 401
    assert shown[-1] == "... 603 more lines"
