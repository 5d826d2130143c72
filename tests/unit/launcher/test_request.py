"""Reading HTTP answers."""

import pytest

from trtllm_install.launcher.drain import parse_traffic
from trtllm_install.launcher.request import is_complete, parse_status


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", 200),
        (b"HTTP/1.0 503 Service Unavailable\r\n", 503),
        (b"HTTP/1.1 404", 404),
        (b"", None),
        (b"SSH-2.0-OpenSSH_9.2", None),
        (b"HTTP/1.1 abc\r\n", None),
    ],
)
def test_a_status_is_read_or_there_is_none(data: bytes, status: int | None) -> None:
    assert parse_status(data) == status


@pytest.mark.parametrize(
    ("data", "complete"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", True),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{", False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n", False),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", True),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n", False),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{}", False),
    ],
)
def test_an_answer_is_read_to_its_end_so_that_this_side_can_close_first(
    data: bytes, complete: bool
) -> None:
    assert is_complete(data) is complete


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b'{"backends": {"qwen": {"in_flight": 3, "last_bytes": 995.5}}}', (3, 4.5)),
        (b'{"backends": {"qwen": {"in_flight": 0, "last_bytes": null}}}', (0, None)),
        (b'{"backends": {"qwen": {"in_flight": 1}}}', (1, None)),
        (b'{"backends": {"qwen": {"in_flight": 1, "last_bytes": 1001}}}', (1, 0.0)),
        (b'{"backends": {"qwen": {"in_flight": 1, "last_bytes": 4600}}}', (1, None)),
        (b'{"backends": {"other": {"in_flight": 3}}}', None),
        (b'{"backends": []}', None),
        (b"<html>", None),
        (b"", None),
    ],
)
def test_traffic_is_known_only_when_the_proxy_says_so(
    body: bytes, told: tuple[int, float | None] | None
) -> None:
    traffic = parse_traffic(body, "qwen", now=1000.0)
    assert (traffic and (traffic.in_flight, traffic.silent_s)) == told
