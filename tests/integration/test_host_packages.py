"""Packages of the distribution are changes of a plan: shown, brought, undone, taken away."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from lab import images, roots
from lab.manifest import assert_same, manifest_of
from lab.visitor import NEMOTRON, assert_answers, await_true, running

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]
STAGED = True

TOOL = "trtllm-install"
MULTI = ("--profile", "multi", "--simulate")
USER = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
WANTED = {"nginx", "libnginx-mod-http-lua", "lua-cjson"}
POLICY = "#!/bin/sh\necho asked >>/run/asked\nexit 0\n"
HOLDER = """
import fcntl, signal
with open("/var/lib/dpkg/lock-frontend", "w") as file:
    fcntl.lockf(file, fcntl.LOCK_EX)
    print("held", flush=True)
    signal.pause()
"""


@pytest.fixture(scope="module")
def host() -> Iterator[roots.BootedRoot]:
    with roots.BootedRoot(images.DEBIAN_12, bare=True) as root:
        ended = root.bootstrap("--version")
        assert ended.returncode == 0, ended.stderr
        yield root


def packages(host: roots.Root) -> list[str]:
    """Return every package with its state, also what is left of removed ones."""
    form = "--showformat=${Package} ${Version} ${db:Status-Abbrev}\n"
    return sorted(host.check("dpkg-query", "--show", form).splitlines())


def document(ended: Any, code: int = 0) -> dict[str, Any]:
    assert ended.returncode == code, ended.stderr
    answer: dict[str, Any] = json.loads(ended.stdout)
    return answer


def brought(answer: dict[str, Any]) -> set[str]:
    return {c["path"] for c in answer["changes"] if c["kind"] == "package"}


def test_the_plan_of_an_ordinary_user_names_every_package(host: roots.BootedRoot) -> None:
    before = manifest_of(host.tree)
    answer = document(host.run(*USER, TOOL, "plan", *MULTI, "--output", "json"))
    assert brought(answer) > WANTED
    assert "packages-absent" in {f["code"] for f in answer["findings"]}
    assert_same(before, manifest_of(host.tree))


def test_no_packages_refuses_with_the_command(host: roots.BootedRoot) -> None:
    before = manifest_of(host.tree)
    ended = host.run(TOOL, *MULTI, "--no-packages")
    assert ended.returncode == 3
    assert "fix: sudo apt-get install nginx libnginx-mod-http-lua lua-cjson" in ended.stderr
    assert_same(before, manifest_of(host.tree))


def test_what_apt_refuses_is_said_in_its_words(host: roots.BootedRoot) -> None:
    host.check("apt-mark", "hold", "lua-cjson")
    pin = host.tree / "etc/apt/preferences.d/none"
    pin.write_text("Package: lua-cjson\nPin: release *\nPin-Priority: -1\n", encoding="utf-8")
    ended = host.run(TOOL, *MULTI)
    pin.unlink()
    host.check("apt-mark", "unhold", "lua-cjson")
    assert ended.returncode == 3
    assert "apt-get says: Package 'lua-cjson' has no installation candidate" in ended.stderr
    assert "[packages-unavailable]" in ended.stderr
    assert "proxy-binary-missing" not in ended.stderr


def test_a_failed_install_takes_its_packages_away_again(host: roots.BootedRoot) -> None:
    before = packages(host)
    ended = host.run(TOOL, *MULTI, "--timeout", "0.01", timeout=120)
    assert ended.returncode == 6, ended.stderr
    assert "the host is as it was" in ended.stderr
    assert packages(host) == before
    for path in ("etc/nginx", "usr/sbin/nginx", "usr/sbin/policy-rc.d", "etc/trtllm"):
        assert not (host.tree / path).exists(), path
    assert host.run("systemctl", "is-active", "nginx").stdout == "inactive\n"


def test_a_run_that_is_killed_while_dpkg_works_is_undone_by_the_next(
    host: roots.BootedRoot,
) -> None:
    before = packages(host)
    host.check("systemd-run", "--quiet", "--unit=cut", TOOL, *MULTI)
    status = host.tree / "var/lib/dpkg/status"
    await_true("dpkg at work", lambda: "Package: nginx\n" in status.read_text(), seconds=60)
    host.check("systemctl", "kill", "--kill-whom=main", "--signal=KILL", "cut")
    ended = host.run(TOOL, "rollback", timeout=120)
    assert ended.returncode == 0, ended.stderr
    assert packages(host) == before
    assert not (host.tree / "usr/sbin/policy-rc.d").exists()
    host.run("systemctl", "reset-failed", "cut")


def test_apt_that_is_busy_is_waited_for_by_name_and_a_foreign_policy_stays(
    host: roots.BootedRoot,
) -> None:
    policy = host.tree / "usr/sbin/policy-rc.d"
    policy.write_text(POLICY, encoding="utf-8")
    policy.chmod(0o755)
    host.check("systemd-run", "--quiet", "--unit=busy-apt", "/usr/bin/python3", "-c", HOLDER)
    await_true(
        "apt's lock being held",
        lambda: host.run("apt-get", "install", "--download-only", "lua-cjson").returncode,
        seconds=20,
    )
    output = "--property=StandardError=file:/tmp/said"
    words = (TOOL, *MULTI, "--output", "json")
    host.check(
        *("systemd-run", "--quiet", "--unit=installing", output),
        *("--property=StandardOutput=file:/tmp/answer", "--property=RemainAfterExit=yes", *words),
    )
    said = await_true(
        "the wait being told",
        lambda: "waiting" in (text := host.check("cat", "/tmp/said")) and text,
        seconds=60,
    )
    assert "waiting for another apt: Could not get lock /var/lib/dpkg/lock-frontend" in said
    assert "(python3)" in said
    host.check("systemctl", "stop", "busy-apt")
    await_true(
        "the end of the install",
        lambda: host.check("cat", "/tmp/answer"),
        seconds=180,
    )
    answer = json.loads(host.check("cat", "/tmp/answer"))
    assert answer["ok"], answer["error"]
    assert brought(answer) > WANTED
    assert policy.read_text(encoding="utf-8") == POLICY
    assert not (host.tree / "usr/sbin/policy-rc.d.trtllm-before").exists()
    policy.unlink()
    host.check("systemctl", "stop", "installing")


def test_nginx_came_without_its_own_service(host: roots.BootedRoot) -> None:
    assert_answers(host, NEMOTRON)
    assert host.run("systemctl", "is-active", "nginx").stdout == "inactive\n"
    assert host.run("systemctl", "is-enabled", "nginx").stdout == "disabled\n"
    assert ":80 " not in host.check("ss", "-ltn")


def test_a_second_install_asks_no_package_manager(host: roots.BootedRoot) -> None:
    before = running(host)
    answer = document(host.run(TOOL, *MULTI, "--output", "json"))
    assert (answer["changed"], answer["changes"]) == (False, [])
    assert running(host) == before


def test_an_ordinary_user_sees_the_same_plan_or_is_told_what_is_hidden(
    host: roots.BootedRoot,
) -> None:
    plan = (*USER, TOOL, "plan", *MULTI, "--output", "json")
    seen = document(host.run(*plan))
    assert (seen["changes"], seen["unknown"]) == ([], [])
    host.check("chmod", "0700", "/etc/trtllm/instances")
    hidden = document(host.run(*plan))
    assert [c["action"] for c in hidden["changes"]] == ["chmod"]
    assert any(
        line.startswith("whether /etc/trtllm/instances/qwen.json changes: ")
        and line.endswith("permission denied")
        for line in hidden["unknown"]
    )
    assert "whether qwen begins anew: it reads what is hidden" in hidden["unknown"]
    host.check("chmod", "0755", "/etc/trtllm/instances")
    for verb in (("check", *MULTI), ("status",), ("render", "/tmp/rendered", *MULTI)):
        ended = host.run(*USER, TOOL, *verb)
        assert ended.returncode == 0, ended.stdout + ended.stderr
    assert (
        host.check("stat", "--format=%u", "/tmp/rendered/etc/trtllm/proxy/nginx.conf") == "65534\n"
    )


def test_without_purge_packages_stay(host: roots.BootedRoot) -> None:
    answer = document(host.run(TOOL, "uninstall", "--dry-run", "--output", "json"))
    kept = [c for c in answer["changes"] if c["kind"] == "package"]
    assert {c["action"] for c in kept} == {"keep"}
    assert {c["path"] for c in kept} > WANTED


def test_purging_takes_those_that_nobody_else_needs(host: roots.BootedRoot) -> None:
    control = "Package: ours\nVersion: 1\nArchitecture: all\nDepends: lua-cjson\n"
    control += "Maintainer: me <me@localhost>\nDescription: needs one of them\n"
    host.check("mkdir", "--parents", "/tmp/ours/DEBIAN")
    host.run("tee", "/tmp/ours/DEBIAN/control", stdin=control)
    host.check("dpkg-deb", "--build", "/tmp/ours", "/tmp/ours.deb")
    host.check("dpkg", "--install", "/tmp/ours.deb")
    ended = host.run(TOOL, "uninstall", "--purge", "--yes", timeout=180)
    assert ended.returncode == 0, ended.stderr
    assert "left: package lua-cjson (ours needs it)" in ended.stdout
    left = {line.split()[0] for line in packages(host)}
    assert "lua-cjson" in left
    assert not left & {"nginx", "nginx-common", "libnginx-mod-http-lua", "lua-resty-core"}
    assert not (host.tree / "etc/nginx").exists()
