"""Requests whose end can be read in two ways: no backend ever sees one that nobody sent."""

import contextlib
import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes.nginx_rig import QWEN, Rig, ask, eventually, running

BODY = json.dumps({"model": QWEN}).encode()
HIDDEN = b"GET /v1/responses/hidden HTTP/1.1\r\nHost: x\r\n\r\n"
HEAD = b"POST /v1/completions HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"


def chunk(data: bytes, size: bytes = b"", end: bytes = b"\r\n") -> bytes:
    return (size or b"%x" % len(data)) + end + data + end


CASES = {
    "length and chunks": b"Content-Length: %d\r\nTransfer-Encoding: chunked\r\n\r\n" % len(BODY)
    + chunk(BODY)
    + b"0\r\n\r\n",
    "chunks and length": b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n"
    + chunk(BODY)
    + b"0\r\n\r\n",
    "two lengths": b"Content-Length: %d\r\nContent-Length: 2\r\n\r\n%s" % (len(BODY), BODY),
    "the same length twice": b"Content-Length: %d\r\n" % len(BODY) * 2 + b"\r\n" + BODY,
    "a length with a sign": b"Content-Length: +%d\r\n\r\n%s" % (len(BODY), BODY),
    "a list of lengths": b"Content-Length: %d, %d\r\n\r\n%s" % (len(BODY), len(BODY), BODY),
    "a length in hexadecimal": b"Content-Length: 0x10\r\n\r\n" + BODY,
    "a space before the colon": b"Transfer-Encoding : chunked\r\nContent-Length: %d\r\n\r\n%s"
    % (len(BODY), BODY),
    "a tab before the name": b"\tTransfer-Encoding: chunked\r\nContent-Length: %d\r\n\r\n%s"
    % (len(BODY), BODY),
    "a folded header": b"X: a\r\n Transfer-Encoding: chunked\r\nContent-Length: %d\r\n\r\n%s"
    % (len(BODY), BODY),
    "a vertical tab": b"Transfer-Encoding:\x0bchunked\r\n\r\n" + chunk(BODY) + b"0\r\n\r\n",
    "another encoding": b"Transfer-Encoding: xchunked\r\n\r\n" + chunk(BODY) + b"0\r\n\r\n",
    "two encodings": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n"
    + chunk(BODY)
    + b"0\r\n\r\n",
    "bare line feeds": b"Transfer-Encoding: chunked\r\n\r\n" + chunk(BODY, end=b"\n") + b"0\n\n",
    "a chunk of another length": b"Transfer-Encoding: chunked\r\n\r\n"
    + chunk(BODY, b"%x" % (len(BODY) - 3))
    + b"0\r\n\r\n",
    "an endless chunk": b"Transfer-Encoding: chunked\r\n\r\n" + chunk(BODY, b"F" * 17),
    "a chunk with a sign": b"Transfer-Encoding: chunked\r\n\r\n"
    + chunk(BODY, b"+%x" % len(BODY))
    + b"0\r\n\r\n",
    "a chunk extension": b"Transfer-Encoding: chunked\r\n\r\n"
    + chunk(BODY, b"%x;a=b" % len(BODY))
    + b"0\r\n\r\n",
    "trailers": b"Transfer-Encoding: chunked\r\n\r\n" + chunk(BODY) + b"0\r\nHost: y\r\n\r\n",
    "two hosts": b"Host: y\r\nContent-Length: %d\r\n\r\n%s" % (len(BODY), BODY),
    "a null byte": b"X: a\x00b\r\nContent-Length: %d\r\n\r\n%s" % (len(BODY), BODY),
}


@pytest.fixture(scope="module", name="rig")
def start_rig() -> Iterator[Rig]:
    with running("qwen") as rig:
        yield rig


@pytest.mark.parametrize("name", CASES)
def test_what_a_backend_sees_is_what_the_client_is_answered(rig: Rig, name: str) -> None:
    qwen = rig.backends["qwen"]
    qwen.seen.clear()
    answers = b""
    with socket.create_connection(("127.0.0.1", rig.port), 1) as client:
        client.sendall(HEAD + CASES[name])
        with contextlib.suppress(TimeoutError):  # it waits for more, and gets no more
            while part := client.recv(65536):
                answers += part
    assert len(qwen.seen) <= 1
    assert answers.count(b"HTTP/1.1 ") <= 1
    for seen in qwen.seen:
        assert (seen.method, seen.path, seen.body) == ("POST", "/v1/completions", BODY)
        assert seen.headers["Content-Length"] == str(len(BODY))
        assert seen.headers["Transfer-Encoding"] is None
    assert ask(rig.port, "POST", "/v1/completions", BODY).status == 200


def test_a_request_within_a_body_stays_a_body(rig: Rig) -> None:
    qwen = rig.backends["qwen"]
    qwen.seen.clear()
    outer = json.dumps({"model": QWEN, "x": HIDDEN.decode()}).encode()
    assert rig.ask("POST", "/v1/completions", outer + b" \r\n\r\n").status == 200
    assert rig.ask("POST", "/v1/completions", BODY).status == 200
    assert [seen.path for seen in qwen.seen] == ["/v1/completions"] * 2


@pytest.mark.parametrize(
    "model", ["qwen\r\nX-Evil: 1", "qwen\nHost: evil", "qwen\x00", "qwen\u2028"]
)
def test_a_model_never_becomes_a_header_or_a_line_of_the_log(rig: Rig, model: str) -> None:
    reply = rig.chat(model)
    assert reply.status == 200
    seen = rig.backends["qwen"].seen[-1]
    assert seen.headers["X-Evil"] is None
    assert seen.headers["Host"] == "localhost"
    assert reply.headers["X-Evil"] is None
    unknown = rig.chat(model.replace("qwen", "gpt"))
    assert unknown.status == 404
    assert unknown.headers["X-Evil"] is None
    request = unknown.headers["X-Request-Id"]
    log = Path(rig.spec.access_log)
    eventually("it is logged", lambda: request in log.read_text())
    entries = [json.loads(line) for line in log.read_text().rstrip("\n").split("\n")]
    assert [entry["status"] for entry in entries if entry["id"] == request] == [404]
