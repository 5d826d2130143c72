"""All of it or none of it: failure, interruption and death at every single change."""

import pytest

from fakes.fake_host import FakeHost, KilledError
from trtllm_install.apply.transaction import apply_all, recover
from trtllm_install.host.protocol import Completed
from trtllm_install.model import layout
from trtllm_install.model.desired import Account, Desired, Directory, File, Link
from trtllm_install.model.errors import ApplyFailed, Interrupted, NotUndone
from trtllm_install.model.tree import Action, Change, Seen, Tree
from trtllm_install.plan.tree import plan_tree

DESIRED = Desired(
    accounts=(Account(name="trtllm", home="/var/lib/trtllm"),),
    directories=(
        Directory(path="/etc/trtllm"),
        Directory(path="/var/lib/trtllm"),
        Directory(path="/var/lib/trtllm/qwen", mode=0o750, owner="root"),
    ),
    files=(
        File(path="/etc/trtllm/a", content=b"new a", template="t"),
        File(path="/etc/trtllm/b", content=b"new b", template="t", mode=0o600),
    ),
    links=(Link(path="/opt/current", target="new"),),
)


def host() -> FakeHost:
    """A host with an older state of ours, so that every kind of undo is needed."""
    machine = FakeHost()

    def useradd(argv: tuple[str, ...], _: str) -> Completed:
        machine.add_account(argv[-1], "/var/lib/trtllm")
        return Completed(argv=argv, code=0, stdout="", stderr="")

    def userdel(argv: tuple[str, ...], _: str) -> Completed:
        machine.accounts.pop(argv[-1])
        return Completed(argv=argv, code=0, stdout="", stderr="")

    machine.answer_command(["useradd"], by=useradd)
    machine.answer_command(["userdel"], by=userdel)
    machine.add_directory("/etc/trtllm", mode=0o700)
    machine.add_file("/etc/trtllm/a", "old a", mode=0o640)
    machine.add_link("/opt/current", "old")
    return machine


def changes(machine: FakeHost) -> tuple[Change, ...]:
    seen = {}
    for path in DESIRED.paths:
        if entry := machine.look(path):
            content = (machine.read(path) or b"") if entry.kind == "file" else b""
            seen[path] = Seen(
                kind=entry.kind,
                mode=entry.mode,
                owner=entry.owner,
                content=content,
                target=entry.target,
            )
    return plan_tree(DESIRED, Tree(paths=seen), None, "replace")


def run(machine: FakeHost) -> None:
    receipt = Change(
        action=Action.CREATE, kind="file", path=layout.RECEIPT, reason="", content=b"{}"
    )
    apply_all(machine, (*changes(machine), receipt), told=lambda _: None)


def state(machine: FakeHost) -> tuple[object, object]:
    return machine.tree(), dict(machine.accounts)


def finished() -> tuple[object, object]:
    machine = host()
    run(machine)
    return state(machine)


def writes() -> int:
    machine = host()
    run(machine)
    return len(machine.changes)


def test_everything_is_made_and_the_journal_is_gone() -> None:
    machine = host()
    run(machine)
    assert machine.read("/etc/trtllm/a") == b"new a"
    assert machine.resolve("/opt/current") == "/opt/new"
    assert "trtllm" in machine.accounts
    assert machine.look(layout.JOURNAL) is None


@pytest.mark.parametrize("n", range(1, writes() + 1))
def test_a_refusal_at_any_change_leaves_the_old_state(n: int) -> None:
    machine = host()
    before = state(machine)
    machine.fail_at_change = n
    try:
        run(machine)
    except (ApplyFailed, NotUndone):
        recover(machine)
        assert state(machine) in (before, finished())


@pytest.mark.parametrize("when", ["die_before_change", "die_after_change"])
@pytest.mark.parametrize("n", range(1, writes() + 1))
def test_death_at_any_change_is_undone_or_complete_by_the_next_run(n: int, when: str) -> None:
    machine = host()
    before = state(machine)
    setattr(machine, when, n)
    with pytest.raises(KilledError):
        run(machine)
    setattr(machine, when, None)
    recover(machine)
    assert state(machine) in (before, finished())


def test_an_interrupt_is_undone_and_told() -> None:
    machine = host()
    before = state(machine)

    def interrupt(change: Change) -> None:
        if change.path == "/etc/trtllm/b":
            raise KeyboardInterrupt

    with pytest.raises(Interrupted, match="undid"):
        apply_all(machine, changes(machine), told=interrupt)
    assert state(machine) == before


def test_a_recovery_without_a_cut_off_run_does_nothing() -> None:
    machine = host()
    assert recover(machine) == 0
    assert machine.changes == []
