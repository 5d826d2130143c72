"""Every error on every path is OpenAI's JSON, with the right status and a request id."""

import json
import socket
from collections.abc import Iterator

import pytest

from fakes.nginx_rig import QWEN, Rig, running

POST = b"POST /v1/completions HTTP/1.1\r\nHost: x\r\n"


@pytest.fixture(scope="module", name="rig")
def start_rig() -> Iterator[Rig]:
    with running("qwen", "nemotron", body_limit_mib=1) as rig:
        yield rig


def exchange(rig: Rig, data: bytes) -> tuple[int, dict[str, str], bytes]:
    """Send bytes as they are; return status, headers and body of the first answer."""
    with socket.create_connection(("127.0.0.1", rig.port), 10) as client:
        client.sendall(data)
        answer = b""
        while b"\r\n\r\n" not in answer:
            part = client.recv(65536)
            assert part, answer
            answer += part
        head, _, body = answer.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines)}
        while len(body) < int(headers["content-length"]):
            body += client.recv(65536)
        return int(first.split()[1]), headers, body


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        (b"", "invalid_json", None),
        (b"{", "invalid_json", None),
        (b'{"model":"qwen"', "invalid_json", None),
        (b'{"model":"qwen"} trailing', "invalid_json", None),
        (b'{"model":"\xff"}', "invalid_json", None),
        (b'{"model":"a","x":' + b"[" * 5000 + b"]" * 5000 + b"}", "invalid_json", None),
        (b"123", "invalid_json", None),
        (b"null", "invalid_json", None),
        (b'["model"]', "invalid_json", None),
        (b"model=qwen", "invalid_json", None),
        (b"{}", "model_missing", "model"),
        (b'{"messages":[{"model":"qwen"}]}', "model_missing", "model"),
        (b'{"model":5}', "model_not_string", "model"),
        (b'{"model":null}', "model_not_string", "model"),
        (b'{"model":["qwen"]}', "model_not_string", "model"),
    ],
)
def test_bad_body_is_a_400(rig: Rig, body: bytes, code: str, param: str | None) -> None:
    reply = rig.ask("POST", "/v1/chat/completions", body)
    assert reply.status == 400
    assert reply.error["type"] == "invalid_request_error"
    assert reply.error["code"] == code
    assert reply.error["param"] == param


@pytest.mark.parametrize("model", ["gpt-4", "", "qwen" * 1025, "\ud800", "\u0000", "日本"])
def test_unknown_model_is_a_404_that_lists_the_known_ones(rig: Rig, model: str) -> None:
    reply = rig.chat(model)
    assert reply.status == 404
    assert reply.error["type"] == "invalid_request_error"
    assert reply.error["code"] == "model_not_found"
    assert reply.error["param"] == "model"
    assert QWEN in reply.error["message"]
    assert len(reply.body) < 1000


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/v1/chat/completions", "POST"),
        ("PUT", "/v1/completions", "POST"),
        ("OPTIONS", "/v1/responses", "POST"),
        ("POST", "/v1/responses/resp_1", "GET, DELETE"),
        ("POST", "/v1/models", "GET, HEAD"),
        ("DELETE", f"/v1/models/{QWEN}", "GET, HEAD"),
        ("POST", "/health", "GET, HEAD"),
        ("POST", "/livez", "GET, HEAD"),
        ("POST", "/readyz?model=qwen", "GET, HEAD"),
    ],
)
def test_wrong_method_is_a_405_that_says_the_right_one(
    rig: Rig, method: str, path: str, allowed: str
) -> None:
    reply = rig.ask(method, path)
    assert reply.status == 405
    assert reply.headers["Allow"] == allowed
    assert reply.error["code"] == "method_not_allowed"


@pytest.mark.parametrize(
    "path",
    ["/v1", "/v1/embeddings", "/v1/chat/completions/", "/v1//chat/completions", "/perf_metrics",
     "/update_weights", "/release_memory", "/v1/kv_cache_hints", "/-/error", "/-/status",
     "/-/generation", "/internal/qwen/", "/health_generate", "/v1/models/unknown/model"],
)  # fmt: skip
def test_every_other_path_is_a_404_and_reaches_no_backend(rig: Rig, path: str) -> None:
    before = sum(len(backend.seen) for backend in rig.backends.values())
    for method in ("GET", "POST"):
        reply = rig.ask(method, path, b'{"model":"qwen"}' if method == "POST" else None)
        assert reply.status in (404, 405)
        assert reply.error["code"] in ("not_found", "model_not_found", "method_not_allowed")
    assert sum(len(backend.seen) for backend in rig.backends.values()) == before


@pytest.mark.parametrize(
    ("request_bytes", "status", "code"),
    [
        (b"GARBAGE\r\n\r\n", 400, "bad_request"),
        (b"GET / HTTP/1.1\r\n\r\n", 400, "bad_request"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, "bad_request"),
        (b"GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n", 400, "bad_request"),
        (b"GET /../../etc HTTP/1.1\r\nHost: x\r\n\r\n", 400, "bad_request"),
        (b"GET / HTTP/3.0\r\nHost: x\r\n\r\n", 505, "http_version_not_supported"),
        (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414, "uri_too_long"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 9000 + b"\r\n\r\n", 431, "headers_too_large"),
        (b"TRACE / HTTP/1.1\r\nHost: x\r\n\r\n", 405, "method_not_allowed"),
        (POST + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
         400, "bad_request"),
        (POST + b"Transfer-Encoding: chunked, identity\r\n\r\n", 501, "not_implemented"),
        (POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400, "bad_request"),
        (POST + b"Content-Length: -1\r\n\r\n", 400, "bad_request"),
    ],
)  # fmt: skip
def test_what_nginx_refuses_by_itself_is_json_too(
    rig: Rig, request_bytes: bytes, status: int, code: str
) -> None:
    found, headers, body = exchange(rig, request_bytes)
    assert found == status
    assert headers["content-type"] == "application/json"
    assert headers["x-request-id"]
    assert "1.22" not in headers["server"]
    assert json.loads(body)["error"]["code"] == code


@pytest.mark.parametrize("chunked", [False, True], ids=["sized", "chunked"])
def test_too_large_a_body_is_a_413_that_the_client_can_read(rig: Rig, *, chunked: bool) -> None:
    body = b'{"model":"qwen","x":"' + b"a" * 3_000_000 + b'"}'
    framing = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: %d" % len(body)
    framed = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body) if chunked else body
    status, headers, answer = exchange(
        rig, b"POST /v1/completions HTTP/1.1\r\nHost: x\r\n" + framing + b"\r\n\r\n" + framed
    )
    assert status == 413
    assert headers["content-type"] == "application/json"
    assert headers["x-request-id"]
    assert json.loads(answer)["error"]["code"] == "request_too_large"


def test_left_over_body_of_a_refused_request_is_not_taken_for_a_request(rig: Rig) -> None:
    inner = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
    outer = b"POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(inner)
    last = b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    with socket.create_connection(("127.0.0.1", rig.port), 10) as client:
        client.sendall(outer + inner + last)
        answers = b"".join(iter(lambda: client.recv(65536), b""))
    assert answers.count(b"HTTP/1.1 ") == 2
    assert answers.startswith(b"HTTP/1.1 404 ")


def test_sane_request_id_is_kept_and_any_other_replaced(rig: Rig) -> None:
    def id_for(sent: str, path: str = "/livez") -> str:
        return rig.ask("GET", path, None, {"X-Request-Id": sent}).headers["X-Request-Id"]

    assert id_for("req_0A-9.b:c") == "req_0A-9.b:c"
    assert id_for("kept-on-errors", "/nowhere") == "kept-on-errors"
    for bad in ("a b", 'a"b', "x" * 129, "<script>", "a,b"):
        assert id_for(bad) not in ("", bad)
    made = {rig.ask("GET", "/livez").headers["X-Request-Id"] for _ in range(20)}
    assert len(made) == 20


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (400, {"object": "error", "message": "flat", "type": "BadRequestError", "param": None,
               "code": 400}, "flat"),
        (400, {"error": "words"}, "words"),
        (404, {"detail": "Not Found"}, "Not Found"),
        (500, b"Internal Server Error", "Internal Server Error"),
        (503, b"", "the backend answered 503 without saying why"),
        (429, {"error": {"message": "right", "type": "t", "param": None, "code": "c"}}, "right"),
        (500, b"x" * 200_000, "x" * 2000 + "..."),
    ],
)  # fmt: skip
def test_engines_errors_come_out_in_openais_shape(
    rig: Rig, status: int, body: bytes | dict[str, object], message: str
) -> None:
    backend = rig.backends["qwen"]
    data = json.dumps(body).encode() if isinstance(body, dict) else body
    backend.answer = lambda request: request.send(status, data, X_Request_Id="backends-own")
    try:
        reply = rig.chat("qwen")
    finally:
        backend.answer = backend.say_name
    assert reply.status == status
    assert reply.error["message"] == message
    assert reply.headers.get_all("X-Request-Id") != ["backends-own"]
    assert len(reply.headers.get_all("X-Request-Id") or ()) == 1


def test_retry_after_of_a_backend_is_passed_on(rig: Rig) -> None:
    backend = rig.backends["qwen"]
    backend.answer = lambda request: request.send(503, b'{"error":"full"}', Retry_After="7")
    try:
        reply = rig.chat("qwen")
    finally:
        backend.answer = backend.say_name
    assert reply.status == 503
    assert reply.headers["Retry-After"] == "7"


def test_nothing_of_this_has_made_the_lua_fail(rig: Rig) -> None:
    assert rig.chat("qwen").status == 200
    assert "lua entry thread aborted" not in rig.error_log()
    assert "[alert]" not in rig.error_log()
