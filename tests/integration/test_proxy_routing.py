"""Requests reach the backend that their model belongs to, whatever the body looks like."""

import json
import socket
from collections.abc import Iterator

import pytest

from fakes.nginx_rig import NEMOTRON, QWEN, Rig, connect, eventually, running


@pytest.fixture(scope="module", name="rig")
def start_rig() -> Iterator[Rig]:
    with running("qwen", "nemotron") as rig:
        yield rig


def backend_of(rig: Rig, body: bytes, path: str = "/v1/chat/completions") -> str:
    reply = rig.ask("POST", path, body)
    assert reply.status == 200, reply.body
    return reply.json["backend"]


@pytest.mark.parametrize(
    ("model", "backend"),
    [
        (QWEN, "qwen"),
        (QWEN.upper(), "qwen"),
        ("my/QWEN3-fine-tune", "qwen"),
        (NEMOTRON, "nemotron"),
        ("Nemo-Alias", "nemotron"),
        ("NeMoTrOn", "nemotron"),
    ],
)
def test_model_decides_without_case(rig: Rig, model: str, backend: str) -> None:
    for path in ("/v1/chat/completions", "/v1/completions", "/v1/responses"):
        assert backend_of(rig, json.dumps({"model": model}).encode(), path) == backend


def test_last_duplicate_decides_as_it_does_for_the_engine(rig: Rig) -> None:
    assert backend_of(rig, b'{"model":"nemotron","model":"qwen"}') == "qwen"
    assert backend_of(rig, b'{"mod\\u0065l":"qwen","x":{"model":"nemotron"}}') == "qwen"


def test_body_reaches_the_backend_byte_for_byte(rig: Rig) -> None:
    body = b'\n{"model" : "q\\u0077en", "x":"\xe5\x90\xbe", "n": 1e3 }\r\n'
    backend_of(rig, body)
    seen = rig.backends["qwen"].seen[-1]
    assert seen.body == body
    assert seen.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("size", [900, 100_000, 1_200_000, 1_400_000, 20_000_000])
@pytest.mark.parametrize("chunked", [False, True], ids=["sized", "chunked"])
def test_model_behind_a_large_body_is_found_in_memory_and_in_a_file(
    rig: Rig, size: int, *, chunked: bool
) -> None:
    text = ('He said \\"yes\\".\\n' * (size // 17 + 1))[: size // 17 * 17]
    for name in ("qwen", "nemotron"):
        body = f'{{"messages":[{{"content":"{text}"}}],"model":"{name}"}}'.encode()
        connection = connect(rig.port, 30)
        pieces = (body[i : i + 65536] for i in range(0, len(body), 65536))
        connection.request(
            "POST",
            "/v1/chat/completions",
            pieces if chunked else body,
            {} if chunked else {"Content-Length": str(len(body))},
            encode_chunked=chunked,
        )
        answer = connection.getresponse()
        assert json.loads(answer.read()) == {"backend": name}
        connection.close()
        assert rig.backends[name].seen[-1].body == body


def test_connections_to_a_backend_are_kept(rig: Rig) -> None:
    before = len(rig.backends["qwen"].seen)
    for _ in range(5):
        backend_of(rig, b'{"model":"qwen"}')
    assert len({seen.client for seen in rig.backends["qwen"].seen[before:]}) == 1


def test_backend_gets_no_keys_no_cookies_and_no_foreign_host(rig: Rig) -> None:
    rig.ask(
        "POST",
        "/v1/chat/completions",
        b'{"model":"qwen"}',
        {
            "Authorization": "Bearer sk-secret",
            "Cookie": "session=1",
            "Host": "evil.example",
            "X-Forwarded-For": "1.2.3.4",
            "Traceparent": "00-abc-def-01",
            "X-Request-Id": "mine-1",
        },
    )
    headers = rig.backends["qwen"].seen[-1].headers
    names = {name.lower() for name in headers}
    assert names <= {
        *("host", "content-length", "content-type", "accept", "traceparent", "x-request-id"),
    }
    assert headers["Host"] == "localhost"
    assert headers["Traceparent"] == "00-abc-def-01"
    assert headers["X-Request-Id"] == "mine-1"


def test_models_are_the_profiles_and_no_backend_is_asked(rig: Rig) -> None:
    asked = sum(len(backend.seen) for backend in rig.backends.values())
    listed = rig.ask("GET", "/v1/models").json
    assert listed["object"] == "list"
    assert [card["id"] for card in listed["data"]] == [QWEN, NEMOTRON, "nemo-alias"]
    for card in listed["data"]:
        assert card["object"] == "model"
        assert card["owned_by"] == "trtllm"
        assert isinstance(card["created"], int)
        assert card["ready"] is True
    assert sum(len(backend.seen) for backend in rig.backends.values()) == asked


def test_one_model_is_found_by_an_id_with_slashes(rig: Rig) -> None:
    for spelled in (QWEN, QWEN.replace("/", "%2F"), QWEN.lower()):
        reply = rig.ask("GET", f"/v1/models/{spelled}")
        assert (reply.status, reply.json["id"]) == (200, QWEN)
    assert rig.ask("GET", "/v1/models/qwen").error["code"] == "model_not_found"


def test_stored_response_is_looked_for_at_every_backend(rig: Rig) -> None:
    def only(name: str) -> None:
        for backend in rig.backends.values():
            if backend.name == name:
                backend.answer = backend.say_name
            else:
                backend.answer = lambda request: request.send(404, b'{"message":"no such id"}')

    try:
        for name in rig.backends:
            only(name)
            for method in ("GET", "DELETE", "GET", "DELETE"):
                reply = rig.ask(method, "/v1/responses/resp_0af-1")
                assert (reply.status, reply.json) == (200, {"backend": name})
        only("nobody")
        reply = rig.ask("GET", "/v1/responses/resp_2")
        assert reply.status == 404
        assert reply.error["message"] == "no such id"
    finally:
        for backend in rig.backends.values():
            backend.answer = backend.say_name


@pytest.mark.parametrize(
    "path",
    ["/v1/responses/a/b", "/v1/responses/", "/v1/responses/%2e%2e%2fupdate_weights",
     "/v1/responses/a%20b"],
)  # fmt: skip
def test_no_path_can_be_smuggled_through_a_response_id(rig: Rig, path: str) -> None:
    before = sum(len(backend.seen) for backend in rig.backends.values())
    assert rig.ask("GET", path).status == 404
    assert sum(len(backend.seen) for backend in rig.backends.values()) == before


def test_expect_100_continue_is_answered(rig: Rig) -> None:
    body = b'{"model":"qwen"}'
    with socket.create_connection(("127.0.0.1", rig.port), 10) as client:
        client.sendall(
            b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
            b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body)
        )
        assert client.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(body)
        answer = b"".join(iter(lambda: client.recv(65536), b""))
    assert b'"qwen"' in answer


def test_access_log_has_a_json_line_for_each_request(rig: Rig) -> None:
    rig.ask("POST", "/v1/completions", b'{"model":"Q\\"wen-qwen"}', {"X-Request-Id": "find-me"})
    eventually(
        "the line is written",
        lambda: [line for line in rig.access_log() if line["id"] == "find-me"],
    )
    line = next(line for line in rig.access_log() if line["id"] == "find-me")
    assert line["backend"] == "qwen"
    assert line["model"] == 'Q"wen-qwen'
    assert line["status"] == 200
    assert line["request"] == "POST /v1/completions HTTP/1.1"


def test_multipart_form_is_told_that_no_path_takes_one(rig: Rig) -> None:
    form = b'--x\r\nContent-Disposition: form-data; name="model"\r\n\r\nqwen\r\n--x--\r\n'
    headers = {"Content-Type": "Multipart/Form-Data; boundary=x"}
    reply = rig.ask("POST", "/v1/completions", form, headers)
    assert (reply.status, reply.error["code"]) == (415, "unsupported_media_type")
