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
