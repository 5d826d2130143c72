"""The whole path on Debian 12 under systemd; stages share one host."""

import json
from collections.abc import Iterator

import pytest

from lab import images, roots
from lab.manifest import assert_same, differences, manifest_of
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

UNITS = ("trtllm-qwen.service", "trtllm-nemotron.service", "trtllm-proxy.service")

# systemd's own ids of "Starting ..." and "Started ..." (systemd.journal-catalog).
STARTING = "7d4958e842da4a758f6c1cdc7b36dcc5"
STARTED = "39f53479d3a045ac8e11786248231fbf"


@pytest.fixture(scope="module")
def host() -> Iterator[roots.BootedRoot]:
    with roots.BootedRoot(images.DEBIAN_12) as root:
        yield root


@pytest.fixture(scope="module")
def bare(host: roots.BootedRoot) -> dict[str, str]:
    """Return the tree with packages and tool, before anything is installed."""
    ended = host.bootstrap("--version")
    assert ended.returncode == 0, ended.stderr
    return manifest_of(host.tree)


def main_pid(host: roots.Root, unit: str) -> int:
    return int(host.check("systemctl", "show", "--value", "--property=MainPID", unit))


def test_one_command_brings_up_the_whole_service(
    host: roots.BootedRoot,
    bare: dict[str, str],
) -> None:
    assert bare
    ended = host.bootstrap("--profile", "multi", "--simulate")
    assert ended.returncode == 0, ended.stderr
    for unit in ("trtllm.target", *UNITS):
        assert host.run("systemctl", "is-active", unit).stdout == "active\n", unit
    assert health(host)[0] == 200


@pytest.mark.parametrize("model", [QWEN, NEMOTRON])
def test_both_models_answer_through_one_port(host: roots.BootedRoot, model: str) -> None:
    assert_answers(host, model)


def test_the_journal_proves_the_order(host: roots.BootedRoot) -> None:
    """Qwen ready, then Nemotron starts; Nemotron ready, then the proxy starts."""
    entries = [
        json.loads(line)
        for line in host.check(
            *("journalctl", "--output=json", "--quiet"),
            *(f"UNIT={unit}" for unit in UNITS),
        ).splitlines()
    ]
    moments = {
        (entry["UNIT"], entry["MESSAGE_ID"]): int(entry["__MONOTONIC_TIMESTAMP"])
        for entry in entries
        if entry.get("MESSAGE_ID") in {STARTING, STARTED}
    }
    order = [moments[unit, message] for unit in UNITS for message in (STARTING, STARTED)]
    assert order == sorted(order)
    # "at most 0.5 s from healthy to the next process" (microseconds)
    assert moments[UNITS[1], STARTING] - moments[UNITS[0], STARTED] < 500_000
    assert moments[UNITS[2], STARTING] - moments[UNITS[1], STARTED] < 500_000


def test_the_timeline_shows_the_same_order_phase_by_phase(host: roots.BootedRoot) -> None:
    drawn = "/run/start.svg"
    said = host.check("trtllm-install", "timeline", "--svg", drawn, "--output", "json")
    qwen, nemotron, proxy = json.loads(said)["timeline"]
    assert [start["name"] for start in (qwen, nemotron, proxy)] == ["qwen", "nemotron", "proxy"]
    assert {start["outcome"] for start in (qwen, nemotron, proxy)} == {"ready"}
    phases = {entry["phase"]: entry["from_s"] for entry in nemotron["phases"]}
    assert phases.keys() >= {"admission", "start", "weights", "compile", "warm-up", "gate"}
    begun = nemotron["offset_s"] + phases["start"]
    assert 0 <= begun - (qwen["offset_s"] + qwen["seconds"]) < 5
    assert host.check("head", "-c", "4", drawn) == "<svg"
    host.check("rm", drawn)


def test_everything_runs_as_its_own_user(host: roots.BootedRoot) -> None:
    users = host.check("ps", "-e", "-ww", "-o", "user:32=,args=").splitlines()
    ours = [line for line in users if "trtllm-serve" in line or "trtllm-supervise" in line]
    assert ours
    assert [line for line in ours if not line.startswith("trtllm ")] == []


def test_a_second_install_changes_nothing(host: roots.BootedRoot) -> None:
    before, tree = running(host), manifest_of(host.tree)
    untouched = inodes(host), reloaded(host)
    ended = host.bootstrap("--profile", "multi", "--simulate", "--output", "json")
    assert ended.returncode == 0, ended.stderr
    document = json.loads(ended.stdout)
    assert document["changed"] is False
    assert document["changes"] == []
    assert running(host) == before
    assert (inodes(host), reloaded(host)) == untouched
    assert_same(tree, manifest_of(host.tree))


def test_a_second_install_loads_no_more_than_it_needs(host: roots.BootedRoot) -> None:
    told = {"PYTHONPROFILEIMPORTTIME": "1"}
    ended = host.run("trtllm-install", "--profile", "multi", "--simulate", environment=told)
    assert "0 changes" in ended.stdout, ended.stderr
    lines = [line for line in ended.stderr.splitlines() if line.startswith("import time:")]
    loaded = {line.rpartition("|")[2].strip().partition(".")[0] for line in lines}
    assert "trtllm_install" in loaded
    assert loaded & {"jinja2", "pydantic", "rich", "requests", "http", "pynvml"} == set()


def inodes(host: roots.BootedRoot) -> list[str]:
    """Path, inode and both times of everything of ours that services do not write."""
    ours = "/etc/trtllm /etc/systemd/system /etc/tmpfiles.d /opt/trtllm/engines"
    ours += " /var/lib/trtllm/receipt.json /var/lib/trtllm/generations /var/log/trtllm-install"
    return host.check("sh", "-c", f"find {ours} -printf '%p %i %T@ %C@\\n'").splitlines()


def reloaded(host: roots.BootedRoot) -> str:
    """When systemd read its units last."""
    return host.check("systemctl", "show", "--property=UnitsLoadTimestampMonotonic")


def test_verify_names_what_an_operator_did(host: roots.BootedRoot) -> None:
    assert drift(host) == set()
    spec, unit = "/etc/trtllm/instances/qwen.json", "/etc/systemd/system/trtllm-nemotron.service"
    done = f"""
    cp -a {spec} {unit} /root/
    chmod 0666 {spec}
    sed -i 's/"drain_s": 30/"drain_s": 31/' {spec}
    echo '# edited' >> {unit}
    mkdir {unit}.d && printf '[Service]\\nNice=1\\n' > {unit}.d/nice.conf
    """
    host.check("sh", "-ec", done)
    assert drift(host) == {
        ("drift", spec, "content"),
        ("drift", spec, "mode"),
        ("drift", "qwen", "launch spec"),
        ("drift", unit, "content"),
        ("drift", "nemotron", "input"),
        ("drift", "trtllm-nemotron.service", "read"),
    }
    host.check("systemctl", "daemon-reload")
    host.check("systemctl", "restart", "trtllm-nemotron", timeout=180)
    assert {d for d in drift(host) if "nemotron" in d[1]} == {
        ("drift", unit, "content"),
        ("information", "trtllm-nemotron.service", "drop-in"),
    }
    host.check("sh", "-ec", f"cp -a /root/qwen.json {spec}; cp -a /root/*.service {unit}")
    host.check("sh", "-ec", f"rm -r {unit}.d /root/*.json /root/*.service")
    host.check("systemctl", "daemon-reload")
    assert drift(host) == set()


def test_verify_without_root_says_what_it_cannot_see(host: roots.BootedRoot) -> None:
    asked = host.run("runuser", "-u", "nobody", "--", "trtllm-install", "verify")
    assert asked.returncode == 0, asked.stdout + asked.stderr
    assert "could not be seen" in asked.stdout
    assert "\ndrift:" not in f"\n{asked.stdout}"


def drift(host: roots.BootedRoot) -> set[tuple[str, str, str]]:
    ended = host.run("trtllm-install", "verify", "--output", "json")
    document = json.loads(ended.stdout)
    found = {(d["weight"], d["subject"], d["aspect"]) for d in document["drift"]}
    differs = any(weight == "drift" for weight, _, _ in found)
    assert ended.returncode == document["exit_code"] == (10 if differs else 0), document
    return found


def test_restarting_one_model_leaves_the_others_alone(host: roots.BootedRoot) -> None:
    qwen, nemotron, proxy = (main_pid(host, unit) for unit in UNITS)
    host.check("systemctl", "restart", "trtllm-qwen", timeout=180)
    assert main_pid(host, UNITS[0]) not in {0, qwen}
    assert [main_pid(host, unit) for unit in UNITS[1:]] == [nemotron, proxy]
    await_true("health 200", lambda: health(host)[0] == 200, seconds=30)
    assert_answers(host, QWEN)


def test_the_target_stops_and_starts_everything(host: roots.BootedRoot) -> None:
    host.check("systemctl", "stop", "trtllm.target", timeout=120)
    await_true("nothing of ours running", lambda: not running(host), seconds=60)
    assert host.run("systemctl", "is-failed", *UNITS).returncode != 0
    host.check("systemctl", "start", "trtllm.target", timeout=300)
    await_true("health 200", lambda: health(host)[0] == 200, seconds=200)
    status = host.run("systemctl", "status", "--no-pager", "trtllm-qwen")
    assert status.returncode == 0
    assert "Active: active (running)" in status.stdout
    assert "Status:" in status.stdout


def test_a_killed_backend_is_named_and_comes_back(host: roots.BootedRoot) -> None:
    qwen = engine_pid(host, "qwen")
    assert qwen
    nemotron = engine_pid(host, "nemotron")
    host.check("kill", "-9", str(qwen))
    status, body = await_true(
        "health 503",
        lambda: (answer := health(host))[0] == 503 and answer,
        seconds=15,
    )
    assert status == 503
    assert "qwen" in body
    refused = ask(host, QWEN)
    assert refused["status"] == 503, refused
    assert {"message", "type", "code"} <= refused["error"].keys()
    assert_answers(host, NEMOTRON)
    # The old port stays bound for up to a minute: trtllm-serve has no SO_REUSEADDR.
    await_true("health 200", lambda: health(host)[0] == 200, seconds=120)
    assert_answers(host, QWEN)
    assert engine_pid(host, "qwen") not in {0, qwen}
    assert engine_pid(host, "nemotron") == nemotron


@pytest.mark.parametrize("again", [("restart", "qwen"), ("--profile", "multi", "--simulate")])
def test_what_failed_and_was_mended_is_begun_again(
    host: roots.BootedRoot, again: tuple[str, ...]
) -> None:
    """The state file still says that it failed for good, until its new launcher speaks."""
    path = "/etc/trtllm/engine/qwen_multi.yaml"
    host.check("cp", "--archive", path, "/run/kept.yaml")
    host.check("sed", "-i", "s/max_batch_size/max_batch_sice/", path)
    failed = host.run("trtllm-install", "restart", "qwen", timeout=60)
    assert (failed.returncode, "max_batch_sice" in failed.stderr) == (6, True), failed.stderr
    host.check("cp", "--archive", "/run/kept.yaml", path)
    ended = host.run("trtllm-install", *again, timeout=120)
    assert ended.returncode == 0, ended.stderr
    assert_answers(host, QWEN)


def test_a_reboot_brings_everything_back_and_does_not_wait_for_it(host: roots.BootedRoot) -> None:
    host.reboot()
    host.check("trtllm-install", "wait", timeout=120)
    assert health(host)[0] == 200

    def active_since(unit: str) -> int:
        name = "--property=ActiveEnterTimestampMonotonic"
        return int(host.check("systemctl", "show", "--value", name, unit))

    assert active_since("multi-user.target") < active_since("trtllm-qwen.service")
    assert active_since("trtllm-qwen.service") < active_since("trtllm.target")
    again = host.bootstrap("--profile", "multi", "--simulate")
    assert "done: 0 changes" in again.stdout


def test_uninstall_leaves_nothing_but_the_logs(
    host: roots.BootedRoot,
    bare: dict[str, str],
) -> None:
    ended = host.run("trtllm-install", "uninstall", "--yes", timeout=120)
    assert ended.returncode == 0, ended.stderr
    assert running(host) == set()
    assert host.check("systemctl", "list-units", "--all", "--no-legend", "trtllm*") == ""
    left = differences(bare, manifest_of(host.tree))
    assert [line for line in left if not line.startswith("var/log/trtllm")] == []


def test_the_host_can_be_installed_again(host: roots.BootedRoot) -> None:
    ended = host.bootstrap("--profile", "multi", "--simulate")
    assert ended.returncode == 0, ended.stderr
    assert_answers(host, NEMOTRON)


def test_uninstall_with_purge_returns_the_tree_to_what_it_was(
    host: roots.BootedRoot,
    bare: dict[str, str],
) -> None:
    ended = host.run("trtllm-install", "uninstall", "--purge", "--yes", timeout=120)
    assert ended.returncode == 0, ended.stderr
    assert_same(bare, manifest_of(host.tree))
