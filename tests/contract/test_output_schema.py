"""Every document that any verb prints, against the schema that is shipped."""

import copy
import importlib
import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from fakes.command_line import INSTALL, JSON_VERBS, CommandLine, Ran, words_for
from fakes.fake_apt import PROXY, bare_debian
from fakes.fake_systemd import FakeSystemd, Fate
from trtllm_install import resources
from trtllm_install.cli.arguments import VERBS, module_of
from trtllm_install.model import errors, states
from trtllm_install.model.catalogue import CATALOGUE
from trtllm_install.model.tree import Action, ServiceAction

SCHEMA: dict[str, Any] = json.loads(resources.read_text("configs/schema/output.schema.json"))
EVENTS: dict[str, Any] = json.loads(resources.read_text("configs/schema/events.schema.json"))


def closed(schema: Any) -> Any:
    """The schema without room for fields that it does not describe."""
    if isinstance(schema, list):
        return [closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {key: closed(value) for key, value in schema.items()}
    if "properties" in inner and isinstance(schema.get("type"), str) and "oneOf" not in schema:
        inner["additionalProperties"] = False
    return inner


CLOSED = Draft202012Validator(closed(copy.deepcopy(SCHEMA)))
BOTH: Registry[Any] = Registry().with_resource(
    "output.schema.json", DRAFT202012.create_resource(closed(copy.deepcopy(SCHEMA)))
)
CLOSED_EVENT = Draft202012Validator(closed(copy.deepcopy(EVENTS)), registry=BOTH)


@pytest.fixture
def line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    return CommandLine(monkeypatch, capsys)


def demand(ran: Ran) -> dict[str, Any]:
    """Return the document after it passed; ``ok`` and the exit code must agree with it."""
    return demand_document(ran.document, ran.code)


def demand_document(document: dict[str, Any], code: int) -> dict[str, Any]:
    complaints = [f"{e.json_path}: {e.message}" for e in CLOSED.iter_errors(document)]
    assert complaints == []
    assert document["exit_code"] == code
    assert document["ok"] == (code in {0, 10})
    return document


def demand_events(events: list[dict[str, Any]]) -> list[str]:
    """Return the names of events, in order, after each passed."""
    for event in events:
        complaints = [f"{e.json_path}: {e.message}" for e in CLOSED_EVENT.iter_errors(event)]
        assert complaints == [], event
    return [event["event"] for event in events]


def test_the_schemas_are_schemas() -> None:
    for schema in (SCHEMA, EVENTS):
        Draft202012Validator.check_schema(schema)


# A bundle is made of the tool that is installed: tests/integration/test_host_engines.py.
@pytest.mark.parametrize("verb", [verb for verb in JSON_VERBS if verb != "bundle create"])
def test_a_success_of_every_verb(line: CommandLine, verb: str, tmp_path: Path) -> None:
    line.installed().host.add_directory(str(tmp_path))
    document = demand(line.run(*words_for(verb, str(tmp_path)), "--output", "json"))
    assert (document["kind"], document["error"]) == (verb, None)


@pytest.mark.parametrize("verb", JSON_VERBS)
def test_a_failure_of_every_verb(line: CommandLine, verb: str) -> None:
    line.host.root = False
    for path in ("/usr/sbin/nginx", "/proc/meminfo"):
        del line.host.nodes[path]
    ran = line.run(*words_for(verb), "--site", "/none.yaml", "--output", "json")
    document = demand(ran)  # only some verbs know --site: a usage error is one more failure
    assert not document["ok"]
    assert document["error"]


@pytest.mark.parametrize("verb", JSON_VERBS)
def test_events_of_every_verb_end_with_the_document(
    line: CommandLine, verb: str, tmp_path: Path
) -> None:
    line.installed().host.add_directory(str(tmp_path))
    ran = line.run(*words_for(verb, str(tmp_path)), "--output", "jsonl")
    *events, document = ran.lines
    assert demand_document(document, ran.code)["kind"] == verb
    names = demand_events(events)
    assert names.count("begin") == names[:1].count("begin")


@pytest.mark.parametrize("verb", JSON_VERBS)
def test_events_of_every_failure_end_with_the_document(line: CommandLine, verb: str) -> None:
    line.host.root = False
    ran = line.run(*words_for(verb), "--site", "/none.yaml", "--output", "jsonl")
    *events, document = ran.lines
    demand_events(events)
    assert demand_document(document, ran.code)["error"]


def test_events_of_an_install_tell_all_of_it_in_order(line: CommandLine) -> None:
    ran = line.run(*INSTALL, "--output", "jsonl")
    *events, document = ran.lines
    names = demand_events(events)
    assert set(names) >= {"begin", "profile", "phase", "planned", "change", "service", "live"}
    assert names.index("planned") < names.index("change") < names.index("service")
    planned = [e["change"] for e in events if e["event"] == "planned"]
    made = [e["change"] for e in events if e["event"] in {"change", "service"}]
    assert planned == [{k: c[k] for k in c if k != "diff"} for c in document["changes"]]
    assert [c for c in made if c in planned] == planned
    last = {e["instance"]["name"]: e["instance"] for e in events if e["event"] == "live"}
    assert [last[name]["state"] for name in ("qwen", "nemotron", "proxy")] == ["healthy"] * 3
    assert ran.err == ""


def test_a_log_file_holds_events(line: CommandLine) -> None:
    document = demand(line.run(*INSTALL, "--output", "json"))
    raw = line.host.read(document["log_file"]) or b""
    names = demand_events([json.loads(text) for text in raw.splitlines()])
    assert (names[0], names[-1]) == ("begin", "end")
    assert names.count("command") > 3


def test_what_install_finds_does_and_starts(line: CommandLine) -> None:
    document = demand(line.run(*INSTALL, "--output", "json"))
    assert document["changed"]
    assert {c["kind"] for c in document["changes"]} >= {"account", "file", "directory", "service"}
    assert [i["name"] for i in document["instances"]] == ["qwen", "nemotron", "proxy"]
    again = demand(line.run(*INSTALL, "--output", "json"))
    assert (again["changed"], again["changes"]) == (False, [])


def test_a_failed_preflight_carries_its_findings(line: CommandLine) -> None:
    del line.host.nodes["/usr/sbin/nginx"]
    document = demand(line.run(*INSTALL, "--output=json"))
    assert document["exit_code"] == 3
    assert document["error"]["code"] == "PreflightFailed"
    assert "proxy-binary-missing" in {f["code"] for f in document["findings"]}


def test_a_failed_gate(line: CommandLine) -> None:
    line.systemd.fates["qwen"] = Fate(state="failed", code=78, reason="unknown key")
    undone = demand(line.run(*INSTALL, "--output", "json"))
    assert (undone["exit_code"], undone["changed"], undone["changes"]) == (6, False, [])
    failed = demand(line.run(*INSTALL, "--no-rollback", "--output", "json"))
    assert (failed["exit_code"], failed["changed"]) == (6, True)
    assert failed["changes"]
    document = demand(line.run("status", "--output", "json"))
    assert document["instances"][0]["exit"] == {"code": 78, "reason": "unknown key"}


def test_what_stays_of_a_failed_gate_has_no_package_that_was_left_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    host, apt = bare_debian()
    line = CommandLine(monkeypatch, capsys, FakeSystemd(host))
    words = ("install", "--profile", "multi", "--weights-dir", "/models", "--output", "json")
    found = demand(line.run(*words))["findings"]
    accept = [w for f in found if f["severity"] == "error" for w in ("--accept", f["code"])]
    line.systemd.fates["qwen"] = Fate(state="failed", code=78, reason="libmpi.so.40")
    apt.breaks = "openmpi-bin"
    failed = demand(line.run(*words, *accept, "--no-rollback"))
    assert (failed["exit_code"], failed["changed"]) == (6, True)
    assert {c["path"] for c in failed["changes"] if c["kind"] == "package"} == set(PROXY)


def test_pending_changes(line: CommandLine) -> None:
    words = ("plan", *INSTALL[1:], "--detailed-exitcode", "--output", "json")
    document = demand(line.run(*words))
    assert document["exit_code"] == 10
    assert document["pending"] == len(document["changes"]) > 0


@pytest.mark.parametrize("more", [(), ("--pin-memory",), ("--accept", "gpu-in-use")])
def test_the_memory_plan(line: CommandLine, more: tuple[str, ...]) -> None:
    words = ("plan", *INSTALL[1:], "--memory", *more, "--output", "json")
    memory = demand(line.run(*words))["memory"]
    assert memory["simulated"]
    assert [i["name"] for i in memory["gpus"][0]["instances"]] == ["qwen", "nemotron"]
    assert memory["pinned"] == ("--pin-memory" in more)


def test_the_hashes_of_weights(line: CommandLine) -> None:
    line.installed()
    words = ("check", *INSTALL[1:], "--deep", "--output", "json")
    weights = demand(line.run(*words))["weights"]
    assert weights["bytes_read"] > 0
    assert all(file["read"] for file in weights["files"])


def test_a_bug_of_ours(line: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    def bug(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("trtllm_install.cli.verbs.install.install", bug)
    document = demand(line.run(*INSTALL, "--output", "json"))
    assert document["error"]["code"] == "InternalError"


class Broken:
    """A host at whose n-th use a bug shows itself, and at every later one."""

    def __init__(self, host: Any, at: int) -> None:
        self._host = host
        self._left = at

    def __getattr__(self, name: str) -> Any:
        self._left -= 1
        if self._left <= 0:
            raise ZeroDivisionError(name)
        return getattr(self._host, name)


@pytest.mark.parametrize("output", ["json", "jsonl"])
@pytest.mark.parametrize("verb", [verb for verb in JSON_VERBS if verb != "bundle create"])
def test_a_crash_of_every_verb_is_still_one_document(
    line: CommandLine, verb: str, output: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    line.installed().host.add_directory(str(tmp_path))
    run = importlib.import_module(module_of(verb)).run
    holder = importlib.import_module(run.__module__)  # stop is start by another name
    for at in (1, 4):
        broken = Broken(line.host, at)
        monkeypatch.setattr(holder, "HOST", broken, raising=False)
        ran = line.run(*words_for(verb, str(tmp_path)), "--output", output)
        *events, document = ran.lines if output == "jsonl" else [ran.document]
        demand_events(events)
        demand_document(document, ran.code)
        if broken._left <= 0:  # some need their host fewer times, or shield a part of it
            assert document["error"], verb
            assert document["error"]["code"] == "InternalError", verb
            return
    pytest.fail(f"{verb} never asked its host")


def test_every_word_of_ours_is_in_the_schema() -> None:
    """What the code can say and what the schema allows are the same."""

    def enum(*path: str) -> set[object]:
        value: Any = SCHEMA
        for key in path:
            value = value[key]
        return set(value["enum"])

    defs = ("$defs",)
    codes = {error.__name__ for error in errors.InstallError.__subclasses__()}
    ours = {name for name in codes if hasattr(errors, name)}
    ending = set(EVENTS["properties"]["event"]["enum"])
    said = [part["properties"]["event"] for part in EVENTS["oneOf"]]
    assert ending == {n for part in said for n in part.get("enum", [part.get("const")])}
    assert enum("properties", "kind") == {*VERBS, "usage"}
    assert enum("properties", "exit_code") == {int(code) for code in errors.ExitCode}
    assert enum(*defs, "error", "properties", "code") == ours | {"InternalError"}
    assert enum(*defs, "instance", "properties", "state") == {*states.MEANING, "absent"}
    actions = {a.value for a in Action} | {a.value for a in ServiceAction}
    assert enum(*defs, "change", "properties", "action") == actions
    code = Draft202012Validator(SCHEMA["$defs"]["code"])
    assert [name for name in CATALOGUE if not code.is_valid(name)] == []
