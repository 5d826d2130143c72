"""The modules of the collection, against documents that the real command line printed."""

import json
from pathlib import Path

import pytest

from fakes.command_line import INSTALL
from fakes.controlled import Controlled
from trtllm_install.host.protocol import Answer
from trtllm_install.model import layout

WISHES = {"profile": "multi", "simulate": True}


def test_check_mode_says_exactly_what_the_run_does(controlled: Controlled) -> None:
    controlled.answers("plan", *INSTALL[1:])
    predicted = controlled.run("trtllm_install", WISHES, check=True)
    assert controlled.asked == [
        "plan --profile multi --init auto --simulate --on-conflict keep --output json"
    ]
    controlled.answers(*INSTALL)
    done = controlled.run("trtllm_install", WISHES)
    assert (predicted["changed"], done["changed"]) == (True, True)
    assert predicted["changes"] == done["changes"]
    assert predicted["diff"] == done["diff"]
    assert any("+++ /etc/trtllm/instances/qwen.json" in d["prepared"] for d in done["diff"])
    assert [i["state"] for i in done["instances"]] == ["healthy"] * 3


def test_a_site_file_that_is_yet_to_be_written_is_planned_with_and_not_shown(
    controlled: Controlled, tmp_path: Path
) -> None:
    root = tmp_path / "image"
    root.mkdir()
    controlled.answers("plan", *INSTALL[1:])
    wishes = {**WISHES, "site_content": "keys: [hunter2-long]\n", "root": str(root)}
    result = controlled.run("trtllm_install", wishes, check=True)
    assert "hunter2" not in json.dumps(result)
    (words,) = controlled.asked
    assert f"--root {root}" in words
    assert "--site /.trtllm-site." in words
    assert list(root.iterdir()) == []


def test_what_is_as_wanted_is_not_changed(controlled: Controlled) -> None:
    controlled.line.installed()
    controlled.answers(*INSTALL)
    controlled.answers("plan", *INSTALL[1:])
    for check in (True, False):
        assert not controlled.run("trtllm_install", WISHES, check=check)["changed"]


def test_an_edit_is_kept_and_told(controlled: Controlled) -> None:
    path = f"{layout.ENGINE_CONFIGS}/nano_v3.yaml"
    host = controlled.line.installed().host
    host.add_file(path, (host.read(path) or b"") + b"# mine\n")
    controlled.answers("plan", *INSTALL[1:])
    result = controlled.run("trtllm_install", WISHES, check=True)
    assert result["kept"] == [path]
    assert any(f"kept {path}" in text for text in controlled.warned)
    assert path not in [c["path"] for c in result["changes"] if c["action"] != "keep"]


def test_check_fails_with_each_reason_and_what_mends_it(controlled: Controlled) -> None:
    controlled.answers("check", "--profile", "multi", "--weights-dir", "/none")
    result = controlled.run("trtllm_check", {"profile": "multi", "weights_dir": "/none"})
    assert result["failed"]
    assert result["exit_code"] == 3
    assert "[engine-missing]; fix: " in result["msg"]


def test_a_plan_that_an_install_would_refuse_fails_as_the_install(controlled: Controlled) -> None:
    words = ("--profile", "multi", "--weights-dir", "/none")
    document = controlled.answers("plan", *words)
    assert document["ok"]
    result = controlled.run(
        "trtllm_install", {"profile": "multi", "weights_dir": "/none"}, check=True
    )
    assert result["failed"]
    assert not result["changed"]
    assert "[engine-missing]; fix: " in result["msg"]


def test_a_held_lock_fails_with_the_holder_and_the_hint(controlled: Controlled) -> None:
    controlled.line.host.hold_lock(layout.LOCK, "pid 77")
    controlled.answers(*INSTALL)
    result = controlled.run("trtllm_install", WISHES)
    assert result["error"]["code"] == "Locked"
    assert "pid 77" in result["msg"]
    assert result["hint"]


@pytest.mark.parametrize("version", ["0.0.9", "0.0.1rc2", "0"])
@pytest.mark.parametrize("module", ["trtllm_check", "trtllm_install"])
def test_an_older_tool_is_refused_with_the_fix_and_not_run(
    controlled: Controlled, module: str, version: str
) -> None:
    controlled.version(version)
    result = controlled.run(module, WISHES)
    assert f"trtllm-install {version}: this collection needs 0.1.0 or newer" in result["msg"]
    assert "host" in result["hint"]
    assert controlled.asked == []


def test_info_takes_an_older_tool_and_none_for_an_answer(controlled: Controlled) -> None:
    controlled.version("0.0.9")
    assert controlled.run("trtllm_info", {})["too_old"]
    none = controlled.run("trtllm_info", {"executable": "/none/trtllm-install"})
    assert (none["tool_version"], none["installed"], none["changed"]) == (None, False, False)


def test_info_says_what_is_installed(controlled: Controlled) -> None:
    controlled.line.installed()
    controlled.answers("status")
    controlled.answers("engine", "list", verb="engine list")
    controlled.answers("rollback", "--list", verb="rollback --list")
    result = controlled.run("trtllm_info", {})
    assert (result["installed"], result["serving"]) == (True, True)
    assert result["installation"]["engine"] == "simulated"
    assert [g["number"] for g in result["generations"]] == [1]


def test_info_names_the_clients_and_says_where_nobody_is_asked(controlled: Controlled) -> None:
    controlled.line.installed()
    for verb in (("status",), ("keys", "list")):
        controlled.answers(*verb, verb=" ".join(verb))
    assert controlled.run("trtllm_info", {"gather": ["clients"]})["clients"] == ["alice"]
    controlled.line.host.remove(layout.PROXY_KEYS)
    controlled.answers("keys", "list", verb="keys list")
    assert controlled.run("trtllm_info", {"gather": ["clients"]})["clients"] is None


def test_info_of_a_host_with_the_tool_and_nothing_else(controlled: Controlled) -> None:
    controlled.answers("status")
    controlled.answers("engine", "list", verb="engine list")
    result = controlled.run("trtllm_info", {})
    assert (result["installed"], result["engines"]) == (False, [])
    assert "serving" not in result


def test_an_engine_is_added_once(controlled: Controlled) -> None:
    controlled.line.installed()
    controlled.answers("engine", "list", verb="engine list")
    wanted = {"version": "1.3.0rc2", "source": "/srv/wheels"}
    predicted = controlled.run("trtllm_engine", wanted, check=True)
    assert predicted["changed"]
    assert predicted["diff"]["after"].splitlines()[0] == "  1.3.0rc2"
    there = controlled.run("trtllm_engine", {"version": "simulated"})
    assert not there["changed"]
    assert [line.split()[1] for line in controlled.asked] == ["list", "list"]


def test_an_engine_that_was_not_added_cannot_be_used(controlled: Controlled) -> None:
    controlled.answers("engine", "list", verb="engine list")
    result = controlled.run("trtllm_engine", {"version": "2.0", "state": "used"}, check=True)
    assert result["msg"] == "cannot use engine 2.0: it was not added"


def test_the_index_of_an_engine_is_not_shown(controlled: Controlled) -> None:
    controlled.answers("engine", "list", verb="engine list")
    secret = "https://me:hunter2-long@example.org/simple"
    result = controlled.run("trtllm_engine", {"version": "2.0", "index": secret}, check=True)
    assert "hunter2" not in json.dumps(result)


def test_what_is_mended_before_an_install_is_planned_with_and_not_told(
    controlled: Controlled,
) -> None:
    controlled.line.host.add_file(layout.SITE_FILE, "listen: 0.0.0.0\n")
    accepted = ("--accept", "listen-without-keys")
    controlled.answers("plan", *INSTALL[1:])
    assert controlled.run("trtllm_install", WISHES, check=True)["failed"]
    controlled.answers("plan", *INSTALL[1:], *accepted)
    wishes = {**WISHES, "mended": ["listen-without-keys"]}
    assert controlled.run("trtllm_install", wishes, check=True)["changed"]
    assert " ".join(accepted) in controlled.asked[-1]
    assert not any("listen-without-keys" in text for text in controlled.warned)


def test_a_drain_is_predicted_and_done(controlled: Controlled) -> None:
    controlled.line.installed()
    controlled.answers("drain", "--list", verb="drain --list")
    predicted = controlled.run("trtllm_drain", {"backends": ["qwen"]}, check=True)
    assert (predicted["changed"], predicted["diff"]["after"]) == (True, "qwen: drained\n")
    controlled.answers("drain", "qwen")
    done = controlled.run("trtllm_drain", {"backends": ["qwen"]})
    assert done["changed"]
    assert [(b["name"], b["draining"]) for b in done["backends"]] == [("qwen", True)]
    controlled.answers("drain", "--list", verb="drain --list")
    assert not controlled.run("trtllm_drain", {"backends": ["qwen"]}, check=True)["changed"]


def test_a_drain_of_nobody_that_is_known_says_who_is(controlled: Controlled) -> None:
    controlled.line.installed()
    controlled.answers("drain", "--list", verb="drain --list")
    result = controlled.run("trtllm_drain", {"backends": ["gpu9"]})
    assert result["msg"] == "cannot find backend gpu9: the proxy has nemotron, qwen"


@pytest.mark.parametrize("said", ["", "{", "[]", '{"apiVersion": "trtllm.install/v9"}'])
def test_an_answer_that_is_none_is_a_failure_in_words(controlled: Controlled, said: str) -> None:
    (controlled.folder / "check").write_text(said, encoding="utf-8")
    result = controlled.run("trtllm_check", WISHES)
    assert result["failed"]
    assert "cannot read the answer of " in result["msg"]


def test_a_proxy_that_is_away_fails_with_what_to_run(controlled: Controlled) -> None:
    controlled.line.installed().host.answer_http(
        "GET", "/-/status", Answer(status=500, body=b""), unix_socket=layout.PROXY_ADMIN_SOCKET
    )
    controlled.answers("drain", "--list", verb="drain --list")
    result = controlled.run("trtllm_drain", {"backends": ["qwen"]})
    assert result["exit_code"] == 6
    assert result["hint"] == "trtllm-install status"
