"""An install that is killed at every step of its journal, under supervisord."""

import pytest

from lab import images, roots
from lab.walk import walk

pytestmark = [pytest.mark.lab, pytest.mark.timeout(400)]


def test_every_point_ends_old_or_new() -> None:
    with roots.PlainRoot(images.DEBIAN_12) as root:
        walk(root, "supervisord")
