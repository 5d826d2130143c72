"""Versions are compared as PEP 440 does, and conditions on them hold together."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version as Pep440

from trtllm_install.model.versions import meets, parse_version, problem_in_condition

NUMBERS = st.lists(st.integers(0, 400), min_size=1, max_size=4).map(lambda n: ".".join(map(str, n)))
VERSIONS = st.builds(
    str.__add__, NUMBERS, st.sampled_from(["", "a1", "b2", "rc1", "rc2", "rc11", "+cu130"])
)


@given(VERSIONS, VERSIONS)
def test_order_is_that_of_pep_440(one: str, other: str) -> None:
    first, second = parse_version(one), parse_version(other)
    assert first is not None
    assert second is not None
    public = [Pep440(Pep440(text).public) for text in (one, other)]
    assert (first < second) == (public[0] < public[1])
    assert (first == second) == (public[0] == public[1])


@given(VERSIONS, VERSIONS)
def test_one_comparison_is_met_exactly_where_its_opposite_is_not(one: str, bound: str) -> None:
    version = parse_version(one)
    assert version is not None
    bound = bound.partition("+")[0]
    assert meets(version, f"<{bound}") != meets(version, f">={bound}")
    assert meets(version, f"<={bound}") != meets(version, f">{bound}")
    assert meets(version, f"=={bound}") == meets(version, f">={bound}, <={bound}")


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("580.159.04", True),
        ("1.31.9.1", True),
        ("1.22.1-9+deb12u1", True),
        ("simulated", False),
        ("", False),
        ("1" * 30, False),
        ("1.2.3 nonsense", False),
    ],
)
def test_what_is_no_version_is_none(text: str, known: bool) -> None:
    assert (parse_version(text) is not None) == known


@pytest.mark.parametrize("text", ["1.3.0", "~=1.3", "<", ">=1.3,", "<one", ""])
def test_condition_that_is_none_says_why(text: str) -> None:
    assert problem_in_condition(text)


@given(st.text(max_size=20))
def test_any_text_is_read_without_an_exception(text: str) -> None:
    parse_version(text)
    problem_in_condition(text)
