"""What the simulated models say."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trtllm_install.simulator import answers

QWEN = "Qwen3-30B-A3B-FP4"
NEMOTRON = "NVIDIA-Nemotron-3-Nano-30B-A3B-NVFP4"


@pytest.mark.parametrize(
    ("name", "system", "enabled", "thinking"),
    [
        (QWEN, "", True, True),
        (QWEN, "Be brief. /no_think", True, False),
        (QWEN, "", False, False),
        (NEMOTRON, "/no_think", True, True),
        (NEMOTRON, "", False, False),
        ("Llama", "", True, False),
    ],
)
def test_models_think_unless_told_otherwise(
    name: str, system: str, enabled: bool, thinking: bool
) -> None:
    assert answers.thinks(name, system, enable_thinking=enabled) is thinking


def test_an_answer_names_model_and_prompt_and_says_simulated() -> None:
    text = answers.compose_text(QWEN, "what  is\nthis", thinking=True)
    thought, spoken = text.split("</think>")
    assert thought.startswith("<think>")
    assert all(word in spoken for word in ("simulated", QWEN, "what is this"))


@settings(max_examples=30, deadline=None)
@given(st.text())
def test_tokens_together_are_the_whole_text(prompt: str) -> None:
    text = answers.compose_text(QWEN, prompt, thinking=True)
    answer = answers.plan_answer(text, limit=None)
    assert "".join(answer.tokens) == text
    assert answer.finish == "stop"


@settings(max_examples=30, deadline=None)
@given(st.text(), st.integers(1, 60))
def test_no_answer_is_longer_than_its_limit(prompt: str, limit: int) -> None:
    text = answers.compose_text(QWEN, prompt, thinking=False)
    whole = answers.plan_answer(text, limit=None)
    cut = answers.plan_answer(text, limit=limit)
    assert cut.tokens == whole.tokens[:limit]
    assert cut.finish == ("length" if limit < len(whole.tokens) else "stop")


def test_a_stop_word_ends_the_answer_before_it() -> None:
    answer = answers.plan_answer("one two three four", limit=None, stops=("four", "thr"))
    assert "".join(answer.tokens) == "one two "
    assert answer.finish == "stop"


def test_ignoring_the_end_fills_the_limit() -> None:
    answer = answers.plan_answer("a b", limit=5, ignore_eos=True)
    assert (len(answer.tokens), answer.finish) == (5, "length")


@pytest.mark.parametrize(
    ("parser", "enabled", "inside"),
    [
        ("deepseek-r1", True, True),
        ("deepseek-r1", False, True),
        ("nano-v3", True, True),
        ("nano-v3", False, False),
        ("qwen3", True, False),
    ],
)
def test_parsers_begin_where_the_real_ones_do(parser: str, enabled: bool, inside: bool) -> None:
    assert answers.starts_inside(parser, enable_thinking=enabled) is inside


@pytest.mark.parametrize("inside", [True, False])
def test_thoughts_and_words_are_told_apart(inside: bool) -> None:
    tokens = answers.plan_answer("<think>\nhm hm\n</think>\n\nyes sir", limit=None).tokens
    parts = list(answers.split_reasoning(tokens, inside=inside))
    assert "".join(reasoning for reasoning, _ in parts) == "hm hm\n"
    assert "".join(content for _, content in parts) == "yes sir"


def test_without_an_end_tag_everything_is_a_thought() -> None:
    parts = list(answers.split_reasoning(("no ", "tags"), inside=True))
    assert parts == [("no ", ""), ("tags", "")]
