"""Remedies for an image: run where they are meant, never on the host that builds it."""

import pytest

from trtllm_install.judge.engines import python_commands
from trtllm_install.judge.image import for_image
from trtllm_install.model.findings import found

TLS_SET = "sudo trtllm-install tls set --root /srv/image"
NSPAWN = "sudo systemd-nspawn -D /srv/image"


@pytest.mark.parametrize(
    ("remedy", "inside"),
    [
        ("sudo apt-get install openmpi-bin", f"{NSPAWN} apt-get install openmpi-bin"),
        (
            "sudo apt-get update && sudo apt-get install nginx",
            f"{NSPAWN} apt-get update && {NSPAWN} apt-get install nginx",
        ),
        (
            "sudo trtllm-install engine add 1.3.0rc2, then install again",
            f"{NSPAWN} trtllm-install engine add 1.3.0rc2, then install again",
        ),
        ("cat a b | sudo trtllm-install tls set", f"cat a b | {TLS_SET}"),
        (
            "sudo trtllm-install keys add NAME",
            "sudo trtllm-install keys set --root /srv/image <FILE",
        ),
        (
            "sudo rm /etc/trtllm/proxy-keys && sudo trtllm-install restart proxy",
            f"{NSPAWN} rm /etc/trtllm/proxy-keys",
        ),
        ("update nginx, then sudo trtllm-install restart proxy", "update nginx"),
        ("sudo trtllm-install verify", "sudo trtllm-install verify --root /srv/image"),
        (
            "sudo trtllm-install --on-conflict restore",
            "sudo trtllm-install --root /srv/image --on-conflict restore",
        ),
        ("trtllm-install check, on that host", "trtllm-install check, on that host"),
        (f"{NSPAWN} /src/scripts/bootstrap.sh", f"{NSPAWN} /src/scripts/bootstrap.sh"),
        ("choose another port in the profile", "choose another port in the profile"),
    ],
)
def test_remedy_is_for_the_image(remedy: str, inside: str) -> None:
    finding = found("image-judged-later", "x", what="y", remedy=remedy)
    assert for_image(finding, "/srv/image").remedy == inside


def test_folder_with_a_space_is_quoted() -> None:
    finding = found("image-judged-later", "x", what="y", remedy="sudo reboot")
    assert for_image(finding, "/srv/my image").remedy == (
        "sudo systemd-nspawn -D '/srv/my image' reboot"
    )


def test_every_step_of_a_python_that_is_brought_runs_in_the_image() -> None:
    """None of them in the home, or on the disk, of whoever makes the image."""
    finding = found("engine-python-missing", "x", what="y", remedy=python_commands("", "3.12"))
    command, _, _ = for_image(finding, "/srv/image").remedy.partition("  # ")
    steps = command.split(" && ")
    assert len(steps) == 3
    assert all(step.startswith(f"{NSPAWN} ") and "~" not in step for step in steps), steps


def test_the_distribution_brings_its_own_python_where_it_has_the_right_one() -> None:
    noble = 'NAME="Ubuntu"\nVERSION_CODENAME=noble\n'
    assert python_commands(noble, "3.12") == "sudo apt-get install python3.12-venv"
    assert "uv python install" in python_commands(noble, "3.10")
