"""The core of the path on Debian 13: systemd 257, Python 3.13, nginx 1.26; CUDA in its sandbox."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab import images, roots
from lab.visitor import NEMOTRON, QWEN, assert_answers, await_true, health, running
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


def put_pair(host: roots.BootedRoot, name: str) -> Path:
    """Make a certificate, put it where the guide says, and return a copy outside the host."""
    folder = host.tree / "root" / name
    folder.mkdir()
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-days", "90", "-subj", "/CN=gpu7.example"),
            *("-addext", "subjectAltName=DNS:gpu7.example"),
            *("-keyout", folder / "privkey.pem", "-out", folder / "fullchain.pem"),
        ],
        check=True,
        capture_output=True,
    )
    pair = (f"/root/{name}/fullchain.pem", f"/root/{name}/privkey.pem")
    host.check("install", "-D", "-m", "0440", "-g", "trtllm", "-t", "/etc/trtllm/tls", *pair)
    return folder / "fullchain.pem"


def keyed(host: roots.BootedRoot, certificate: Path, key: str) -> dict[str, Any]:
    """Return what lab/keyed.py saw; nothing while the host shows another certificate."""
    program = [sys.executable, str(Path(roots.__file__).with_name("keyed.py"))]
    ended = host.run_on_network(*program, str(certificate), "gpu7.example", key, QWEN)
    if "CERTIFICATE_VERIFY_FAILED" in ended.stderr:
        return {}
    assert ended.returncode == 0, ended.stderr
    seen: dict[str, Any] = json.loads(ended.stdout)
    return seen


SITE = """listen: 0.0.0.0
proxy:
  tls:
    certificate: /etc/trtllm/tls/fullchain.pem
    key: /etc/trtllm/tls/privkey.pem
"""


def test_opened_to_the_network_it_asks_for_keys_and_speaks_tls(host: roots.BootedRoot) -> None:
    """As docs/howto/open-to-the-network.md says, and with a certificate that is renewed."""
    key = host.check("trtllm-install", "keys", "add", "alice").strip()
    first = put_pair(host, "first")
    (host.tree / "etc/trtllm/site.yaml").write_text(SITE)
    ended = host.run("trtllm-install", "--profile", "multi", "--simulate", timeout=120)
    assert ended.returncode == 0, ended.stderr
    assert "\nalice " in host.check("cat", "/etc/trtllm/proxy-keys")
    assert key not in host.check("cat", "/etc/trtllm/proxy-keys")

    seen = keyed(host, first, key)
    assert seen["statuses"] == [401, 401, 200]
    assert seen["prompt_was_heard"], "on its way from the proxy to the engine"
    assert not seen["key_was_heard"], "neither on the network nor passed on to the engine"

    proxy = host.check("systemctl", "show", "--property=MainPID,NRestarts", "trtllm-proxy")
    second = put_pair(host, "second")
    renewed = await_true("it shows the new one", lambda: keyed(host, second, key), seconds=60)
    assert renewed["statuses"] == [401, 401, 200]
    assert renewed["certificate"] != seen["certificate"]
    shown = host.check("systemctl", "show", "--property=MainPID,NRestarts", "trtllm-proxy")
    assert shown == proxy


def test_doctor_finds_nothing_wrong_with_the_proxy(host: roots.BootedRoot) -> None:
    ended = host.run("trtllm-install", "doctor", "proxy", "--output", "json", timeout=120)
    document = json.loads(ended.stdout)
    assert [case for case in document["cases"] if not case["passed"]] == []
    assert {"no key", "two lengths", "a header that never ends"} <= {
        case["name"] for case in document["cases"]
    }
    assert ended.returncode == 0


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
