"""`doctor proxy` against a real proxy, with and without keys, and against servers that err."""

import hashlib
import json
import subprocess
import tempfile
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from fakes.nginx_rig import (
    NEMOTRON,
    QWEN,
    Backend,
    Rig,
    eventually,
    free_port,
    nginx_binary,
    running,
)
from trtllm_install.app import doctor_framing, doctor_proxy
from trtllm_install.app.doctor_framing import Case, replay_framing, replay_slow
from trtllm_install.app.doctor_proxy import replay
from trtllm_install.host.local import LocalHost
from trtllm_install.model import layout
from trtllm_install.model.clientkeys import HEADING
from trtllm_install.model.errors import HostError

MODELS = (QWEN, NEMOTRON)


@pytest.fixture(scope="module", name="rig")
def start_rig() -> Iterator[Rig]:
    with running("qwen", "nemotron") as rig:
        yield rig


@pytest.fixture(name="admin", autouse=True)
def admin_socket_of_the_rig(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "PROXY_ADMIN_SOCKET", rig.spec.admin_socket)


def failures(rig: Rig) -> dict[str, str]:
    cases = list(replay(LocalHost(), f"http://127.0.0.1:{rig.port}", MODELS))
    assert len(cases) > 30
    return {case.name: case.found for case in cases if not case.passed}


def test_our_own_proxy_does_everything_right(rig: Rig) -> None:
    seen = sum(len(backend.seen) for backend in rig.backends.values())
    assert failures(rig) == {}
    assert sum(len(backend.seen) for backend in rig.backends.values()) == seen


def test_a_backend_that_does_not_serve_is_told(rig: Rig) -> None:
    rig.set_state("qwen", "loading")
    eventually("it loads", lambda: rig.ask("GET", "/health").status == 503)
    try:
        assert failures(rig) == {"every backend serves": "503 in another shape"}
    finally:
        rig.set_state("qwen", "healthy")
        eventually("it is healthy", lambda: rig.ask("GET", "/health").status == 200)


def test_keys_are_tried_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    with running("qwen", "nemotron") as guarded:
        line = f"alice {hashlib.sha256(b'secret').hexdigest()}\n"
        Path(guarded.spec.keys_file).write_text(line)
        guarded.reload()
        eventually("it asks for keys", lambda: guarded.ask("GET", "/v1/models").status == 401)
        eventually("all of it does", lambda: guarded.admin("GET", "/-/generation").json["keys"])
        monkeypatch.setattr(layout, "PROXY_ADMIN_SOCKET", guarded.spec.admin_socket)
        cases = list(replay(LocalHost(), f"http://127.0.0.1:{guarded.port}", MODELS))
        assert "a wrong key" in {case.name for case in cases}
        assert [case for case in cases if not case.passed] == []


class HostWithoutKeys(LocalHost):
    """This machine, with a file of keys that holds none."""

    def read(self, path: str, *, limit: int | None = None, offset: int = 0) -> bytes | None:
        return HEADING.encode() if path == layout.PROXY_KEYS else super().read(path)


def test_that_nobody_is_let_in_is_wrong(rig: Rig) -> None:
    cases = replay(HostWithoutKeys(), f"http://127.0.0.1:{rig.port}", MODELS)
    (case,) = (case for case in cases if not case.passed)
    assert case.found == "none: sudo trtllm-install keys add NAME"


@dataclass(frozen=True)
class Installed:
    """What `measure` reads of a receipt."""

    order: tuple[str, ...]
    models: tuple[str, ...]
    endpoint: str


class HostWithSpecs(LocalHost):
    """This machine, with the launch specs of the rig."""

    rig: Rig

    def read(self, path: str, *, limit: int | None = None, offset: int = 0) -> bytes | None:
        name = Path(path).stem
        return json.dumps({"host": "127.0.0.1", "port": self.rig.backends[name].port}).encode()


def test_what_the_proxy_adds_is_measured_for_each_model(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor_proxy, "_TIMES", 5)
    host = HostWithSpecs()
    host.rig = rig
    endpoint = f"http://127.0.0.1:{rig.port}"
    receipt = Installed(order=("qwen", "nemotron", "proxy"), models=MODELS, endpoint=endpoint)
    seen = len(rig.backends["qwen"].seen)
    added = list(doctor_proxy.measure(host, receipt))  # type: ignore[arg-type]
    assert [one.model for one in added] == list(MODELS)
    assert all(one.direct_us > 0 and one.proxied_us > 0 for one in added)
    assert len(rig.backends["qwen"].seen) == seen + 10


class Gullible(BaseHTTPRequestHandler):
    """Reads what the length says, whatever else a request says about its end."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", "0").split(",")[0]))
        self.do_GET()

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture(name="gullible")
def start_gullible() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Gullible) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def found(cases: Iterable[Case]) -> dict[str, str]:
    return {case.name: case.found for case in cases if not case.passed}


def test_a_server_that_lets_requests_be_smuggled_is_found_out(
    gullible: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor_framing, "_PATIENCE_S", 0.3)
    wrong = found(replay_framing(LocalHost(), gullible, None))
    assert wrong["two lengths"] == "200 and 200, left open"  # the second one was hidden
    assert wrong["a length and chunks"].startswith("200 and 200")
    assert wrong["a folded header"] == "200, left open"
    assert found(replay_slow(LocalHost(), gullible, patience=0.3)) == {
        "a header that never ends": "no answer, left open"
    }


def test_an_nginx_without_our_rules_is_found_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor_framing, "_PATIENCE_S", 0.3)
    port = free_port()
    tmp_path.joinpath("nginx.conf").write_text(
        f"""daemon off; master_process off; pid {tmp_path}/pid; error_log {tmp_path}/error.log;
        events {{ }}
        http {{
            access_log off; large_client_header_buffers 16 64k;
            client_body_temp_path {tmp_path}/b; proxy_temp_path {tmp_path}/p;
            fastcgi_temp_path {tmp_path}/f; uwsgi_temp_path {tmp_path}/u;
            scgi_temp_path {tmp_path}/s;
            server {{ listen 127.0.0.1:{port}; location / {{ return 200 '{{}}'; }} }}
        }}"""
    )
    process = subprocess.Popen(
        [nginx_binary(), "-e", "stderr", "-p", tmp_path, "-c", "nginx.conf"],
        stderr=subprocess.DEVNULL,
    )
    base = f"http://127.0.0.1:{port}"
    try:
        eventually("it listens", lambda: not LocalHost().can_bind("127.0.0.1", port))
        wrong = found(replay_framing(LocalHost(), base, None))
    finally:
        process.terminate()
        process.wait(10)
    assert wrong["a header of 40 kB"] == "200, left open"
    assert wrong["an address of 9 kB"] == "200, left open"
    assert wrong["two lengths"] == "400 in another shape, hung up"


class HastyRig(Rig):
    """Waits for headers a second, so that a test need not wait 15."""

    def write(self) -> str:
        generation = super().write()
        conf = Path(self.spec.conf_dir, "nginx.conf")
        text = conf.read_text()
        assert "client_header_timeout 15s;" in text
        conf.write_text(text.replace("client_header_timeout 15s;", "client_header_timeout 1s;"))
        return generation


def test_a_client_that_never_ends_its_header_is_hung_up_on() -> None:
    with tempfile.TemporaryDirectory() as name:  # pytest's own is closed to nginx's user
        Path(name).chmod(0o755)
        rig = HastyRig(Path(name), [Backend("qwen", free_port())])
        try:
            rig.start()
            assert found(replay_slow(LocalHost(), f"http://127.0.0.1:{rig.port}")) == {}
        finally:
            rig.stop()


def test_nobody_who_listens_is_an_error() -> None:
    with pytest.raises(HostError, match=r"cannot reach 127\.0\.0\.1:1: connection refused"):
        list(replay_framing(LocalHost(), "http://127.0.0.1:1", None))
