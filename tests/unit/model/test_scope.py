"""``--only``: what is made, what is read for it, and what is told of a wrong word."""

import pytest

from trtllm_install.model.catalogue import AREA_OF, AREAS, CATALOGUE
from trtllm_install.model.errors import ConfigError, ExitCode
from trtllm_install.model.scope import EVERY_PART, Scope, parse_scope


def scope(*words: str, smoke: bool = False, deep: bool = False) -> Scope:
    return parse_scope(words, smoke=smoke, deep=deep)


def test_without_a_choice_all_is_made_that_the_run_can_make() -> None:
    whole = scope()
    assert whole.asked is None
    assert whole.parts == EVERY_PART
    assert {"cuda-smoke-failed", "weights-changed", "engine-silent"} <= set(whole.left_out)
    everything = scope(smoke=True, deep=True)
    assert {AREA_OF[code] for code in everything.left_out} == {"programs"}


@pytest.mark.parametrize("code", scope(smoke=True, deep=True).made)
def test_every_cause_of_what_is_made_is_made_too(code: str) -> None:
    one = scope(code, smoke=True, deep=True)
    assert one.asked == (code,)
    for made in one.made:
        assert set(CATALOGUE[made].depends_on) <= set(one.made)
    assert set(AREAS["reading"]) <= set(one.made)
    assert set(one.made) | set(one.left_out) == set(CATALOGUE)
    assert not set(one.made) & set(one.left_out)


@pytest.mark.parametrize("area", AREAS)
def test_an_area_is_each_of_its_checks(area: str) -> None:
    asked = scope(area, smoke=True, deep=True).asked
    assert asked is not None
    assert {AREA_OF[code] for code in asked} == {area}


def test_only_what_is_needed_is_read() -> None:
    assert scope("port-taken").parts == {"ports", "peers", "keys", "tls"}
    assert scope("weights").parts == {"weights"}
    assert "ports" not in scope("gpu,memory").parts
    assert scope("reading").parts == EVERY_PART


def test_words_may_be_separated_by_commas_or_given_one_by_one() -> None:
    assert scope("port-taken, gpu-lost") == scope("gpu-lost", "port-taken")


def test_cuda_is_tried_for_what_only_that_can_tell() -> None:
    assert scope("cuda-smoke-failed").smoke
    assert not scope("gpu").smoke


@pytest.mark.parametrize(
    ("words", "told", "hint"),
    [
        ("port-takn", "near is port-taken", "--only port-taken"),
        ("wieghts", "near is weights", "--only weights"),
        ("zzz", "the areas are reading, gpu", "--only gpu"),
        ("", "cannot check nothing", "--only gpu"),
        ("engine-silent", "while it is built", "engine add"),
        ("weights-changed", "every byte", "--deep --only weights-changed"),
    ],
)
def test_word_that_cannot_be_checked_is_a_mistake_of_usage(
    words: str, told: str, hint: str
) -> None:
    with pytest.raises(ConfigError) as refusal:
        scope(words)
    assert told in refusal.value.message
    assert hint in refusal.value.hint
    assert refusal.value.exit_code is ExitCode.USAGE
