"""What the simulated models say: the same words for the same request, and which model spoke."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Literal

_QUOTED = 200  # characters of the prompt that an answer repeats
_TOKEN = re.compile(r"</?think>\s*|\S+\s*|\s+")

Finish = Literal["stop", "length"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A whole answer in tokens, before anybody has waited for one."""

    tokens: tuple[str, ...]
    finish: Finish


def thinks(name: str, system: str, *, enable_thinking: bool) -> bool:
    """Tell whether this model begins with its thoughts.

    Qwen does unless a system message has ``/no_think``; both heed
    ``chat_template_kwargs.enable_thinking``.
    """
    lowered = name.lower()
    if "qwen" in lowered:
        return enable_thinking and "/no_think" not in system
    return enable_thinking and "nemotron" in lowered


def compose_text(name: str, prompt: str, *, thinking: bool) -> str:
    """Return what the model ``name`` says to ``prompt``, think tags included."""
    quote = " ".join(prompt.split())[:_QUOTED]
    text = f"This is a simulated answer from {name} to: {quote}"
    if not thinking:
        return text
    return f"<think>\nA simulated thought about: {quote}\n</think>\n\n{text}"


def plan_answer(
    text: str, *, limit: int | None, stops: Sequence[str] = (), ignore_eos: bool = False
) -> Answer:
    """Cut ``text`` at the first stop word and at ``limit`` tokens.

    With ``ignore_eos`` the words begin anew until the limit is reached.
    """
    cuts = [text.index(stop) for stop in stops if stop and stop in text]
    tokens = _TOKEN.findall(text[: min(cuts, default=len(text))])
    if ignore_eos and limit is not None and not cuts and tokens:
        return Answer(tokens=tuple(islice(cycle(tokens), limit)), finish="length")
    if limit is not None and limit < len(tokens):
        return Answer(tokens=tuple(tokens[:limit]), finish="length")
    return Answer(tokens=tuple(tokens), finish="stop")


def count_tokens(text: str) -> int:
    """Return how many tokens a prompt has; here a token is a word."""
    return len(text.split())


def starts_inside(parser: str, *, enable_thinking: bool) -> bool:
    """Tell whether a reasoning parser takes the first token for a thought.

    deepseek-r1 always does; nano-v3 only while thinking is on; qwen3 waits for the tag.
    """
    return parser == "deepseek-r1" or (parser == "nano-v3" and enable_thinking)


def split_reasoning(tokens: Sequence[str], *, inside: bool) -> Iterator[tuple[str, str]]:
    """Yield (reasoning, content) for each token; the tags themselves are in neither."""
    for token in tokens:
        tag = token.strip()
        if tag == "<think>":
            inside = True
            yield "", ""
        elif tag == "</think>":
            inside = False
            yield "", ""
        else:
            yield (token, "") if inside else ("", token)
