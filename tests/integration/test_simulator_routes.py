"""Every route of the simulated engine, asked with the standard library's client."""

import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes.simulated_engine import QWEN, RunningEngine, simulated_engine

NAME = QWEN.split("/")[1]
CHAT = {"messages": [{"role": "user", "content": "hello"}]}
CONFIG = "enable_iter_perf_stats: true\nreturn_perf_metrics: true\n"


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEngine]:
    root = tmp_path_factory.mktemp("routes")
    faults = "load_seconds=0,token_seconds=0"
    with simulated_engine(
        root, "--backend", "_autodeploy", config=CONFIG, faults=faults
    ) as running:
        yield running


def test_health_is_an_empty_200(engine: RunningEngine) -> None:
    assert engine.ask("GET", "/health") == (200, "")


def test_health_generate_is_proved_by_a_token(engine: RunningEngine) -> None:
    before = engine.state()["finished"]
    assert engine.ask("GET", "/health_generate") == (200, "Generation health check OK")
    assert engine.state()["finished"] == before + 1


def test_version_says_simulated(engine: RunningEngine) -> None:
    assert engine.ask("GET", "/version") == (200, {"version": "1.3.0rc2+simulated"})


def test_there_is_one_model_named_by_the_last_part_of_its_folder(engine: RunningEngine) -> None:
    status, document = engine.ask("GET", "/v1/models")
    (card,) = document["data"]
    assert (status, card["id"], card["owned_by"]) == (200, NAME, "simulated")


def test_every_answer_names_the_simulated_server(engine: RunningEngine) -> None:
    connection = engine.connect()
    connection.request("GET", "/health")
    assert connection.getresponse().headers["Server"] == "trtllm-serve-simulated"
    connection.close()


def test_a_chat_is_answered_whatever_model_is_asked_for(engine: RunningEngine) -> None:
    status, document = engine.ask("POST", "/v1/chat/completions", {**CHAT, "model": "another"})
    (choice,) = document["choices"]
    assert (status, document["model"], choice["finish_reason"]) == (200, NAME, "stop")
    assert re.fullmatch(
        r"<think>\n.*\n</think>\n\n.*simulated.*: hello", choice["message"]["content"]
    )
    assert choice["logprobs"] is None
    usage = document["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert usage["prompt_tokens"] == 1


def test_the_same_request_gets_the_same_words(engine: RunningEngine) -> None:
    first, second = (engine.ask("POST", "/v1/chat/completions", CHAT)[1] for _ in range(2))
    assert first["choices"] == second["choices"]
    assert first["id"] != second["id"]


def test_a_completion_repeats_its_prompt(engine: RunningEngine) -> None:
    status, document = engine.ask(
        "POST", "/v1/completions", {"prompt": "one two", "max_tokens": 99}
    )
    assert status == 200
    assert document["choices"][0]["text"] == f"This is a simulated answer from {NAME} to: one two"


def test_a_response_is_kept_until_it_is_deleted(engine: RunningEngine) -> None:
    status, made = engine.ask("POST", "/v1/responses", {"input": "hello", "model": "x"})
    path = f"/v1/responses/{made['id']}"
    assert (status, made["status"]) == (200, "completed")
    assert engine.ask("GET", path) == (200, made)
    assert engine.ask("DELETE", path)[1]["deleted"] is True
    status, error = engine.ask("GET", path)
    assert (status, error["object"], error["code"]) == (404, "error", 404)
    assert engine.ask("DELETE", path)[0] == 404


def test_a_response_that_is_not_stored_is_not_found(engine: RunningEngine) -> None:
    _, made = engine.ask("POST", "/v1/responses", {"input": "hello", "store": False})
    assert engine.ask("GET", f"/v1/responses/{made['id']}")[0] == 404


def test_metrics_are_given_away_once(engine: RunningEngine) -> None:
    engine.ask("POST", "/v1/chat/completions", CHAT)
    status, statistics = engine.ask("GET", "/metrics")
    assert status == 200
    assert statistics[-1]["numGenTokens"] > 0
    begin = time.monotonic()
    assert engine.ask("GET", "/metrics") == (200, [])
    assert 1.5 < time.monotonic() - begin < 10


def test_prometheus_counts_what_was_answered(engine: RunningEngine) -> None:
    engine.ask("GET", "/health_generate")
    status, text = engine.ask("GET", "/prometheus/metrics")
    assert status == 200
    assert int(re.findall(r"^trtllm_request_success_total\S* (\d+)$", text, re.MULTILINE)[0]) > 0


def test_prometheus_is_absent_unless_the_config_asks_for_it(tmp_path: Path) -> None:
    with simulated_engine(tmp_path) as plain:
        assert plain.ask("GET", "/prometheus/metrics")[0] == 404


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/perf_metrics"),
        ("POST", "/kv_cache_events"),
        ("GET", "/steady_clock_offset"),
        ("POST", "/steady_clock_offset"),
        ("POST", "/release_memory"),
        ("POST", "/resume_memory"),
        ("POST", "/update_weights"),
        ("GET", "/server_info"),
    ],
)
def test_the_other_routes_of_the_contract_answer(
    engine: RunningEngine, method: str, path: str
) -> None:
    assert engine.ask(method, path)[0] == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/v1/none", 404),
        ("POST", "/health", 405),
        ("HEAD", "/health", 405),
        ("PUT", "/v1/responses/resp_1", 405),
    ],
)
def test_what_is_not_a_route_is_refused(
    engine: RunningEngine, method: str, path: str, status: int
) -> None:
    assert engine.ask(method, path)[0] == status


@pytest.mark.parametrize(
    ("path", "body", "cause"),
    [
        ("/v1/chat/completions", {"messages": []}, "messages"),
        ("/v1/chat/completions", {**CHAT, "max_tokens": 0}, "max_tokens"),
        ("/v1/completions", {}, "prompt"),
        ("/v1/responses", {}, "input"),
        ("/v1/chat/completions", [], "valid dictionary"),
    ],
)
def test_a_wrong_body_is_a_flat_400(
    engine: RunningEngine, path: str, body: object, cause: str
) -> None:
    status, error = engine.ask("POST", path, body)
    assert status == 400
    assert set(error) == {"object", "message", "type", "param", "code"}
    assert (error["object"], error["code"]) == ("error", 400)
    assert cause in error["message"]


def test_a_stream_is_events_in_chunks_with_an_end(engine: RunningEngine) -> None:
    connection = engine.connect()
    body = {**CHAT, "stream": True, "max_tokens": 4, "stream_options": {"include_usage": True}}
    connection.request("POST", "/v1/chat/completions", json.dumps(body))
    answer = connection.getresponse()
    assert answer.headers["Transfer-Encoding"] == "chunked"
    assert answer.headers["Content-Type"].startswith("text/event-stream")
    *events, done, rest = answer.read().decode().split("\n\n")
    assert (done, rest) == ("data: [DONE]", "")
    documents = [json.loads(event.removeprefix("data: ")) for event in events]
    *chunks, last, usage = documents
    assert chunks[0]["choices"][0]["delta"]["role"] == "assistant"
    assert len(chunks) == 5
    assert last["choices"][0]["finish_reason"] == "length"
    assert (usage["choices"], usage["usage"]["completion_tokens"]) == ([], 4)
    connection.request("GET", "/health")  # the connection goes on
    assert connection.getresponse().status == 200
    connection.close()


def test_a_big_body_is_read_with_its_length(engine: RunningEngine) -> None:
    body = {"messages": [{"role": "user", "content": "x" * 20_000_000}], "max_tokens": 1}
    status, document = engine.ask("POST", "/v1/chat/completions", body)
    assert (status, document["usage"]["completion_tokens"]) == (200, 1)


def test_a_big_body_is_read_in_chunks(engine: RunningEngine) -> None:
    text = json.dumps({"prompt": "x" * 2_000_000, "max_tokens": 1}).encode()
    pieces = (text[at : at + 65_537] for at in range(0, len(text), 65_537))
    connection = engine.connect()
    connection.request("POST", "/v1/completions", pieces, encode_chunked=True)
    assert connection.getresponse().status == 200
    connection.close()


def test_many_clients_stream_at_once(engine: RunningEngine) -> None:
    ends: list[str] = []

    def stream(number: int) -> None:
        connection = engine.connect()
        body = {"messages": [{"role": "user", "content": f"number {number}"}], "stream": True}
        connection.request("POST", "/v1/chat/completions", json.dumps(body))
        text = connection.getresponse().read().decode()
        connection.close()
        if f'"{number}"' in text and text.endswith("data: [DONE]\n\n"):
            ends.append(text)

    threads = [threading.Thread(target=stream, args=(number,)) for number in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ends) == 40


def test_requests_that_come_together_are_answered_in_order(engine: RunningEngine) -> None:
    with socket.create_connection(("127.0.0.1", engine.port)) as client:
        client.sendall(
            b"GET /version HTTP/1.1\r\n\r\nGET /nope HTTP/1.1\r\nConnection: close\r\n\r\n"
        )
        with client.makefile("rb") as answers:
            text = answers.read()
    assert re.findall(rb"HTTP/1.1 (\d+)", text) == [b"200", b"404"]


def test_what_is_not_http_is_answered_400_and_closed(engine: RunningEngine) -> None:
    with socket.create_connection(("127.0.0.1", engine.port)) as client:
        client.sendall(b"\x16\x03\x01 tls?\r\n\r\n")
        with client.makefile("rb") as answer:
            assert answer.read().startswith(b"HTTP/1.1 400 ")


def test_an_idle_connection_is_closed_after_five_seconds(engine: RunningEngine) -> None:
    with socket.create_connection(("127.0.0.1", engine.port)) as client:
        client.sendall(b"GET /health HTTP/1.1\r\n\r\n")
        assert client.recv(4096).startswith(b"HTTP/1.1 200 OK")
        begin = time.monotonic()
        client.settimeout(20)
        assert client.recv(4096) == b""
    assert 4.5 < time.monotonic() - begin < 9


def test_no_descriptor_is_left_open(engine: RunningEngine) -> None:
    folder = Path(f"/proc/{engine.process.pid}/fd")
    engine.ask("GET", "/health")
    before = len(list(folder.iterdir()))
    for _ in range(20):
        engine.ask("GET", "/health")
    assert len(list(folder.iterdir())) <= before + 1
