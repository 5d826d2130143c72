"""HTTP/1.1 out of bytes, however they are cut."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trtllm_install.simulator.wire import (
    MalformedRequestError,
    Request,
    RequestReader,
    render_chunk,
    render_head,
)

TWO = (
    b"POST /v1/completions?x=1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"3;note\r\nabc\r\n2\r\nde\r\n0\r\nTrailer: 1\r\n\r\n"
    b"\r\nPUT /b HTTP/1.0\r\nContent-Length: 4\r\nConnection: keep-alive\r\n\r\nwxyz"
)


def _read(*pieces: bytes) -> list[Request]:
    reader, requests = RequestReader(), []
    for piece in pieces:
        reader.feed(piece)
        while (request := reader.next_request()) is not None:
            requests.append(request)
    assert reader.is_between_requests
    return requests


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, len(TWO)), max_size=12))
def test_requests_are_the_same_however_the_bytes_are_cut(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(TWO)]
    first, second = _read(*(TWO[a:b] for a, b in pairwise(edges)))
    assert (first.method, first.path, first.body) == ("POST", "/v1/completions", b"abcde")
    assert (second.method, second.path, second.body) == ("PUT", "/b", b"wxyz")


def test_connections_are_kept_as_each_version_has_it() -> None:
    heads = [
        (b"GET / HTTP/1.1\r\n\r\n", True),
        (b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n", False),
        (b"GET / HTTP/1.0\r\n\r\n", False),
        (b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", True),
    ]
    assert [_read(head)[0].keeps_alive for head, _ in heads] == [kept for _, kept in heads]


def test_a_client_that_waits_to_continue_is_told_once() -> None:
    reader = RequestReader()
    reader.feed(b"POST / HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
    assert reader.next_request() is None
    assert [reader.wants_continue(), reader.wants_continue()] == [True, False]


@pytest.mark.parametrize(
    "head",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/2\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : a\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc",
        b"GET / HTTP/1.1\r\n" + b"a" * 70_000,
    ],
)
def test_what_is_not_http_is_refused(head: bytes) -> None:
    reader = RequestReader()
    reader.feed(head)
    with pytest.raises(MalformedRequestError):
        reader.next_request()


def test_an_answer_names_the_simulated_server() -> None:
    head = render_head(200, {"Content-Length": "0"})
    assert head == (
        b"HTTP/1.1 200 OK\r\nServer: trtllm-serve-simulated\r\nContent-Length: 0\r\n\r\n"
    )


def test_chunks_carry_their_length_in_hexadecimal() -> None:
    assert render_chunk(b"x" * 17) == b"11\r\n" + b"x" * 17 + b"\r\n"
    assert render_chunk(b"") == b"0\r\n\r\n"
