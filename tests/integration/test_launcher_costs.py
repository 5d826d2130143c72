"""A launcher stays small: `benchmarks/launcher.py` does the same with far larger numbers."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fakes.launcher_costs import cost_of_changes, cost_of_output
from fakes.launcher_room import Room

MIB = 1 << 20


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    made = Room(tmp_path)
    yield made
    made.close()


def test_state_changes_leave_nothing_behind(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    grown, cpu = cost_of_changes(tmp_path, 4000)
    record_property("4000 state changes: grown, KiB", grown // 1024)
    record_property("CPU of a state change, µs", round(cpu / 4000 * 1e6))
    assert grown <= MIB // 2


def test_child_output_leaves_nothing_behind(
    room: Room, record_property: Callable[[str, object], None]
) -> None:
    grown, cpu, _ = cost_of_output(room, 64 * MIB)
    record_property("64 MiB of output: grown, KiB", grown // 1024)
    record_property("CPU of a GiB of output, s", round(cpu * 16, 2))
    # The tail and one read; what one loop of the allocator keeps comes to it.
    assert grown <= 2 * MIB
