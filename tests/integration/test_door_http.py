"""One request, over TCP and over a unix socket."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import TCPServer, UnixStreamServer

import pytest

from fakes.authority import Authority, TlsBackend
from fakes.nginx_rig import Backend, free_port
from trtllm_install.host.http import request, request_by_tls
from trtllm_install.host.protocol import Answer, Trust
from trtllm_install.model.errors import HostError, UntrustedServer


class Echo(BaseHTTPRequestHandler):
    """Answers with what it was asked; /status/NNN with that status, /cut with half an answer."""

    def address_string(self) -> str:
        return "client"

    def log_message(self, *_: object) -> None:
        pass

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        content = self.headers.get("Content-Type", "-")
        text = f"{self.command} {self.path} {content} {body.decode()}".encode()
        if self.path == "/cut":
            text = b""
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
            return
        status = int(self.path.rsplit("/", 1)[1]) if "/status/" in self.path else 200
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = answer  # noqa: N815 (the names that the base class looks for)


@contextlib.contextmanager
def serving(server: TCPServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(scope="module")
def tcp() -> Iterator[str]:
    with TCPServer(("127.0.0.1", 0), Echo) as server, serving(server):
        yield f"http://127.0.0.1:{server.server_address[1]}"


@pytest.fixture(scope="module")
def unix(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    path = str(tmp_path_factory.mktemp("s") / "s.sock")
    with UnixStreamServer(path, Echo) as server, serving(server):
        yield path


def ask(base: str, path: str, method: str = "GET", body: bytes | None = None) -> Answer:
    return request(method, base + path, body=body, timeout=10, unix_socket=None)


def test_over_tcp_the_answer_is_status_and_body(tcp: str) -> None:
    assert ask(tcp, "/x") == Answer(status=200, body=b"GET /x - ")
    assert ask(tcp, "/y", "POST", b"{}").body == b"POST /y application/json {}"


@pytest.mark.parametrize("status", [404, 500, 503])
def test_any_status_is_an_answer(tcp: str, status: int) -> None:
    assert ask(tcp, f"/status/{status}").status == status


def test_over_a_unix_socket_too(unix: str) -> None:
    answer = request("GET", "/-/generation", body=None, timeout=10, unix_socket=unix)
    assert answer == Answer(status=200, body=b"GET /-/generation - ")
    posted = request("POST", "/status/409", body=b"x", timeout=10, unix_socket=unix)
    assert posted.status == 409


def test_a_proxy_of_the_environment_never_sees_loopback_traffic(
    tcp: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert ask(tcp, "/x").status == 200


def test_nobody_there_is_an_error_with_a_next_step(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/health"
        with pytest.raises(HostError, match=f"^cannot GET {url}: connection refused$") as caught:
            request("GET", url, body=None, timeout=5, unix_socket=None)
    assert caught.value.hint == "trtllm-install status"
    with pytest.raises(HostError, match="cannot GET /x: no such file or directory"):
        request("GET", "/x", body=None, timeout=5, unix_socket=str(tmp_path / "absent"))


def test_a_server_that_never_answers_is_given_up(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}/"
        with pytest.raises(HostError, match=r"no answer within 0\.1 s"):
            request("GET", url, body=None, timeout=0.1, unix_socket=None)
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.bind(path)
        deaf.listen()
        with pytest.raises(HostError, match=r"no answer within 0\.1 s"):
            request("GET", "/", body=None, timeout=0.1, unix_socket=path)


def test_half_an_answer_is_no_answer(tcp: str, unix: str) -> None:
    with pytest.raises(HostError):
        ask(tcp, "/cut")
    with pytest.raises(HostError):
        request("GET", "/cut", body=None, timeout=5, unix_socket=unix)


@contextlib.contextmanager
def started(backend: Backend) -> Iterator[str]:
    backend.start()
    try:
        yield f"https://127.0.0.1:{backend.port}/v1/x?y=1"
    finally:
        backend.stop()


def test_by_tls_a_server_has_to_prove_its_name(tmp_path: Path) -> None:
    ours, theirs = Authority(tmp_path / "ours"), Authority(tmp_path / "theirs")
    backend = TlsBackend("gpu1", free_port(), ours.sign("gpu1.example"))
    trust = Trust(name="gpu1.example", authority=str(ours.file))

    def cause(url: str, trust: Trust) -> str:
        with pytest.raises(UntrustedServer, match="its certificate does not hold") as caught:
            request_by_tls("GET", url, timeout=10, trust=trust)
        return caught.value.cause

    with started(backend) as url:
        answer = request_by_tls("GET", url, timeout=10, trust=trust)
        assert answer == Answer(status=200, body=b'{"backend": "gpu1"}')
        stranger = Trust(name=trust.name, authority=str(theirs.file))
        assert cause(url, stranger) == "unable to get local issuer certificate"
        assert "mismatch" in cause(url, Trust(name="gpu2.example", authority=str(ours.file)))
        backend.show(ours.sign("gpu1.example", days=-1))
        assert cause(url, trust) == "certificate has expired"
        with pytest.raises(HostError, match="no such file"):
            request_by_tls("GET", url, timeout=10, trust=Trust(name="x", authority="/nowhere"))
    assert [seen.path for seen in backend.seen] == ["/v1/x?y=1"]
    assert backend.asked_for == {"gpu1.example", "gpu2.example"}


def test_a_server_without_tls_is_told_so(tmp_path: Path) -> None:
    trust = Trust(name="gpu1.example", authority=str(Authority(tmp_path / "ours").file))
    with (
        started(Backend("gpu1", free_port())) as url,
        pytest.raises(HostError, match=r"no TLS: (wrong version number|record layer failure)"),
    ):
        request_by_tls("GET", url, timeout=10, trust=trust)
