"""Starts the rendered proxy with the real nginx, without privileges, in a folder of its own."""

import contextlib
import dataclasses
import http.client
import itertools
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final

import pytest

from fakes.proxy_program import proxy_program
from trtllm_install.model.proxyspec import ProxySpec, Upstream
from trtllm_install.render.openresty import render_proxy

NOBODY: Final = 65534
# Each worker of pytest-xdist has ports of its own; begun anywhere, since others test here too.
_WORKER: Final = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_SHARE: Final = 20_000 // int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
_LOWEST: Final = 12_000 + _WORKER * _SHARE
_BEGIN: Final = random.randrange(_LOWEST, _LOWEST + _SHARE)
_PORTS: Final = itertools.cycle((*range(_BEGIN, _LOWEST + _SHARE), *range(_LOWEST, _BEGIN)))
QWEN: Final = "nvidia/Qwen3-30B-A3B-FP4"
NEMOTRON: Final = "nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-NVFP4"


def nginx_binary() -> str:
    """Return the program to test with; without one the test is skipped, except in CI."""
    return proxy_program().path


def free_port() -> int:
    """Return a port on which nobody listens now.

    It is below those that the kernel gives to outgoing connections, so none of these takes
    it before the server does; and this process is never told the same one twice.
    """
    for port in _PORTS:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("_PORTS has no end")


def eventually(what: str, holds: Callable[[], object], *, within: float = 10) -> None:
    """Wait until ``holds()`` is true; fail naming ``what`` after ``within`` seconds."""
    deadline = time.monotonic() + within
    while not holds():
        if time.monotonic() > deadline:
            pytest.fail(f"not within {within} s: {what}")
        time.sleep(0.01)


@dataclasses.dataclass(frozen=True, slots=True)
class Reply:
    """One answer, read whole."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> dict:
        return json.loads(self.body)

    @property
    def error(self) -> dict:
        """The error, after checking that it has the shape OpenAI's clients know."""
        assert self.headers["Content-Type"] == "application/json"
        assert self.headers["X-Request-Id"]
        error = self.json["error"]
        assert set(error) == {"message", "type", "param", "code"}
        assert isinstance(error["message"], str)
        assert error["message"]
        return error


def ask(
    address: int | str,
    method: str,
    path: str,
    body: bytes | dict | None = None,
    headers: dict[str, str] | None = None,
    *,
    timeout: float = 10,
) -> Reply:
    """Make one request, to a port of this machine or to a unix socket."""
    with contextlib.closing(connect(address, timeout)) as connection:
        data = json.dumps(body).encode() if isinstance(body, dict) else body
        connection.request(method, path, data, headers or {})
        answer = connection.getresponse()
        return Reply(answer.status, answer.headers, answer.read())


def connect(address: int | str, timeout: float = 10) -> http.client.HTTPConnection:
    """Return a connection that is opened by the first request."""
    if isinstance(address, int):
        return http.client.HTTPConnection("127.0.0.1", address, timeout=timeout)
    connection = http.client.HTTPConnection("localhost", timeout=timeout)
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.settimeout(timeout)
    connection.sock.connect(address)
    return connection


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    """One request as a backend got it."""

    method: str
    path: str
    headers: http.client.HTTPMessage
    body: bytes
    client: int  # port of the connection


class Handler(BaseHTTPRequestHandler):
    """Answers a health check, then lets the backend's ``answer`` speak."""

    protocol_version = "HTTP/1.1"
    timeout = 20

    def answer_any(self) -> None:
        backend: Backend = self.server.backend  # type: ignore[attr-defined]
        length = int(self.headers.get("Content-Length") or 0)
        if length:
            backend.begins()
        body = self.rfile.read(length)
        if self.path == "/health":
            backend.health(self)
            return
        if self.path.startswith("/readyz"):
            backend.ready(self)
            return
        backend.seen.append(
            Seen(self.command, self.path, self.headers, body, self.client_address[1])
        )
        backend.answer(self)

    do_GET = do_POST = do_DELETE = answer_any  # noqa: N815 (names of the base class)

    def send(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def start_stream(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def send_chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    def log_message(self, *args: object) -> None:
        """Say nothing: the tests look at what is recorded."""


class Server(ThreadingHTTPServer):
    """Takes as many connections at once as an engine does, not five."""

    request_queue_size = 128
    daemon_threads = True
    block_on_close = False


class Backend:
    """A model server whose answers a test chooses."""

    host = "127.0.0.1"
    tls_name = ""  # what a front tier is told that its certificate is for

    def __init__(self, name: str, port: int) -> None:
        self.name = name
        self.port = port
        self.seen: list[Seen] = []
        self.begins: Callable[[], None] = lambda: None  # a request with a body has come
        self.answer: Callable[[Handler], None] = self.say_name
        self.health: Callable[[Handler], None] = lambda request: request.send(200, b"")
        # An engine has no such path; a peer that is a proxy has.
        self.ready: Callable[[Handler], None] = lambda request: request.send(
            404, b'{"detail":"Not Found"}'
        )
        self._server: ThreadingHTTPServer | None = None

    def say_name(self, request: Handler) -> None:
        request.send(200, json.dumps({"backend": self.name}).encode())

    def dress(self, listening: socket.socket) -> socket.socket:
        """Return the socket that connections come from; here the listening one itself."""
        return listening

    def start(self) -> None:
        self._server = Server(("127.0.0.1", self.port), Handler)
        self._server.socket = self.dress(self._server.socket)
        self._server.backend = self  # type: ignore[attr-defined]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


class Rig:
    """A running proxy, its folder and its backends."""

    def __init__(
        self,
        folder: Path,
        backends: Sequence[Backend],
        *,
        peers: Mapping[str, str] | None = None,
        limits: Mapping[str, int] | None = None,
        **changes: object,
    ) -> None:
        self.folder = folder
        self.limits = limits or {}  # name of a backend -> requests at once
        self.peers = peers or {}  # name of a backend that is a peer -> model that it serves
        self.backends = {backend.name: backend for backend in backends}
        self.spec = self._spec(backends, changes)
        self.port = self.spec.port
        self.process: subprocess.Popen[bytes] | None = None

    def _spec(self, backends: Sequence[Backend], changes: dict[str, object]) -> ProxySpec:
        ids = {"qwen": (QWEN,), "nemotron": (NEMOTRON, "nemo-alias")}
        limits = self.limits
        program = proxy_program()
        spec = ProxySpec(
            host="127.0.0.1",
            port=free_port(),
            upstreams=tuple(
                Upstream(
                    name=backend.name,
                    peer=backend.name,
                    host=backend.host,
                    port=backend.port,
                    tls_name=backend.tls_name,
                    ids=(self.peers[backend.name],),
                    contains=(),
                    limit=limits.get(backend.name),
                )
                if backend.name in self.peers
                else Upstream(
                    name=backend.name,
                    host="127.0.0.1",
                    port=backend.port,
                    ids=ids.get(backend.name, (backend.name,)),
                    contains=(backend.name,),
                    limit=limits.get(backend.name),
                    state_file=f"{self.folder}/{backend.name}.json",
                )
                for backend in backends
            ),
            first_byte_s=30,
            body_limit_mib=64,
            binary=program.kind,
            modules=program.modules,
            lua_path=program.lua_path,
            lua_cpath=program.lua_cpath,
            conf_dir=f"{self.folder}/etc",
            run_dir=f"{self.folder}/run",
            temp_dir=f"{self.folder}/tmp",
            error_log=f"{self.folder}/error.log",
            access_log=f"{self.folder}/access.log",
            admin_socket=f"{self.folder}/admin.sock",
            keys_file=f"{self.folder}/keys",
            peer_keys_file=f"{self.folder}/peer-keys",
            workers=1,
        )
        return dataclasses.replace(spec, **changes)  # type: ignore[arg-type]

    def write(self) -> str:
        """Render into the folder and return the generation."""
        for path, text in render_proxy(self.spec).items():
            target = Path(self.spec.conf_dir, path)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
        for path in (f"{self.spec.run_dir}/proxy", self.spec.temp_dir):
            Path(path).mkdir(parents=True, exist_ok=True)
        text = Path(self.spec.conf_dir, "routes.lua").read_text(encoding="utf-8")
        return text.split('generation = "')[1].split('"')[0]

    def start(self) -> None:
        self.write()
        user: dict[str, object] = {}
        if os.geteuid() == 0:
            for path in (self.folder, *self.folder.rglob("*")):
                os.chown(path, NOBODY, NOBODY)
            user = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
        with Path(self.folder, "stderr").open("wb") as stderr:
            self.process = subprocess.Popen(
                [
                    *(nginx_binary(), "-e", "stderr", "-p", f"{self.spec.run_dir}/proxy"),
                    *("-c", f"{self.spec.conf_dir}/nginx.conf", "-g", "daemon off;"),
                ],
                stderr=stderr,
                **user,  # type: ignore[call-overload]
            )
        eventually("the proxy answers", self.is_alive)

    def is_alive(self) -> bool:
        assert self.process
        if self.process.poll() is not None:
            pytest.fail("nginx has ended: " + Path(self.folder, "stderr").read_text())
        try:
            return self.ask("GET", "/livez").status == 200
        except OSError:
            return False

    def reload(self) -> None:
        assert self.process
        self.process.send_signal(signal.SIGHUP)

    def workers(self) -> list[int]:
        assert self.process
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(pid) for pid in children.split()]

    def stop(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)

    def ask(self, method: str, path: str, *args: object, **options: object) -> Reply:
        return ask(self.port, method, path, *args, **options)  # type: ignore[arg-type]

    def chat(self, model: object, **fields: object) -> Reply:
        return self.ask("POST", "/v1/chat/completions", {**fields, "model": model})

    def admin(self, method: str, path: str) -> Reply:
        return ask(self.spec.admin_socket, method, path)

    def status(self, name: str) -> dict:
        return self.admin("GET", "/-/status").json["backends"][name]

    def set_state(self, name: str, state: str, **fields: object) -> None:
        """Write the state file as a launcher does: whole, then renamed into place."""
        target = self.folder / f"{name}.json"
        document = {"schema": 1, "name": name, "state": state, "load_seconds": None, **fields}
        draft = target.with_suffix(".new")
        draft.write_text(json.dumps(document))
        draft.chmod(0o644)
        draft.rename(target)

    def error_log(self) -> str:
        return Path(self.spec.error_log).read_text() + (self.folder / "stderr").read_text()

    def access_log(self) -> list[dict]:
        text = Path(self.spec.access_log).read_text()
        return [json.loads(line) for line in text.splitlines()]


@contextlib.contextmanager
def running(
    *names: str,
    peers: Mapping[str, str] | None = None,
    limits: Mapping[str, int] | None = None,
    **changes: object,
) -> Iterator[Rig]:
    """Yield a proxy with a backend for each name, all healthy; clean up afterwards."""
    nginx_binary()
    backends = [Backend(name, free_port()) for name in names]
    folder = Path(tempfile.mkdtemp(prefix="trtllm-proxy-"))
    folder.chmod(0o755)
    rig = Rig(folder, backends, peers=peers, limits=limits, **changes)
    try:
        for backend in backends:
            backend.start()
        rig.start()
        eventually("every backend is healthy", lambda: rig.ask("GET", "/health").status == 200)
        yield rig
    finally:
        rig.stop()
        for backend in backends:
            backend.stop()
        shutil.rmtree(folder)
