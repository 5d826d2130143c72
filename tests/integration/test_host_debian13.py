"""The core of the path on Debian 13: systemd 257, Python 3.13, nginx 1.26."""

from collections.abc import Iterator

import pytest

from lab import images, roots
from lab.visitor import NEMOTRON, QWEN, assert_answers, health, running

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]
STAGED = True


@pytest.fixture(scope="module")
def host() -> Iterator[roots.BootedRoot]:
    with roots.BootedRoot(images.DEBIAN_13) as root:
        yield root


def test_one_command_brings_up_the_whole_service(host: roots.BootedRoot) -> None:
    ended = host.bootstrap("--profile", "multi", "--simulate")
    assert ended.returncode == 0, ended.stderr
    assert health(host)[0] == 200
    assert_answers(host, QWEN)
    assert_answers(host, NEMOTRON)


def test_units_start_in_order(host: roots.BootedRoot) -> None:
    moments = [
        int(host.check("systemctl", "show", "--value", f"--property={moment}", f"trtllm-{name}"))
        for name in ("qwen", "nemotron", "proxy")
        for moment in ("ExecMainStartTimestampMonotonic", "ActiveEnterTimestampMonotonic")
    ]
    assert 0 not in moments
    assert moments == sorted(moments)


def test_a_second_install_restarts_nothing(host: roots.BootedRoot) -> None:
    before = running(host)
    ended = host.bootstrap("--profile", "multi", "--simulate")
    assert ended.returncode == 0, ended.stderr
    assert running(host) == before


def test_uninstall_ends_everything(host: roots.BootedRoot) -> None:
    ended = host.run("trtllm-install", "uninstall", "--yes", timeout=120)
    assert ended.returncode == 0, ended.stderr
    assert running(host) == set()
    assert host.run("systemctl", "--failed", "--plain", "--no-legend").stdout == ""
