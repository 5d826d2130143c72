"""The core of the path on Debian 13: systemd 257, Python 3.13, nginx 1.26; CUDA in its sandbox."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from lab import images, roots
from lab.visitor import NEMOTRON, QWEN, assert_answers, health, running
from nvml import rig

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


def smoke(host: roots.BootedRoot) -> tuple[dict[str, Any], str]:
    """Return the smoke test of a check, and the fix that it offers."""
    words = ("--profile", "qwen", "--weights-dir", rig.MODELS, "--smoke", "--output", "json")
    document = json.loads(host.run("trtllm-install", "check", *words, timeout=120).stdout)
    fixes = [f["remedy"] for f in document["findings"] if f["code"] == "cuda-sandbox-fails"]
    return document["smoke"], " ".join(fixes)


def test_cuda_is_tried_in_the_sandbox_of_the_units(host: roots.BootedRoot) -> None:
    rig.put_gpu(host.tree, "b200")
    tried, fix = smoke(host)
    assert (tried["outside"], tried["inside"], tried["breaks"], fix) == (True, True, [], "")


def test_property_that_breaks_cuda_is_named_and_a_drop_in_lifts_it(host: roots.BootedRoot) -> None:
    """A driver that wants to see homes: nothing but ProtectHome is in its way."""
    host.check("touch", "/home/needed")
    rig.put_gpu(host.tree, "b200", "open /home/needed")
    tried, fix = smoke(host)
    assert (tried["outside"], tried["inside"]) == (True, False)
    assert tried["breaks"] == ["ProtectHome=tmpfs"]
    assert fix.startswith("sudo systemctl edit trtllm-qwen.service")
    assert fix.endswith("ProtectHome=no")
    folder = host.tree / "etc/systemd/system/trtllm-qwen.service.d"
    folder.mkdir()
    (folder / "override.conf").write_text("[Service]\nProtectHome=no\n", encoding="utf-8")
    assert smoke(host)[0]["inside"] is True
