"""A host that sets itself up at its first boot, by the user-data of docs/howto/first-boot.md.

Debian's cloud-init, a seed folder for the metadata service, and a bundle as a file: the host
has no network.
"""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import checkout, images, roots
from lab.bundled import make_bundle
from lab.visitor import NEMOTRON, QWEN, assert_answers

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]

# The lab's image has neither locales nor a network of its own.
LAB = "locale: false\nnetwork: {config: disabled}\n"
SEED = "var/lib/cloud/seed/nocloud"
# What differs here: where the bundle lies, and that no GPU and no weights are there.
HERE = {
    "https://mirror.example/trtllm.tar": "file:///srv/in/trtllm.tar",
    "      weights_dir: /srv/model_weights\n": "",
    "--no-start]": "--no-start, --simulate]",
}


def user_data() -> str:
    """Return the user-data that the document shows, made to fit this lab."""
    text = (checkout.ROOT / "docs/howto/first-boot.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"```\w+\n(#cloud-config\n.*?)```", text, re.DOTALL)
    for there, here in HERE.items():
        assert there in shown
        shown = shown.replace(there, here)
    return str(shown)


class SeededRoot(roots.BootedRoot):
    """A host that cloud-init sets up when it boots."""

    def __init__(self, bundle: Path) -> None:
        super().__init__(images.DEBIAN_12, packages=("cloud-init",))
        self._bundle = bundle

    def _boot(self) -> None:
        seed = self.tree / SEED
        seed.mkdir(parents=True)
        (seed / "meta-data").write_text("instance-id: first\n", encoding="utf-8")
        (seed / "user-data").write_text(user_data(), encoding="utf-8")
        (self.tree / "etc/cloud/cloud.cfg.d/99-lab.cfg").write_text(LAB, encoding="utf-8")
        (self.tree / "srv/in").mkdir()
        shutil.copy(self._bundle, self.tree / "srv/in/trtllm.tar")
        super()._boot()

    def _is_up(self) -> bool:
        """cloud-init is part of starting, and waited for by the test."""
        return self.run("systemctl", "is-system-running").stdout.strip() in {"starting", "running"}


@pytest.fixture
def host(tmp_path: Path) -> Iterator[SeededRoot]:
    with SeededRoot(make_bundle(tmp_path)) as root:
        yield root


def test_the_user_data_that_is_shown_makes_a_host_that_serves(host: SeededRoot) -> None:
    host.check("cloud-init", "schema", "--config-file", f"/{SEED}/user-data")
    log = host.tree / "var/log/cloud-init-output.log"
    ended = host.run("cloud-init", "status", "--wait", "--long", timeout=400)
    assert "status: done" in ended.stdout, ended.stdout + log.read_text(encoding="utf-8")[-4000:]
    host.check("trtllm-install", "wait", timeout=120)
    for model in (QWEN, NEMOTRON):
        assert_answers(host, model)
