"""Plans, findings and states as text."""

import dataclasses
import json
import shlex

from trtllm_install.app.reporter import Live
from trtllm_install.cli.present import (
    counted,
    finding_lines,
    live_values,
    plan_lines,
    plan_summary,
    plan_values,
    try_it,
)
from trtllm_install.model.findings import Severity, found
from trtllm_install.model.secrets import mask
from trtllm_install.model.tree import Action, Change, Plan, Seen, ServiceAction, ServiceChange

OLD = Seen(kind="file", mode=0o644, owner="root", content=b"a\nb\n")
PLAN = Plan(
    changes=(
        Change(action=Action.CREATE, kind="account", path="trtllm", reason="new"),
        Change(
            action=Action.CREATE, kind="directory", path="/etc/trtllm", reason="new", mode=0o755
        ),
        Change(
            action=Action.REPLACE,
            kind="file",
            path="/etc/trtllm/a",
            reason="ours changed",
            old=OLD,
            content=b"a\nc\n",
        ),
        Change(action=Action.KEEP, kind="file", path="/etc/b", reason="edited here", old=OLD),
        Change(action=Action.CREATE, kind="link", path="/opt/l", reason="new", target="/opt/t"),
        Change(action=Action.REMOVE, kind="file", path="/etc/c", reason="no longer", old=OLD),
    ),
    services=(ServiceChange(action=ServiceAction.RESTART, name="qwen", reason="inputs changed"),),
)


def test_a_plan_is_read_in_the_order_in_which_it_happens_with_its_diffs() -> None:
    assert list(plan_lines(PLAN)) == [
        "+ account trtllm (new)",
        "+ directory /etc/trtllm 0755 root (new)",
        "~ file /etc/trtllm/a (ours changed)",
        "    --- /etc/trtllm/a",
        "    +++ /etc/trtllm/a",
        "    @@ -1,2 +1,2 @@",
        "     a",
        "    -b",
        "    +c",
        "= file /etc/b (edited here)",
        "+ link /opt/l -> /opt/t (new)",
        "- file /etc/c (no longer)",
        "    --- /etc/c",
        "    +++ /dev/null",
        "    @@ -1,2 +0,0 @@",
        "    -a",
        "    -b",
        "! restart qwen (inputs changed)",
    ]


def test_a_plan_in_one_line_leaves_kept_edits_out() -> None:
    assert plan_summary(PLAN) == "6 changes: 1 user, 1 folder, 2 files, 1 link, 1 service"
    assert plan_summary(Plan()) == "0 changes"
    assert plan_summary(Plan(changes=PLAN.changes[3:4])) == "0 changes"


def test_counting() -> None:
    assert [counted(n, "change") for n in (0, 1, 2)] == ["0 changes", "1 change", "2 changes"]


def test_a_plan_for_programs_has_services_last() -> None:
    values = plan_values(PLAN)
    assert len(values) == 7
    assert values[-1] == {
        "action": "restart",
        "kind": "service",
        "path": "qwen",
        "reason": "inputs changed",
    }


def test_findings_are_worst_first_and_consequences_are_left_out() -> None:
    error = found("proxy-binary-missing", "proxy", what="none", remedy="apt-get install nginx")
    muted = dataclasses.replace(error, muted_by="gpu-missing")
    accepted = dataclasses.replace(error, severity=Severity.WARNING, accepted=True)
    note = found("account-absent", "trtllm", what="install makes it", remedy="nothing to do")
    lines = list(finding_lines([note, accepted, muted, error]))
    assert lines == [
        f"error: {error.message}  [proxy-binary-missing]",
        "  fix: apt-get install nginx",
        f"warning: {error.message}  [proxy-binary-missing, accepted]",
        "  fix: apt-get install nginx",
        f"info: {note.message}  [account-absent]",
    ]


def test_an_ending_is_told_only_where_there_was_one() -> None:
    running = Live(name="a", state="healthy", status="", pid=7)
    ended = Live(name="b", state="failed", status="", exit_code=78, exit_reason="unknown key")
    values = live_values([running, ended])
    assert [v["exit"] for v in values] == [None, {"code": 78, "reason": "unknown key"}]


def commands_of(*, keyed: bool = False) -> list[list[str]]:
    lines = list(try_it("http://127.0.0.1:8000", ["nvidia/Qwen3"], keyed=keyed))
    text = "\n".join(lines[1:]).replace("\\\n", " ")
    return [shlex.split(line) for line in text.split("\n")]


def test_the_commands_that_are_shown_have_a_place_for_the_key_that_is_asked_for() -> None:
    for words in commands_of(keyed=True):
        assert words[1:3] == ["-H", "Authorization: Bearer $KEY"]
    shown = "\n".join(try_it("http://127.0.0.1:8000", ["nvidia/Qwen3"], keyed=True))
    assert mask(shown) == shown  # what leaves the tool is masked, and this has no secret


def test_the_commands_that_are_shown_can_be_pasted() -> None:
    models, completion = commands_of()
    assert models == ["curl", "http://127.0.0.1:8000/v1/models"]
    assert completion[:2] == ["curl", "http://127.0.0.1:8000/v1/chat/completions"]
    assert json.loads(completion[-1])["model"] == "nvidia/Qwen3"
