"""A host that already runs an nginx of its own keeps it as it is."""

import json
from collections.abc import Iterator

import pytest

from lab import images, roots
from lab.visitor import NEMOTRON, assert_answers

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]
STAGED = True

SHOW = ("systemctl", "show", "nginx", "--property=MainPID,ActiveState,UnitFileState,NRestarts")
BROUGHT = {
    *("libnginx-mod-http-lua", "libnginx-mod-http-ndk", "lua-cjson", "lua-resty-core"),
    *("lua-resty-lrucache", "libluajit2-5.1-2", "libluajit2-5.1-common", "libpcre3"),
}


@pytest.fixture(scope="module")
def host() -> Iterator[roots.BootedRoot]:
    with roots.BootedRoot(images.DEBIAN_12, bare=True) as root:
        root.check("apt-get", "install", "--yes", "--no-install-recommends", "nginx")
        root.check("systemctl", "enable", "--now", "nginx")
        yield root


@pytest.fixture(scope="module")
def before(host: roots.BootedRoot) -> str:
    shown = host.check(*SHOW)
    assert "ActiveState=active" in shown
    assert "UnitFileState=enabled" in shown
    return shown


def assert_as_before(host: roots.BootedRoot, before: str) -> None:
    assert host.check(*SHOW) == before
    assert "Welcome to nginx" in host.check("curl", "--silent", "http://127.0.0.1:80/")


def test_only_what_lacks_is_brought_and_nginx_goes_on(host: roots.BootedRoot, before: str) -> None:
    site = (host.tree / "etc/nginx/nginx.conf").read_bytes()
    ended = host.bootstrap("--profile", "multi", "--simulate", "--output", "json")
    assert ended.returncode == 0, ended.stderr
    changes = json.loads(ended.stdout)["changes"]
    assert {c["path"] for c in changes if c["kind"] == "package"} == BROUGHT
    assert_answers(host, NEMOTRON)
    assert_as_before(host, before)
    assert (host.tree / "etc/nginx/nginx.conf").read_bytes() == site
    assert not (host.tree / "usr/sbin/policy-rc.d").exists()


def test_purging_takes_what_was_brought_and_leaves_nginx(
    host: roots.BootedRoot, before: str
) -> None:
    ended = host.run("trtllm-install", "uninstall", "--purge", "--yes", timeout=120)
    assert ended.returncode == 0, ended.stderr
    installed = host.check("dpkg-query", "--show", "--showformat=${Package}\n").split()
    assert not BROUGHT & set(installed)
    assert {"nginx", "nginx-common"} <= set(installed)
    assert_as_before(host, before)
