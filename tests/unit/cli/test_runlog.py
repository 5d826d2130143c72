"""The log of a run: there when it is needed, without secrets, and never in the way."""

import json
from typing import Any

import pytest

from fakes.command_line import INSTALL, CommandLine
from fakes.fake_host import FakeHost
from fakes.fake_systemd import Fate
from trtllm_install.cli.runlog import RunLog
from trtllm_install.model import layout
from trtllm_install.model.errors import ConfigError, HostError
from trtllm_install.model.secrets import MASK


@pytest.fixture
def line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    return CommandLine(monkeypatch, capsys)


@pytest.fixture
def host() -> FakeHost:
    host = FakeHost()
    host.add_directory("/var/log")
    return host


def logs(host: FakeHost) -> list[str]:
    return [f"{layout.TOOL_LOGS}/{name}" for name in host.names_in(layout.TOOL_LOGS)]


def events(host: FakeHost, path: str | None = None) -> list[dict[str, Any]]:
    raw = host.read(path or logs(host)[-1]) or b""
    return [json.loads(line) for line in raw.splitlines()]


def begin(host: FakeHost, *argv: str) -> RunLog:
    def fail(text: str) -> None:
        raise AssertionError(text)

    return RunLog(host, "install", ["trtllm-install", *argv], complain=fail)


def test_a_run_that_changed_something_has_its_log(line: CommandLine) -> None:
    line.run(*INSTALL)
    (path,) = logs(line.host)
    assert path.endswith("Z-install.log")
    found = events(line.host)
    commands = [" ".join(e["argv"]) for e in found if e["event"] == "command"]
    assert any(c.startswith("useradd ") for c in commands)
    assert "systemctl daemon-reload" in commands
    assert found[-1] == {"event": "end", "at": found[-1]["at"], "exit_code": 0}
    modes = [(n.mode, n.owner) for n in (line.host.nodes[layout.TOOL_LOGS], line.host.nodes[path])]
    assert modes == [(0o750, "root"), (0o640, "root")]


def test_a_run_that_has_nothing_to_do_touches_nothing(line: CommandLine) -> None:
    line.installed()
    serials = line.host.serials()
    ran = line.run(*INSTALL, "--output", "json")
    assert (ran.document["changed"], ran.document["log_file"]) == (False, None)
    assert line.host.serials() == serials
    assert logs(line.host) == []


@pytest.mark.parametrize("verb", ["check", "plan", "status", "wait", "logs"])
def test_reading_leaves_no_log(line: CommandLine, verb: str) -> None:
    line.installed().run(verb, *({"logs": ("qwen",)}.get(verb, ())))
    assert logs(line.host) == []


def test_a_refusal_leaves_no_log_since_its_answer_says_all(line: CommandLine) -> None:
    del line.host.nodes["/usr/sbin/nginx"]
    assert line.run(*INSTALL).code == 3
    assert line.run("--profile", "mutli").code == 2
    assert (logs(line.host), line.host.changes) == ([], [])


def test_a_failure_names_its_log(line: CommandLine) -> None:
    line.systemd.fates["qwen"] = Fate(state="failed", code=66, reason="no weights")
    ran = line.run(*INSTALL)
    assert ran.err.splitlines()[-1] == f"log: {logs(line.host)[0]}"
    last = events(line.host)[-1]
    assert (last["exit_code"], "no weights" in last["error"]) == (6, True)
    assert last["hint"]


def test_the_traceback_of_a_bug_is_in_the_log_and_not_on_the_screen(
    line: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def bug(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("trtllm_install.cli.verbs.install.install", bug)
    ran = line.run(*INSTALL)
    (path,) = logs(line.host)
    assert "Traceback" not in ran.err
    assert f"the traceback is in {path}" in ran.err
    assert "Traceback" in events(line.host)[-1]["traceback"]


def test_without_root_there_is_no_log(line: CommandLine) -> None:
    line.installed().host.root = False
    assert line.run("stop").code == 8
    assert logs(line.host) == []


def test_a_stop_is_logged_too(line: CommandLine) -> None:
    line.installed().run("stop", "nemotron")
    assert logs(line.host)[0].endswith("-stop.log")
    assert [e["change"]["path"] for e in events(line.host) if e["event"] == "service"] == [
        "nemotron"
    ]


def test_a_verb_of_two_words_is_one_word_in_the_name_and_its_logs_go_too(host: FakeHost) -> None:
    for second in range(30):
        host.add_file(f"{layout.TOOL_LOGS}/20200101T0000{second:02d}Z-keys add.log")
    log = RunLog(host, "keys add", [], complain=print)
    log.open()
    assert log.path.endswith("Z-keys-add.log")
    assert len(logs(host)) == 20


def test_only_the_last_ones_are_kept(host: FakeHost) -> None:
    for second in range(30):
        host.add_file(f"{layout.TOOL_LOGS}/20200101T0000{second:02d}Z-install.log")
    host.add_file(f"{layout.TOOL_LOGS}/notes.txt")
    begin(host).open()
    left = logs(host)
    assert len(left) == 21
    assert left[0].endswith("20200101T000011Z-install.log")
    assert left[-1].endswith("notes.txt")


def test_two_runs_of_one_second_have_two_logs(host: FakeHost) -> None:
    first, second = begin(host), begin(host)
    second._begun = first._begun
    for log in (first, second):
        log.open()
    assert len(logs(host)) == 2


def test_secrets_are_masked_wherever_they_stand(host: FakeHost) -> None:
    log = begin(host, "--token", "hunter22")
    log.command(["pip", "--api-key", "hunter22"], 1, 0.5, "Authorization: Bearer hunter22")
    log.note("HF_TOKEN=hunter22")
    log.ended(HostError("cannot fetch https://me:hunter22@example.org/x: 403", hint="x"))
    text = (host.read(logs(host)[0]) or b"").decode()
    assert text.count(MASK) == 6  # the last error and its traceback
    assert "hunter22" not in text


@pytest.mark.parametrize("when", ["from the start", "midway"])
def test_a_log_that_cannot_be_written_says_so_once_and_stops_nothing(
    host: FakeHost, when: str
) -> None:
    said: list[str] = []
    log = RunLog(host, "install", ["trtllm-install"], complain=said.append)
    if when == "midway":
        log.open()
    host.forbid(layout.TOOL_LOGS)
    log.open()
    log.note("one")
    log.note("two")
    log.ended(HostError("x", hint="y"))
    assert len(said) == 1
    assert "not logged any further" in said[0]


def test_a_link_in_the_place_of_the_folder_is_not_followed(host: FakeHost) -> None:
    host.add_directory("/srv/elsewhere")
    host.add_link(layout.TOOL_LOGS, "/srv/elsewhere")
    said: list[str] = []
    log = RunLog(host, "install", ["trtllm-install"], complain=said.append)
    log.open()
    assert (log.path, len(said), host.names_in("/srv/elsewhere")) == (None, 1, ())


def test_an_error_of_the_operator_is_logged_only_once_something_was_written(
    host: FakeHost,
) -> None:
    log = begin(host)
    log.ended(ConfigError("cannot", hint="x"))
    assert log.path is None
