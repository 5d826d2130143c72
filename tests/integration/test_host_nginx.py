"""A host that already runs an nginx of its own keeps it as it is."""

from collections.abc import Iterator

import pytest

from lab import images, roots

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def host() -> Iterator[roots.BootedRoot]:
    with roots.BootedRoot(images.DEBIAN_12) as root:
        root.check("apt-get", "install", "--yes", "--no-install-recommends", "nginx")
        root.check("systemctl", "enable", "--now", "nginx")
        yield root


def test_bootstrap_leaves_a_running_nginx_alone(host: roots.BootedRoot) -> None:
    show = ("systemctl", "show", "nginx", "--property=MainPID,ActiveState,UnitFileState,NRestarts")
    before = host.check(*show)
    assert "ActiveState=active" in before
    assert "UnitFileState=enabled" in before
    site = (host.tree / "etc/nginx/nginx.conf").read_bytes()
    ended = host.bootstrap("--version")
    assert ended.returncode == 0, ended.stderr
    assert "installing packages: python3-venv libnginx-mod-http-lua lua-cjson" in ended.stderr
    assert host.check(*show) == before
    assert (host.tree / "etc/nginx/nginx.conf").read_bytes() == site
    assert "Welcome to nginx" in host.check("curl", "--silent", "http://127.0.0.1:80/")
