"""An image that is installed with --root serves by itself once it is booted; one tree for all."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from lab import images, roots
from lab.image_root import ImageRoot, machine_state
from lab.manifest import assert_same, manifest_of
from lab.visitor import NEMOTRON, QWEN, assert_answers, health, running

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]
STAGED = True

MULTI = ("install", "--profile", "multi", "--simulate")


@pytest.fixture(scope="module")
def image() -> Iterator[ImageRoot]:
    """Return an image with the packages and the tool in it, and nothing installed."""
    with ImageRoot(images.DEBIAN_12) as root:
        ended = root.run_before_boot(f"{roots.CHECKOUT_INSIDE}/scripts/bootstrap.sh", "--version")
        assert ended.returncode == 0, ended.stderr
        yield root


@pytest.fixture(scope="module")
def bare(image: ImageRoot) -> dict[str, str]:
    return manifest_of(image.tree)


def made(image: ImageRoot, *argv: str) -> dict[str, Any]:
    ended = image.make(*argv, "--output", "json")
    assert ended.returncode == 0, ended.stderr
    document: dict[str, Any] = json.loads(ended.stdout)
    return document


def assert_converged(image: ImageRoot) -> None:
    """Demand that the booted host finds nothing to do, and touches nothing that runs."""
    before = running(image)
    ended = image.run("trtllm-install", *MULTI[1:], "--output", "json")
    assert ended.returncode == 0, ended.stderr
    document = json.loads(ended.stdout)
    assert (document["changed"], document["changes"]) == (False, [])
    assert running(image) == before


def test_supervisord_is_installed_and_this_machine_is_left_alone(
    image: ImageRoot, bare: dict[str, str]
) -> None:
    assert bare
    here = machine_state()
    assert made(image, *MULTI, "--init", "supervisord")["changed"] is True
    assert machine_state() == here
    assert made(image, *MULTI)["changes"] == []


def test_the_image_serves_under_supervisord_after_the_command_of_its_boot(image: ImageRoot) -> None:
    image.boot(by_systemd=False)
    image.check("trtllm-install", "start", "--no-wait")
    image.check("trtllm-install", "wait", timeout=120)
    assert_answers(image, QWEN)
    assert_converged(image)
    image.check("trtllm-install", "stop")
    image.halt()


def test_uninstall_takes_everything_out_of_the_image(
    image: ImageRoot, bare: dict[str, str]
) -> None:
    assert made(image, "uninstall", "--purge", "--yes")["changed"] is True
    assert_same(bare, manifest_of(image.tree))


def test_systemd_is_installed_and_enabled_by_a_link(image: ImageRoot, bare: dict[str, str]) -> None:
    assert bare
    plan = made(image, "plan", *MULTI[1:])["changes"]
    assert made(image, *MULTI)["changes"] == plan
    assert {"action": "enable", "path": "trtllm.target"}.items() <= plan[-1].items()
    link = image.tree / "etc/systemd/system/multi-user.target.wants/trtllm.target"
    assert str(link.readlink()) == "/etc/systemd/system/trtllm.target"
    lines = (image.tree / "etc/passwd").read_text(encoding="utf-8").splitlines()
    (line,) = (line for line in lines if line.startswith("trtllm:"))
    uid = int(line.split(":")[2])
    assert (image.tree / "var/lib/trtllm/qwen").stat().st_uid == uid
    assert made(image, *MULTI)["changes"] == []
    assert "in " in image.make("status").stdout
    verified = image.make("verify")
    assert verified.stdout.startswith("no drift from generation 1"), verified.stdout


def test_the_image_serves_by_itself_once_it_is_booted(image: ImageRoot) -> None:
    image.boot(by_systemd=True)
    image.check("trtllm-install", "wait", timeout=120)
    assert health(image)[0] == 200
    assert_answers(image, NEMOTRON)
    assert image.check("systemctl", "is-enabled", "trtllm.target") == "enabled\n"
    assert "not in sync" not in image.run("pwck", "--read-only").stdout


def test_the_booted_host_has_nothing_to_change(image: ImageRoot) -> None:
    assert_converged(image)
