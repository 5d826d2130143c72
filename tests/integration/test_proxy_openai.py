"""The proxy, asked with the client that users have: what works, what is raised, what is retried."""

import contextlib
import functools
import time
from collections.abc import Callable, Iterator

import httpx2
import openai
import pytest

from fakes.nginx_rig import QWEN, Backend, Handler, Rig, eventually, running

HELLO = [{"role": "user", "content": "hello"}]
CHAT = (
    b'{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,'
    b'"finish_reason":"stop","message":{"role":"assistant","content":"good day"}}]}'
)
TEXT = (
    b'{"id":"t","object":"text_completion","created":1,"model":"m",'
    b'"choices":[{"index":0,"finish_reason":"stop","logprobs":null,"text":"good day"}]}'
)


def chunk(word: str) -> bytes:
    return (
        b'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m",'
        b'"choices":[{"index":0,"finish_reason":null,"delta":{"content":"%s"}}]}\n\n'
    ) % word.encode()


@pytest.fixture(scope="module", name="rig")
def start_rig() -> Iterator[Rig]:
    with running("qwen", "nemotron", body_limit_mib=1, first_byte_s=1) as rig:
        yield rig
        connected(rig.port).close()


@pytest.fixture(name="qwen")
def fresh_backend(rig: Rig) -> Iterator[Backend]:
    backend = rig.backends["qwen"]
    backend.seen.clear()
    yield backend
    backend.answer = backend.say_name


@functools.cache
def connected(port: int) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="none")


@contextlib.contextmanager
def client(rig: Rig, **options: object) -> Iterator[openai.OpenAI]:
    yield connected(rig.port).with_options(**{"max_retries": 0, "timeout": 10, **options})


def sending(status: int, body: bytes, **headers: str) -> Callable[[Handler], None]:
    return lambda request: request.send(status, body, **headers)


def test_chat_and_completions(rig: Rig, qwen: Backend) -> None:
    with client(rig) as api:
        qwen.answer = sending(200, CHAT)
        said = api.chat.completions.create(model=QWEN, messages=HELLO)
        assert said.choices[0].message.content == "good day"
        assert said._request_id
        qwen.answer = sending(200, TEXT)
        assert api.completions.create(model="qwen", prompt="x").choices[0].text == "good day"
        assert {seen.path for seen in qwen.seen} == {"/v1/chat/completions", "/v1/completions"}
        assert all(seen.headers["Authorization"] is None for seen in qwen.seen)


def test_models_are_listed_and_found(rig: Rig) -> None:
    with client(rig) as api:
        assert next(model.id for model in api.models.list()) == QWEN
        assert api.models.retrieve(QWEN).id == QWEN


def test_a_stream_comes_word_by_word(rig: Rig, qwen: Backend) -> None:
    def answer(request: Handler) -> None:
        request.start_stream()
        for word in ("good ", "day"):
            request.send_chunk(chunk(word))
        request.send_chunk(b"data: [DONE]\n\n")
        request.send_chunk(b"")

    qwen.answer = answer
    with client(rig) as api:
        stream = api.chat.completions.create(model=QWEN, messages=HELLO, stream=True)
        assert [part.choices[0].delta.content for part in stream] == ["good ", "day"]


def test_a_stream_that_breaks_off_is_an_error_and_no_end(rig: Rig, qwen: Backend) -> None:
    def answer(request: Handler) -> None:
        request.start_stream()
        request.send_chunk(chunk("good "))
        request.close_connection = True

    qwen.answer = answer
    with client(rig) as api:
        stream = api.chat.completions.create(model=QWEN, messages=HELLO, stream=True)
        with pytest.raises((openai.APIError, httpx2.RemoteProtocolError)):
            list(stream)


def test_an_error_within_a_stream_is_raised_with_its_words(rig: Rig, qwen: Backend) -> None:
    def answer(request: Handler) -> None:
        request.start_stream()
        request.send_chunk(chunk("good "))
        request.send_chunk(b'data: {"error":{"message":"the engine is full"}}\n\n')
        request.send_chunk(b"")

    qwen.answer = answer
    with client(rig) as api:
        stream = api.chat.completions.create(model=QWEN, messages=HELLO, stream=True)
        with pytest.raises(openai.APIError, match="the engine is full"):
            list(stream)


def test_the_backend_notices_within_a_second_that_the_client_left(rig: Rig, qwen: Backend) -> None:
    left: list[float] = []

    def answer(request: Handler) -> None:
        request.start_stream()
        try:
            while True:
                request.send_chunk(chunk("more "))
                time.sleep(0.01)  # the pace of a model, not a wait for something
        except OSError:
            left.append(time.monotonic())

    qwen.answer = answer
    with client(rig) as api:
        stream = api.chat.completions.create(model=QWEN, messages=HELLO, stream=True)
        next(stream)
        closed = time.monotonic()
        stream.close()
        eventually("the backend has noticed", lambda: left)
    assert left[0] - closed < 1
    assert rig.status("qwen")["in_flight"] == 0


def test_a_client_that_gives_up_raises_a_timeout_and_ends_the_request(
    rig: Rig, qwen: Backend
) -> None:
    gone: list[bool] = []

    def answer(request: Handler) -> None:
        request.connection.settimeout(10)
        gone.append(request.connection.recv(1) == b"")
        request.close_connection = True

    qwen.answer = answer
    with client(rig, timeout=0.2) as api, pytest.raises(openai.APITimeoutError):
        api.chat.completions.create(model=QWEN, messages=HELLO)
    eventually("the backend has noticed", lambda: gone == [True])


FLAT = b'{"object":"error","message":"too many tokens","type":"x","param":null,"code":%d}'


@pytest.mark.parametrize(
    ("status", "raised"),
    [
        (400, openai.BadRequestError),
        (401, openai.AuthenticationError),
        (403, openai.PermissionDeniedError),
        (404, openai.NotFoundError),
        (409, openai.ConflictError),
        (422, openai.UnprocessableEntityError),
        (429, openai.RateLimitError),
        (500, openai.InternalServerError),
        (503, openai.InternalServerError),
    ],
)
@pytest.mark.parametrize("body", [FLAT, b'{"error":"too many tokens"}', b"too many tokens"])
def test_an_error_of_the_engine_is_raised_as_its_class_with_its_words(
    rig: Rig, qwen: Backend, status: int, raised: type[openai.APIStatusError], body: bytes
) -> None:
    qwen.answer = sending(status, body % status if b"%d" in body else body)
    with client(rig) as api, pytest.raises(raised, match="too many tokens") as caught:
        api.chat.completions.create(model=QWEN, messages=HELLO)
    assert caught.value.status_code == status
    assert caught.value.request_id
    assert caught.value.type in {"x", "invalid_request_error", "server_error"}


@pytest.mark.parametrize(
    ("model", "content", "raised", "code"),
    [
        ("gpt-4", "x", openai.NotFoundError, "model_not_found"),
        (None, "x", openai.BadRequestError, "model_not_string"),
        (QWEN, "x" * (1 << 20), openai.APIStatusError, "request_too_large"),
    ],
)
def test_the_proxys_own_errors_are_raised_with_their_code(
    rig: Rig, model: str, content: str, raised: type[openai.APIStatusError], code: str
) -> None:
    with client(rig) as api, pytest.raises(raised) as caught:
        api.chat.completions.create(model=model, messages=[{"role": "user", "content": content}])
    assert caught.value.code == code


def test_busy_is_tried_again_after_the_time_that_was_asked_for(rig: Rig, qwen: Backend) -> None:
    def answer(request: Handler) -> None:
        if len(qwen.seen) < 3:
            request.send(429, FLAT % 429, retry_after_ms="50")
        else:
            request.send(200, CHAT)

    qwen.answer = answer
    begun = time.monotonic()
    with client(rig, max_retries=2) as api:
        api.chat.completions.create(model=QWEN, messages=HELLO)
    assert time.monotonic() - begun >= 0.1
    assert len(qwen.seen) == 3


@pytest.mark.parametrize("how", ["dies", "stays silent"])
def test_what_has_reached_the_gpu_is_not_tried_again(rig: Rig, qwen: Backend, how: str) -> None:
    def answer(request: Handler) -> None:
        if how == "stays silent":
            request.connection.settimeout(10)
            request.connection.recv(1)
        request.close_connection = True

    qwen.answer = answer
    with client(rig, max_retries=2) as api, pytest.raises(openai.InternalServerError) as caught:
        api.chat.completions.create(model=QWEN, messages=HELLO)
    assert caught.value.code == ("backend_died" if how == "dies" else "timeout")
    assert len(qwen.seen) == 1


@pytest.mark.parametrize(
    ("state", "tries"), [("loading", True), ("draining", True), ("stopped", False)]
)
def test_a_model_that_is_not_there_is_tried_again_only_where_it_may_come(
    rig: Rig, state: str, *, tries: bool
) -> None:
    attempts: list[httpx2.Response] = []
    rig.set_state("nemotron", state)
    try:
        eventually(state, lambda: rig.status("nemotron")["state"] == state)
        with (
            httpx2.Client(event_hooks={"response": [attempts.append]}) as http,
            client(rig, max_retries=1, http_client=http) as api,
        ):
            api._calculate_retry_timeout = lambda *_, **__: 0.01  # the header is looked at below
            with pytest.raises(openai.InternalServerError):
                api.chat.completions.create(model="nemotron", messages=HELLO)
    finally:
        rig.set_state("nemotron", "healthy")
    assert len(attempts) == (2 if tries else 1)
    assert attempts[0].headers["x-should-retry"] == str(tries).lower()
    assert ("retry-after" in attempts[0].headers) is tries
