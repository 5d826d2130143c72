"""Progress as lines: what changes, and a sign of life while a model loads."""

import pytest

from trtllm_install.app.reporter import Live
from trtllm_install.cli import plain
from trtllm_install.cli.plain import PlainReporter
from trtllm_install.model import layout
from trtllm_install.model.findings import Severity, found
from trtllm_install.model.tree import Action, Change, Plan, Seen, ServiceAction, ServiceChange


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(plain, "time", clock)
    return clock


def live(state: str, status: str = "shard 1 of 9") -> list[Live]:
    return [Live(name="qwen", state=state, status=status)]


def change(n: int, action: Action = Action.CREATE) -> Change:
    return Change(action=action, kind="file", path=f"/etc/trtllm/{n}", reason="new")


def said(capsys: pytest.CaptureFixture[str]) -> list[str]:
    out, err = capsys.readouterr()
    assert out == ""  # stdout is for the answer
    return err.splitlines()


def test_a_state_is_a_line_when_it_changes(
    capsys: pytest.CaptureFixture[str], clock: Clock
) -> None:
    reporter = PlainReporter()
    for state in ("loading", "loading", "healthy"):
        reporter.live(live(state))
        clock.now += 0.1
    assert said(capsys) == [
        "    qwen        loading    shard 1 of 9",
        "    qwen        healthy    shard 1 of 9",
    ]


def test_a_load_of_minutes_shows_life_every_half_minute(
    capsys: pytest.CaptureFixture[str], clock: Clock
) -> None:
    reporter = PlainReporter()
    for second in range(100):
        clock.now = 100.0 + second
        reporter.live(live("loading", f"second {second}"))
    assert [line.split()[-1] for line in said(capsys)] == ["0", "31", "62", "93"]


def test_a_first_install_is_summed_up_and_a_few_changes_are_named(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for count, lines in ((3, 4), (21, 1)):
        reporter = PlainReporter()
        changes = tuple(change(n) for n in range(count))
        reporter.planned(Plan(changes=changes))
        for one in changes:
            reporter.change(one)
        assert len(said(capsys)) == lines


def test_the_receipt_is_nobodys_news(capsys: pytest.CaptureFixture[str]) -> None:
    reporter = PlainReporter()
    reporter.planned(Plan(changes=(change(1),)))
    reporter.change(Change(action=Action.REPLACE, kind="file", path=layout.RECEIPT, reason="x"))
    assert said(capsys) == ["==> plan: 1 change: 1 file"]


def test_what_is_offered_beside_an_edit_is_shown_as_a_diff(
    capsys: pytest.CaptureFixture[str],
) -> None:
    edited = Seen(kind="file", mode=0o644, owner="root", content=b"batch: 1\ntoken: mine\n")
    fields = {"kind": "file", "reason": "edited", "content": b"batch: 2\ntoken: ours\n"}
    kept = Change(action=Action.KEEP, path="/etc/x", old=edited, **fields)  # type: ignore[arg-type]
    beside = Change(action=Action.CREATE, path="/etc/x.trtllm-new", **fields)  # type: ignore[arg-type]
    PlainReporter().planned(Plan(changes=(kept, beside)))
    lines = [line.strip() for line in said(capsys)]
    assert lines[1] == "keep    /etc/x (edited)"
    assert lines[-4:] == ["-batch: 1", "-token: ********", "+batch: 2", "+token: ********"]
    PlainReporter().planned(Plan(changes=(kept,)))  # the next run: it lies there already
    assert len(said(capsys)) == 2


def test_kept_edits_are_always_named(capsys: pytest.CaptureFixture[str]) -> None:
    PlainReporter().planned(Plan(changes=(change(1, Action.KEEP),)))
    assert said(capsys) == ["==> plan: 0 changes", "    keep    /etc/trtllm/1 (new)"]


def test_only_warnings_are_told_on_the_way_since_errors_tell_themselves(
    capsys: pytest.CaptureFixture[str],
) -> None:
    findings = [
        found("account-absent", "trtllm", what="install makes it"),
        found("port-lingering", "127.0.0.1:8000", what="closing", remedy="wait a minute"),
        found("proxy-binary-missing", "proxy", what="none", remedy="apt-get"),
    ]
    warnings = [f for f in findings if f.severity is Severity.WARNING]
    assert len(warnings) < len(findings)
    PlainReporter().findings(findings)
    lines = said(capsys)
    assert [line for line in lines if "[" in line] == [
        f"    warning: {f.message}  [{f.code}]" for f in warnings
    ]


def test_phases_notes_and_services(capsys: pytest.CaptureFixture[str]) -> None:
    reporter = PlainReporter()
    reporter.phase("check the host")
    reporter.note("all fine")
    reporter.service(ServiceChange(action=ServiceAction.RESTART, name="qwen", reason="edited"))
    assert said(capsys) == [
        "==> check the host",
        "    all fine",
        "    restart service   qwen (edited)",
    ]
