"""Tests with real processes; those marked ``lab`` have hosts of their own.

A module that says ``STAGED = True`` is one story: after its first failed test the
rest is skipped.
"""

from collections.abc import Generator
from typing import Any

import pytest

from lab import needs

_FIRST_FAILURE = pytest.StashKey[str]()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the stages of a lab module in their order, after everything else.

    Stages share one host and each stands on the one before: install, use, break,
    uninstall. The other tests stay shuffled.
    """
    staged = [item for item in items if item.get_closest_marker("lab")]
    staged.sort(key=lambda item: (item.location[0], item.location[1] or 0))
    items[:] = [item for item in items if not item.get_closest_marker("lab")] + staged


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Ask for what a lab needs, and stop a module at its first failed stage."""
    if not item.get_closest_marker("lab"):
        return
    needs.require_root()
    needs.require("mmdebstrap", "systemd-nspawn", "nsenter")
    module = item.getparent(pytest.Module)
    assert module is not None
    if not getattr(module.obj, "STAGED", False):
        return
    if failed := module.stash.get(_FIRST_FAILURE, ""):
        pytest.skip(f"stage before it failed: {failed}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Remember the first failed stage of a lab module."""
    report: Any = yield
    module = item.getparent(pytest.Module)
    if report.failed and module is not None and item.get_closest_marker("lab"):
        module.stash.setdefault(_FIRST_FAILURE, item.name)
    return report
