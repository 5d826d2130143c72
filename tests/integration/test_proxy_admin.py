"""Draining, status and the proof of a reload, on a socket for this machine only."""

import dataclasses
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes.nginx_rig import Handler, Rig, connect, eventually, running
from trtllm_install.launcher.drain import parse_traffic


@pytest.fixture(name="rig")
def start_rig() -> Iterator[Rig]:
    with running("qwen", "nemotron") as rig:
        yield rig


def test_drained_backend_gets_no_new_requests_until_undrained(rig: Rig) -> None:
    may_end = threading.Event()

    def stream(request: Handler) -> None:
        request.start_stream()
        request.send_chunk(b"data: 1\n\n")
        assert may_end.wait(10)
        request.send_chunk(b"")

    rig.backends["qwen"].answer = stream
    connection = connect(rig.port)
    connection.request("POST", "/v1/completions", b'{"model":"qwen"}')
    response = connection.getresponse()
    assert response.read1() == b"data: 1\n\n"

    drained = rig.admin("POST", "/-/drain?name=qwen")
    assert drained.json == {"name": "qwen", "draining": True, "in_flight": 1}
    reply = rig.chat("qwen")
    assert reply.status == 503
    assert reply.error["code"] == "model_draining"
    assert reply.headers["Retry-After"]
    assert reply.headers["x-should-retry"] == "true"
    assert rig.chat("nemotron").status == 200
    health = rig.ask("GET", "/health")
    assert health.status == 503
    assert health.json["backends"]["qwen"]["state"] == "draining"

    may_end.set()
    assert response.read() == b"", "the running stream ends as it should"
    connection.close()
    eventually("nothing is left", lambda: rig.status("qwen")["in_flight"] == 0)
    assert rig.status("qwen")["draining"] is True

    rig.backends["qwen"].answer = rig.backends["qwen"].say_name
    assert rig.admin("POST", "/-/undrain?name=qwen").json["draining"] is False
    assert rig.chat("qwen").status == 200


def test_drain_outlives_the_watchers_ticks_and_a_reload(rig: Rig) -> None:
    rig.admin("POST", "/-/drain?name=qwen")
    old = rig.workers()
    rig.reload()
    eventually("new workers serve", lambda: rig.workers() and not set(old) & set(rig.workers()))
    rig.set_state("nemotron", "busy")  # once the watcher has seen it, it has ticked
    eventually("a tick", lambda: rig.status("nemotron")["state"] == "busy")
    assert rig.chat("qwen").error["code"] == "model_draining"


def test_generation_proves_that_new_workers_serve_the_new_routes(rig: Rig) -> None:
    first = rig.admin("GET", "/-/generation").json["generation"]
    upstreams = (
        dataclasses.replace(rig.spec.upstreams[0], contains=("qwen", "kappa")),
        rig.spec.upstreams[1],
    )
    assert rig.chat("kappa").status == 404
    rig.spec = dataclasses.replace(rig.spec, upstreams=upstreams)
    second = rig.write()
    assert second != first
    assert rig.admin("GET", "/-/generation").json["generation"] == first
    rig.reload()
    eventually(
        "the new generation answers",
        lambda: rig.admin("GET", "/-/generation").json["generation"] == second,
    )
    assert rig.chat("kappa").json == {"backend": "qwen"}
    assert rig.ask("GET", "/health").status == 200


def test_stream_outlives_a_reload_and_stays_counted(rig: Rig) -> None:
    may_end = threading.Event()

    def stream(request: Handler) -> None:
        request.start_stream()
        request.send_chunk(b"data: 1\n\n")
        assert may_end.wait(10)
        request.send_chunk(b"data: 2\n\n")
        request.send_chunk(b"")

    rig.backends["qwen"].answer = stream
    connection = connect(rig.port)
    connection.request("POST", "/v1/completions", b'{"model":"qwen"}')
    response = connection.getresponse()
    assert response.read1() == b"data: 1\n\n"
    old = rig.workers()
    rig.reload()
    eventually("a new worker has started", lambda: set(rig.workers()) - set(old))
    assert rig.status("qwen")["in_flight"] == 1
    may_end.set()
    assert response.read() == b"data: 2\n\n"
    connection.close()
    eventually("counted out by the old worker", lambda: rig.status("qwen")["in_flight"] == 0)


def test_broken_configuration_leaves_the_old_one_serving(rig: Rig) -> None:
    first = rig.admin("GET", "/-/generation").json["generation"]
    conf = Path(rig.spec.conf_dir, "nginx.conf")
    conf.write_text(conf.read_text().replace("worker_processes", "worker_prozesses"))
    old = rig.workers()
    rig.reload()
    eventually("nginx has complained", lambda: "worker_prozesses" in rig.error_log())
    assert rig.workers() == old
    assert rig.admin("GET", "/-/generation").json["generation"] == first
    assert rig.chat("qwen").status == 200


def test_admin_refuses_what_it_does_not_know(rig: Rig) -> None:
    assert rig.admin("POST", "/-/drain?name=llama").error["code"] == "backend_not_found"
    assert rig.admin("POST", "/-/drain").status == 404
    assert rig.admin("GET", "/-/drain?name=qwen").status == 405
    assert rig.admin("GET", "/v1/models").status == 404
    assert rig.status("qwen")["draining"] is False


def test_admin_socket_is_closed_to_other_users(rig: Rig) -> None:
    mode = stat.S_IMODE(Path(rig.spec.admin_socket).stat().st_mode)
    assert mode == 0o600


def test_status_tells_state_and_since_when(rig: Rig) -> None:
    before = rig.status("qwen")["changed"]
    assert rig.status("qwen")["state"] == "healthy"
    rig.set_state("qwen", "busy", status="prefill")
    eventually("the change is seen", lambda: rig.status("qwen")["state"] == "busy")
    now = rig.status("qwen")
    assert now["detail"] == "prefill"
    assert now["changed"] > before


def test_status_tells_when_the_backend_last_sent_bytes_and_failed(rig: Rig) -> None:
    fresh = rig.status("qwen")
    assert (fresh["last_bytes"], fresh["last_error"]) == (None, None), "health checks do not count"
    before = int(time.time())
    assert rig.chat("qwen").status == 200
    assert before <= rig.status("qwen")["last_bytes"] <= time.time()
    assert rig.status("nemotron")["last_bytes"] is None
    rig.backends["nemotron"].stop()
    assert rig.chat("nemotron").error["code"] == "model_unavailable"
    error = rig.status("nemotron")["last_error"]
    assert error is None or error["code"] == "refused", "the watcher may have noticed first"


def test_the_launcher_reads_what_the_proxy_says_of_its_traffic(rig: Rig) -> None:
    def refuse(request: Handler) -> None:
        request.send(500, b"{}")

    rig.backends["qwen"].answer = refuse
    assert rig.chat("qwen").status == 500
    traffic = parse_traffic(rig.admin("GET", "/-/status").body, "qwen", time.time())
    assert traffic is not None
    assert (traffic.in_flight, traffic.silent_s) == (0, None), "an error is no token"

    rig.backends["qwen"].answer = rig.backends["qwen"].say_name
    assert rig.chat("qwen").status == 200
    traffic = parse_traffic(rig.admin("GET", "/-/status").body, "qwen", time.time())
    assert traffic is not None
    assert traffic.silent_s is not None
    assert 0 <= traffic.silent_s < 10
