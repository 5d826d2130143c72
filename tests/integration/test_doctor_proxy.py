"""`doctor proxy` against a real proxy: with and without keys, and one that answers wrongly."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from fakes.nginx_rig import NEMOTRON, QWEN, Rig, eventually, running
from trtllm_install.app import doctor_proxy
from trtllm_install.app.doctor_proxy import replay
from trtllm_install.host.local import LocalHost
from trtllm_install.model import layout

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
    assert len(cases) > 15
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
