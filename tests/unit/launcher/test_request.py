"""Reading HTTP answers."""

import pytest

from trtllm_install.launcher.drain import parse_in_flight
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
    ("body", "count"),
    [
        (b'{"upstreams": {"qwen": {"in_flight": 3}}}', 3),
        (b'{"upstreams": {"qwen": {"in_flight": 0}}}', 0),
        (b'{"upstreams": {"other": {"in_flight": 3}}}', None),
        (b'{"upstreams": []}', None),
        (b"<html>", None),
        (b"", None),
    ],
)
def test_in_flight_is_known_only_when_the_proxy_says_so(body: bytes, count: int | None) -> None:
    assert parse_in_flight(body, "qwen") == count
