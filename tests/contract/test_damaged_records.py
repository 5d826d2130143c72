"""A receipt, a journal, a generation, damaged at any byte: one clear error, nothing half done."""

import json
import os
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from fakes.command_line import INSTALL, CommandLine, Ran
from fakes.fake_host import KilledError
from fakes.fake_systemd import FakeSystemd, debian
from fakes.faulty_host import FaultyHost
from fakes.heard import Heard
from fakes.installed import MULTI, installed, twin
from trtllm_install.app.converge import How, carry_out, plan_step
from trtllm_install.app.observe import look_at
from trtllm_install.app.services import supervisor_called
from trtllm_install.apply.journal import Journal
from trtllm_install.model import layout
from trtllm_install.model.errors import ConfigError
from trtllm_install.model.sealed import seal
from trtllm_install.receipts.store import read_receipt

_EXAMPLES = 1000 if os.environ.get("TRTLLM_WALK") == "1" else 20
GENERATION = f"{layout.GENERATIONS}/000001.json"
VERBS = (
    ("status",),
    ("verify",),
    ("check", *INSTALL[1:]),
    ("plan", *INSTALL[1:]),
    INSTALL,
    ("restart", "qwen"),
    ("logs", "qwen"),
    ("wait",),
    ("rollback", "--list"),
    ("rollback",),
    ("engine", "list"),
    ("uninstall",),
)
ONCE = settings(
    max_examples=_EXAMPLES,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture
def line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    return CommandLine(monkeypatch, capsys)


def at(line: CommandLine, systemd: FakeSystemd) -> CommandLine:
    line.systemd = systemd
    line.__post_init__()
    return line


def whole(systemd: FakeSystemd) -> tuple[Any, ...]:
    """All that must not be touched: files, accounts, services; only the log may tell of it."""
    tree = systemd.host.snapshot("/etc", "/opt", "/var/lib", "/run/trtllm")
    return tree, dict(systemd.host.accounts), dict(systemd.pids), systemd.enabled


def told(ran: Ran) -> dict[str, Any]:
    """Return the error of a refusal that can be acted on."""
    document = ran.document
    assert "Traceback" not in ran.err
    assert document["error"], document
    assert document["error"]["code"] != "InternalError", document["error"]
    assert document["error"]["message"].startswith("cannot ")
    hint = document["error"]["hint"]
    assert any(word in hint for word in ("trtllm-install", "sudo mv", "generation")), hint
    return dict(document["error"])


@st.composite
def damages(draw: st.DrawFn) -> Callable[[bytes], bytes]:
    """One byte that changed, is missing or came in, or an end that is missing."""
    deed = draw(st.sampled_from(["flip", "drop", "insert", "cut"]))
    where, byte = draw(st.floats(0, 1, exclude_max=True)), draw(st.integers(0, 255))

    def damage(raw: bytes) -> bytes:
        n = int(where * len(raw))
        match deed:
            case "flip":
                return raw[:n] + bytes([raw[n] ^ (byte or 1)]) + raw[n + 1 :]
            case "drop":
                return raw[:n] + raw[n + 1 :]
            case "insert":
                return raw[:n] + bytes([byte]) + raw[n:]
        return raw[:n]

    return damage


def newer(raw: bytes) -> bytes:
    record = json.loads(raw)
    return json.dumps({**record, "schema": record["schema"] + 1}).encode()


def edited(raw: bytes) -> bytes:
    return raw.replace(b'"multi"', b'"qwen"').replace(b'"path": "/etc', b'"path": "/usr')


BY_HAND = {"newer": newer, "edited": edited, "empty": lambda _: b"", "deep": lambda _: b"[" * 9999}


def demand_refusals(
    line: CommandLine,
    systemd: FakeSystemd,
    path: str,
    raw: bytes,
    verbs: Sequence[tuple[str, ...]] = VERBS,
) -> None:
    """Each verb either does without the file or refuses it, and then nothing has changed.

    Damage that does no harm lets a run that was cut off be undone, and its host is bare then.
    """
    for words in verbs:
        machine = twin(systemd)
        machine.host.add_file(path, raw)
        before = whole(machine)
        ran = at(line, machine).run(*words, "--output", "json")
        if ran.document["error"]:
            error = told(ran)
            assert error["code"] in {"ConfigError", "NotUndone"}, words
            is_undone = "no receipt" in error["message"] and whole(machine) == BARE
            assert is_undone or whole(machine) == before, words


BARE = whole(FakeSystemd(debian()))


# the receipt -----------------------------------------------------------------
@given(damage=damages(), verb=st.sampled_from(VERBS))
@ONCE
def test_a_receipt_damaged_at_any_byte(
    line: CommandLine, damage: Callable[[bytes], bytes], verb: tuple[str, ...]
) -> None:
    systemd = installed()
    raw = damage(systemd.host.read(layout.RECEIPT) or b"")
    demand_refusals(line, systemd, layout.RECEIPT, raw, [verb])
    systemd.host.add_file(layout.RECEIPT, raw)
    try:
        harmless = read_receipt(systemd.host) == read_receipt(installed().host)
    except ConfigError:
        return
    assert harmless  # white space; whatever else changed was refused


@pytest.mark.parametrize("name", BY_HAND)
def test_a_receipt_that_this_tool_did_not_write(line: CommandLine, name: str) -> None:
    systemd = installed()
    raw = BY_HAND[name](systemd.host.read(layout.RECEIPT) or b"")
    demand_refusals(line, systemd, layout.RECEIPT, raw)
    systemd.host.add_file(layout.RECEIPT, raw)
    hint = told(at(line, systemd).run("status", "--output", "json"))["hint"]
    assert ("newer trtllm-install" in hint) == (name == "newer")


def test_the_way_out_of_a_damaged_receipt_leads_back(line: CommandLine) -> None:
    systemd = installed()
    host = systemd.host
    host.nodes[f"{layout.RECEIPT}.damaged"] = host.nodes.pop(layout.RECEIPT)
    assert at(line, systemd).run(*INSTALL, "--output", "json").code == 0
    assert line.run("verify", "--output", "json").document["drift"] == []


# a generation ----------------------------------------------------------------
@given(damage=damages(), verb=st.sampled_from(VERBS))
@ONCE
def test_a_generation_damaged_at_any_byte(
    line: CommandLine, damage: Callable[[bytes], bytes], verb: tuple[str, ...]
) -> None:
    systemd = installed()
    raw = damage(systemd.host.read(GENERATION) or b"")
    demand_refusals(line, systemd, GENERATION, raw, [verb])


# the journal -----------------------------------------------------------------
@cache
def killed(where: float) -> FakeSystemd:
    """Return a machine whose first install was killed so far on its way."""
    systemd = FakeSystemd(debian())
    judged = look_at(systemd.host, MULTI, Heard())
    supervisor = supervisor_called("systemd", systemd.host)
    step = plan_step(systemd.host, supervisor, judged, MULTI)

    def act(host: Any) -> None:
        how = How(verb="install", timeout_s=30)
        carry_out(host, supervisor_called("systemd", host), step, Heard(), how)

    counted = FaultyHost(twin(systemd).host)
    act(counted)
    point = 2 + int(where * (len(counted.acts) // 2))
    with pytest.raises(KilledError):
        act(FaultyHost(systemd.host, "killed after", point))
    return systemd


def entries(systemd: FakeSystemd) -> list[str]:
    return [f"{layout.JOURNAL}/{name}" for name in systemd.host.names_in(layout.JOURNAL)]


@given(
    damage=damages(),
    which=st.floats(0, 1, exclude_max=True),
    where=st.sampled_from([0.4, 0.9]),
    verb=st.sampled_from(VERBS),
)
@ONCE
def test_a_journal_damaged_at_any_byte(
    line: CommandLine,
    damage: Callable[[bytes], bytes],
    which: float,
    where: float,
    verb: tuple[str, ...],
) -> None:
    systemd = killed(where)
    paths = entries(systemd)
    path = paths[int(which * len(paths))]
    demand_refusals(line, systemd, path, damage(systemd.host.read(path) or b"x"), [verb])


@pytest.mark.parametrize("name", BY_HAND)
def test_a_journal_that_this_tool_did_not_write(line: CommandLine, name: str) -> None:
    systemd = killed(0.9)
    path = f"{layout.JOURNAL}/0007.json"
    demand_refusals(line, systemd, path, BY_HAND[name](systemd.host.read(path) or b""))


@pytest.mark.parametrize("gone", [0, 3, 9])
def test_a_journal_with_an_entry_missing_is_not_followed(line: CommandLine, gone: int) -> None:
    machine = twin(killed(0.9))
    machine.host.remove(f"{layout.JOURNAL}/{gone:04d}.json")
    before = whole(machine)
    error = told(at(line, machine).run(*INSTALL, "--output", "json"))
    assert (error["code"], whole(machine)) == ("NotUndone", before)
    assert "left to do, newest first" in error["message"]


def test_the_steps_of_a_damaged_journal_lead_out(line: CommandLine) -> None:
    """They are shell commands; here the fake takes those that remove, then the last of them."""
    machine = twin(killed(0.4))
    host = machine.host
    host.add_file(f"{layout.JOURNAL}/0005.json", b"{")
    error = told(at(line, machine).run(*INSTALL, "--output", "json"))
    steps = error["message"].partition("newest first:\n")[2].splitlines()
    assert steps[-1].split() == ["sudo", "mv", layout.JOURNAL, f"{layout.JOURNAL}.damaged"]
    for step in steps[:-1]:
        verb, path = step.split()[1], step.split()[-1]
        assert verb in {"rm", "rmdir", "userdel"}
        if verb != "userdel" and not any(p.startswith(f"{path}/") for p in host.nodes):
            host.remove(path)
    for path in [p for p in host.nodes if p.startswith(layout.JOURNAL)]:
        host.nodes[path.replace(layout.JOURNAL, f"{layout.JOURNAL}.damaged")] = host.nodes.pop(path)
    ran = line.run(*INSTALL, "--output", "json")
    assert (ran.code, Journal(host).is_there()) == (0, False)


def test_a_sealed_record_of_another_kind_is_refused(line: CommandLine) -> None:
    systemd = installed()
    demand_refusals(line, systemd, layout.RECEIPT, seal({"entry": "begin"}, 2))
