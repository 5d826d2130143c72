"""What systemd says of the rendered units, without a systemd that runs.

``systemd-analyze`` reads them in a root of their own: unit files, programs that do nothing,
and the few units of the system that ours refer to.
"""

import dataclasses
import os
import re
import subprocess
from pathlib import Path

import pytest

from fakes.healthy import INSTALLATION
from lab import needs
from trtllm_install.model import layout
from trtllm_install.model.installation import Installation, Proxy
from trtllm_install.render.tree import Surroundings, render_tree

# Of ten; measured with systemd 252: an instance 2.1, the proxy 1.8.
BUDGET = 2.5
SYSTEM = (
    *("sysinit.target", "basic.target", "shutdown.target", "network.target"),
    *("multi-user.target", "systemd-modules-load.service"),
)
TARGET = "[Unit]\nDescription=of the system\nDefaultDependencies=no\n"
SERVICE = f"{TARGET}[Service]\nType=oneshot\nExecStart=/bin/true\n"


def place(root: Path, path: str, content: bytes, mode: int = 0o644) -> None:
    at = root / path.lstrip("/")
    at.parent.mkdir(parents=True, exist_ok=True)
    at.write_bytes(content)
    at.chmod(mode)


def rooted(root: Path, installation: Installation = INSTALLATION) -> Path:
    """Lay out a root that holds what the units of ``installation`` name."""
    for file in render_tree(installation, Surroundings(proxy_binary="/usr/sbin/nginx")).files:
        place(root, file.path, file.content)
    for name in SYSTEM:
        text = SERVICE if name.endswith(".service") else TARGET
        place(root, f"/usr/lib/systemd/system/{name}", text.encode())
    for program in (layout.supervise(), f"{layout.TOOL}/bin/trtllm-install", "/bin/kill"):
        place(root, program, b"#!/bin/sh\n", 0o755)
    place(root, "/bin/true", b"#!/bin/sh\n", 0o755)
    return root


def analyze(root: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [needs.program("systemd-analyze"), f"--root={root}", *argv],
        env={"PATH": os.defpath, "LC_ALL": "C.UTF-8", "SYSTEMD_COLORS": "0"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def verified(root: Path) -> tuple[int, str]:
    """A misspelt key alone ends 0 without --recursive-errors, and output is never fine."""
    units = sorted(p.name for p in (root / layout.UNITS.lstrip("/")).iterdir())
    ended = analyze(root, "verify", "--man=no", "--recursive-errors=yes", *units)
    return ended.returncode, ended.stdout + ended.stderr


def with_weights(folder: str) -> Installation:
    instances = tuple(
        dataclasses.replace(i, weights=f"{folder}/{i.name}") for i in INSTALLATION.instances
    )
    return dataclasses.replace(INSTALLATION, weights_dir=folder, instances=instances)


def test_systemd_has_nothing_to_say_about_the_units(tmp_path: Path) -> None:
    assert verified(rooted(tmp_path)) == (0, "")


@pytest.mark.parametrize(
    "folder",
    [
        "/home/me/my weights",
        "/home/me/a:b",
        "/home/me/50%",
        "/home/me/it's",
        '/home/"me"/w',
        "/srv",
    ],
)
def test_nor_about_weights_in_a_folder_with_an_odd_name(tmp_path: Path, folder: str) -> None:
    assert verified(rooted(tmp_path, with_weights(folder))) == (0, "")


def test_nor_about_a_proxy_on_a_low_port(tmp_path: Path) -> None:
    low = dataclasses.replace(INSTALLATION, proxy=Proxy(host="127.0.0.1", port=80))
    assert verified(rooted(tmp_path, low)) == (0, "")


@pytest.mark.parametrize(
    ("unit", "old", "new"),
    [
        ("trtllm-proxy.service", "KillMode=", "KilMode="),
        ("trtllm-qwen.service", "Restart=on-failure", "Restart=sometimes"),
        ("trtllm-gpu-ready.service", layout.TOOL, "/absent"),
        ("trtllm-nemotron.service", "[Service]", "[Servise]"),
    ],
)
def test_a_mistake_in_any_unit_would_be_seen(tmp_path: Path, unit: str, old: str, new: str) -> None:
    at = rooted(tmp_path) / layout.UNITS.lstrip("/") / unit
    text = at.read_text()
    assert old in text
    at.write_text(text.replace(old, new))
    code, said = verified(tmp_path)
    assert unit in said
    assert code != 0


@pytest.mark.parametrize("unit", ["trtllm-qwen.service", "trtllm-proxy.service"])
def test_the_sandbox_keeps_within_its_budget(tmp_path: Path, unit: str) -> None:
    ended = analyze(
        rooted(tmp_path),
        "security",
        "--offline=yes",
        "--no-pager",
        f"--threshold={BUDGET * 10:g}",
        unit,
    )
    found = re.search(rf"exposure level for {unit}: (\d+\.\d+)", ended.stdout)
    assert found, ended.stdout + ended.stderr
    assert float(found[1]) <= BUDGET, ended.stdout
    assert ended.returncode == 0, ended.stdout
