"""The simulated models, asked with the client that users have."""

from collections.abc import Iterator

import openai
import pytest

from fakes.simulated_engine import NEMOTRON, QWEN, RunningEngine, simulated_engine

HELLO = [{"role": "user", "content": "hello there"}]


@pytest.fixture(scope="module", params=[QWEN, NEMOTRON])
def engine(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, RunningEngine]]:
    arguments = ["--backend", "_autodeploy"]
    if request.param == NEMOTRON:
        arguments += ["--trust_remote_code", "--reasoning_parser", "deepseek-r1"]
    root = tmp_path_factory.mktemp("openai")
    with simulated_engine(root, *arguments, model=request.param) as running:
        yield request.param, running


@pytest.fixture
def client(engine: tuple[str, RunningEngine]) -> Iterator[openai.OpenAI]:
    url = f"http://127.0.0.1:{engine[1].port}/v1"
    with openai.OpenAI(base_url=url, api_key="none", max_retries=0) as opened:
        yield opened


def test_a_chat_streams_the_words_it_gives_whole(
    engine: tuple[str, RunningEngine], client: openai.OpenAI
) -> None:
    model = engine[0]
    whole = client.chat.completions.create(model=model, messages=HELLO)
    parts: dict[str, str] = {"content": "", "reasoning_content": ""}
    usage = None
    for chunk in client.chat.completions.create(
        model=model, messages=HELLO, stream=True, stream_options={"include_usage": True}
    ):
        usage = chunk.usage or usage
        for choice in chunk.choices:
            for part in parts:
                parts[part] += getattr(choice.delta, part, None) or ""
    message = whole.choices[0].message
    assert parts["content"] == message.content
    assert parts["reasoning_content"] == (message.reasoning_content or "")
    assert usage == whole.usage
    assert "hello there" in parts["content"]


def test_thoughts_are_where_each_model_has_them(
    engine: tuple[str, RunningEngine], client: openai.OpenAI
) -> None:
    message = client.chat.completions.create(model="", messages=HELLO).choices[0].message
    if engine[0] == QWEN:
        assert message.content.startswith("<think>")
        assert message.reasoning_content is None
    else:
        assert message.reasoning_content.startswith("A simulated thought")
        assert message.content.startswith("This is a simulated answer from NVIDIA-Nemotron")


def test_no_think_silences_the_thoughts_of_qwen_only(
    engine: tuple[str, RunningEngine], client: openai.OpenAI
) -> None:
    messages = [{"role": "system", "content": "/no_think"}, *HELLO]
    message = client.chat.completions.create(model="", messages=messages).choices[0].message
    assert "think" not in message.content
    assert bool(message.reasoning_content) is (engine[0] == NEMOTRON)


def test_stop_and_length_end_an_answer(client: openai.OpenAI) -> None:
    cut = client.completions.create(model="", prompt="hello", max_tokens=3)
    assert (cut.choices[0].finish_reason, cut.usage.completion_tokens) == ("length", 3)
    stopped = client.completions.create(model="", prompt="hello", stop=["simulated"], max_tokens=99)
    assert (stopped.choices[0].finish_reason, stopped.choices[0].text) == ("stop", "This is a ")


def test_a_completion_is_streamed(client: openai.OpenAI) -> None:
    text = "".join(
        chunk.choices[0].text
        for chunk in client.completions.create(model="", prompt="hello", stream=True)
    )
    assert text.endswith("to: hello")


def test_a_response_is_made_found_and_deleted(client: openai.OpenAI) -> None:
    made = client.responses.create(model="", input="hello")
    assert "to: hello" in made.output_text
    assert client.responses.retrieve(made.id).output_text == made.output_text
    client.responses.delete(made.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(made.id)


def test_a_wrong_request_is_a_bad_request_with_its_message(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="max_tokens: should be a whole number"):
        client.chat.completions.create(model="", messages=HELLO, max_tokens=-1)


@pytest.mark.parametrize(
    ("parser", "answered_in"), [("deepseek-r1", "thoughts"), ("nano-v3", "words")]
)
def test_with_thinking_off_the_parsers_differ(
    tmp_path_factory: pytest.TempPathFactory, parser: str, answered_in: str
) -> None:
    root = tmp_path_factory.mktemp("parser")
    with simulated_engine(root, "--reasoning_parser", parser, model=NEMOTRON) as running:
        body = {"messages": HELLO, "chat_template_kwargs": {"enable_thinking": False}}
        _, document = running.ask("POST", "/v1/chat/completions", body)
    message = document["choices"][0]["message"]
    expected = {"thoughts": "reasoning_content", "words": "content"}[answered_in]
    assert message[expected].startswith("This is a simulated answer")
