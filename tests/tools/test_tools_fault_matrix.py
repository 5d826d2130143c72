"""The fault matrix that is kept says what its table of cells expects, and how it was made."""

import re

import pytest

from lab import fault_matrix
from lab.fault_cells import BUDGETS, FAULTS, LIVENESS
from trtllm_install.model.liveness import DEFAULTS


@pytest.mark.parametrize("supervisor", sorted(fault_matrix.SUPERVISORS))
def test_the_kept_matrix_has_every_cell_with_its_verdict(supervisor: str) -> None:
    expected = {(f.words, phase): v for f in FAULTS.values() for phase, v in f.expected.items()}
    assert fault_matrix.documented(supervisor) == expected


def test_the_document_names_the_budgets_of_the_run() -> None:
    text = fault_matrix.DOCUMENT.read_text(encoding="utf-8")
    named = {name: float(value) for name, value in re.findall(r"`(\w+)` ([\d.]+)[,;]", text)}
    assert named == {**BUDGETS, **LIVENESS}
    assert set(LIVENESS) < set(DEFAULTS)
