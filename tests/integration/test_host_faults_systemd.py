"""Every fault in every phase, under systemd: the verdicts of docs/reference/fault-matrix.md."""

from collections.abc import Callable

import pytest

from lab import fault_matrix

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]


def test_each_fault_is_noticed_or_rightly_ignored(
    record_property: Callable[[str, object], None],
) -> None:
    outcomes = fault_matrix.run("systemd")
    print(fault_matrix.render({"systemd": outcomes}))  # noqa: T201 (the table is the result)
    for outcome in outcomes:
        record_property(f"{outcome.fault}, {outcome.phase}", str(outcome))
    assert fault_matrix.problems_of(outcomes) == []
    assert fault_matrix.verdicts_of(outcomes) == fault_matrix.documented("systemd")
