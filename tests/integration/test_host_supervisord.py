"""The whole path on a Debian 12 without systemd: supervisord; stages share one host."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import images, roots
from lab.manifest import assert_same, differences, manifest_of
from lab.terminal import terminal_on
from lab.visitor import (
    NEMOTRON,
    QWEN,
    ask,
    assert_answers,
    await_true,
    engine_pid,
    health,
    running,
)

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]
STAGED = True

NAMES = ("qwen", "nemotron", "proxy")
SUPERVISORCTL = ("/opt/trtllm/tool/bin/supervisorctl", "-c", "/etc/trtllm/supervisord.conf")


@pytest.fixture(scope="module")
def host() -> Iterator[roots.PlainRoot]:
    with roots.PlainRoot(images.DEBIAN_12) as root:
        yield root


@pytest.fixture(scope="module")
def bare(host: roots.PlainRoot) -> dict[str, str]:
    """Return the tree with packages and tool, before anything is installed."""
    ended = host.bootstrap("--version")
    assert ended.returncode == 0, ended.stderr
    return manifest_of(host.tree)


def state_of(host: roots.Root) -> dict[str, str]:
    """Return supervisord's word for each program."""
    table = host.run(*SUPERVISORCTL, "status").stdout.splitlines()
    return {words[0].rpartition(":")[2]: words[1] for words in map(str.split, table)}


def test_one_command_brings_up_the_whole_service(
    host: roots.PlainRoot,
    bare: dict[str, str],
) -> None:
    assert bare
    ended = host.bootstrap("--profile", "multi", "--simulate")
    assert ended.returncode == 0, ended.stderr
    assert health(host)[0] == 200
    assert "http://127.0.0.1:8000" in ended.stdout + ended.stderr


@pytest.mark.parametrize("model", [QWEN, NEMOTRON])
def test_both_models_answer_through_one_port(host: roots.PlainRoot, model: str) -> None:
    assert_answers(host, model)


def test_the_status_screen_follows_what_happens(host: roots.PlainRoot, tmp_path: Path) -> None:
    watch = ("env", "TERM=xterm-256color", "trtllm-install", "status", "--watch")
    with terminal_on(host, tmp_path, *watch, width=100) as terminal:

        def shows(*texts: str) -> None:
            seen = lambda: all(text in terminal.screen() for text in texts)  # noqa: E731
            await_true(f"the screen shows {texts}", seen, seconds=30)

        shows("qwen      healthy", "nemotron  healthy", "proxy     healthy", "Ctrl-C ends this")
        terminal.resize(width=60, height=12)
        host.check("trtllm-install", "stop", "nemotron")
        shows("nemotron  stopped", "qwen      healthy")
        host.check("trtllm-install", "stop", "proxy")
        shows("proxy     stopped", "unknown: requests")
        terminal.resize(width=120, height=30)
        host.check("trtllm-install", "start", "--no-wait")
        shows("nemotron  loading")
        shows("nemotron  healthy", "proxy     healthy")
        terminal.press("C-c")
        await_true("the screen has ended", lambda: not terminal.screen(), seconds=30)


def test_supervisorctl_sees_every_program(host: roots.PlainRoot) -> None:
    states = state_of(host)
    assert {name: states[name] for name in states if name in NAMES} == dict.fromkeys(
        NAMES,
        "RUNNING",
    )


def test_nothing_of_ours_runs_as_root(host: roots.PlainRoot) -> None:
    ours = running(host)
    assert any("supervisord" in line for line in ours)
    assert [line for line in ours if not line.startswith("trtllm ")] == []


def test_a_second_install_changes_nothing(host: roots.PlainRoot) -> None:
    before, tree = running(host), manifest_of(host.tree)
    ended = host.bootstrap("--profile", "multi", "--simulate", "--output", "json")
    assert ended.returncode == 0, ended.stderr
    document = json.loads(ended.stdout)
    assert document["changed"] is False
    assert document["changes"] == []
    assert running(host) == before
    # The engines log every request, and the install asked each for a completion.
    changed = differences(tree, manifest_of(host.tree))
    assert [line for line in changed if not line.startswith("var/log/trtllm/")] == []


def test_verify_names_what_an_operator_did(host: roots.PlainRoot) -> None:
    assert drift(host) == set()
    host.check(*SUPERVISORCTL, "stop", "nemotron", timeout=180)
    host.check("chown", "nobody", "/etc/trtllm/proxy/routes.lua")
    listen = "import socket, time; s = socket.create_server(('127.0.0.1', 8002)); time.sleep(300)"
    begin = f'setsid /opt/trtllm/tool/bin/python -c "{listen}" > /dev/null 2>&1 & echo $!'
    stranger = host.check("sh", "-c", begin).strip()
    expected = {
        ("drift", "nemotron", "active"),
        ("drift", "/etc/trtllm/proxy/routes.lua", "owner"),
        ("drift", "127.0.0.1:8002", "holder"),
    }
    await_true("three differences", lambda: drift(host) == expected, seconds=30)
    host.check("kill", stranger)
    ended = host.run("trtllm-install", "--profile", "multi", "--simulate", timeout=180)
    assert ended.returncode == 0, ended.stderr
    assert drift(host) == set()


def drift(host: roots.PlainRoot) -> set[tuple[str, str, str]]:
    ended = host.run("trtllm-install", "verify", "--output", "json")
    document = json.loads(ended.stdout)
    found = {(d["weight"], d["subject"], d["aspect"]) for d in document["drift"]}
    differs = any(weight == "drift" for weight, _, _ in found)
    assert ended.returncode == document["exit_code"] == (10 if differs else 0), document
    return found


def test_a_killed_backend_is_named_and_comes_back(host: roots.PlainRoot) -> None:
    qwen = engine_pid(host, "qwen")
    assert qwen
    host.check("kill", "-9", str(qwen))
    _, body = await_true(
        "health 503",
        lambda: (answer := health(host))[0] == 503 and answer,
        seconds=15,
    )
    assert "qwen" in body
    refused = ask(host, QWEN)
    assert refused["status"] == 503, refused
    assert {"message", "type", "code"} <= refused["error"].keys()
    assert_answers(host, NEMOTRON)
    await_true("health 200", lambda: health(host)[0] == 200, seconds=120)
    assert_answers(host, QWEN)


def test_supervisorctl_restarts_one_model_alone(host: roots.PlainRoot) -> None:
    nemotron = engine_pid(host, "nemotron")
    (program,) = (
        words[0]
        for words in map(str.split, host.run(*SUPERVISORCTL, "status").stdout.splitlines())
        if words[0].rpartition(":")[2] == "qwen"
    )
    host.check(*SUPERVISORCTL, "restart", program, timeout=120)
    await_true("health 200", lambda: health(host)[0] == 200, seconds=120)
    assert engine_pid(host, "nemotron") == nemotron


def test_uninstall_with_purge_returns_the_tree_to_what_it_was(
    host: roots.PlainRoot,
    bare: dict[str, str],
) -> None:
    ended = host.run("trtllm-install", "uninstall", "--purge", "--yes", timeout=120)
    assert ended.returncode == 0, ended.stderr
    assert running(host) == set()
    assert_same(bare, manifest_of(host.tree))
