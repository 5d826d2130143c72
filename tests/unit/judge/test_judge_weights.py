"""What is said of code that a checkpoint brings."""

from dataclasses import replace
from typing import Any

import pytest

from fakes.healthy import FACTS, INSTALLATION
from trtllm_install.judge.weights import check_remote_code
from trtllm_install.model import facts as f


@pytest.mark.parametrize(
    ("keys", "told"),
    [({}, False), ({"trust_remote_code": False}, False), ({"trust_remote_code": True}, True)],
)
def test_code_of_a_checkpoint_is_listed_by_hash_where_it_runs(
    keys: dict[str, Any], told: bool
) -> None:
    code = f.RemoteCode(name="modeling_x.py", sha256="ab" * 32)
    weights = tuple(
        (name, replace(seen, remote_code=(code,)))
        for name, seen in FACTS.weights
        if isinstance(seen, f.WeightsFacts)
    )
    found = list(
        check_remote_code(replace(FACTS, weights=weights), INSTALLATION, {"nemotron": keys})
    )
    assert [x.subject for x in found] == (["nemotron"] if told else [])
    assert all(f"modeling_x.py sha256:{'ab' * 32}" in x.message for x in found)


@pytest.mark.parametrize("allowed", [True, False])
def test_code_of_another_repository_stops_an_install_where_it_would_run(allowed: bool) -> None:
    weights = tuple(
        (name, replace(seen, code_elsewhere=("them/code--conf.Conf",)))
        for name, seen in FACTS.weights
        if isinstance(seen, f.WeightsFacts)
    )
    keys = {"nemotron": {"trust_remote_code": allowed}}
    found = list(check_remote_code(replace(FACTS, weights=weights), INSTALLATION, keys))
    assert [x.code for x in found] == (["weights-code-elsewhere"] if allowed else [])
    assert all("hf download them/code --include '*.py'" in x.remedy for x in found)
