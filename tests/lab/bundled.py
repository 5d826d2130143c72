"""A bundle of this checkout: the tool and its wheels, as `bundle create` makes it."""

import os
import subprocess
import sys
from pathlib import Path

from lab import checkout, images


def make_bundle(folder: Path) -> Path:
    """Return a bundle without an engine and without packages, for the lab's Debian 12."""
    installed, bundle = folder / "tool", folder / "trtllm.tar"
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index")
    subprocess.run(
        [*pip, "--no-build-isolation", "--target", str(installed), str(checkout.ROOT)], check=True
    )
    program = (sys.executable, "-m", "trtllm_install.cli.main", "bundle", "create", str(bundle))
    target = ("--platform", "manylinux_2_36_x86_64", "--python", images.DEBIAN_12.python)
    environment = {
        **os.environ,
        "PYTHONPATH": str(installed),
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(images.wheelhouse()),
    }
    ended = subprocess.run(
        [*program, *target], env=environment, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return bundle
