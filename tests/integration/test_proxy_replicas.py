"""Several backends of one model: the least busy gets the request, a dead one costs nothing."""

import json
import socket
import threading
from collections.abc import Iterator

import pytest

from fakes.nginx_rig import QWEN, Backend, Handler, Rig, connect, eventually, running
from trtllm_install.model.clientkeys import mark_of
from trtllm_install.model.peerkeys import parse_peer_keys

OTHER = "nvidia/Only-There"


@pytest.fixture(name="rig")
def start_rig() -> Iterator[Rig]:
    with running("qwen", "gpu2", "gpu3", peers={"gpu2": QWEN, "gpu3": QWEN}) as rig:
        yield rig


def served_by(rig: Rig, times: int = 12, model: str = QWEN) -> list[str]:
    names = []
    for _ in range(times):
        reply = rig.chat(model)
        assert reply.status == 200, reply.body
        names.append(reply.json["backend"])
    return names


def state(rig: Rig, name: str) -> str:
    return rig.ask("GET", "/health").json["backends"][name]["state"]


def says(status: int, document: dict) -> object:
    return lambda request: request.send(status, json.dumps(document).encode())


def test_idle_backends_take_turns_and_an_alias_reaches_them_all(rig: Rig) -> None:
    assert set(served_by(rig)) == {"qwen", "gpu2", "gpu3"}
    assert set(served_by(rig, model="QWEN")) == {"qwen", "gpu2", "gpu3"}


def test_least_busy_backend_gets_the_next_request(rig: Rig) -> None:
    may_end = threading.Event()
    connections = []
    for name in ("qwen", "gpu3"):
        backend = rig.backends[name]

        def wait(request: Handler, backend: Backend = backend) -> None:
            assert may_end.wait(20)
            backend.say_name(request)

        backend.answer = wait
    while min(rig.status(name)["in_flight"] for name in ("qwen", "gpu3")) == 0:
        connection = connect(rig.port)
        connection.request("POST", "/v1/completions", json.dumps({"model": QWEN}))
        connections.append(connection)
        eventually(
            "it has arrived somewhere",
            lambda: sum(len(b.seen) for b in rig.backends.values()) == len(connections),
        )
    assert len(connections) <= 4, "two are held, and each of the others was tried once"
    assert set(served_by(rig)) == {"gpu2"}
    may_end.set()
    for connection in connections:
        assert connection.getresponse().status == 200
        connection.close()


def test_backend_that_nobody_listens_at_costs_no_request(rig: Rig) -> None:
    assert set(served_by(rig)) == {"qwen", "gpu2", "gpu3"}
    rig.backends["gpu2"].stop()
    rig.backends["gpu3"].stop()
    # A thread of the fake may still hold a kept connection: only new ones are refused.
    for backend in ("gpu2", "gpu3"):
        rig.backends[backend].answer = lambda request: request.connection.shutdown(socket.SHUT_RDWR)
    replies = [rig.chat(QWEN) for _ in range(12)]
    assert {r.json["backend"] for r in replies if r.status == 200} == {"qwen"}
    eventually("it is noticed", lambda: {state(rig, n) for n in ("gpu2", "gpu3")} == {"down"})
    assert set(served_by(rig)) == {"qwen"}
    assert all(rig.status(name)["in_flight"] == 0 for name in rig.backends)
    health = rig.ask("GET", "/health")
    assert (health.status, health.json["status"]) == (200, "degraded")
    rig.backends["gpu2"].answer = rig.backends["gpu2"].say_name
    rig.backends["gpu2"].start()
    eventually("it is back", lambda: state(rig, "gpu2") == "healthy")
    assert set(served_by(rig)) == {"qwen", "gpu2"}


def test_refused_connection_goes_on_to_the_next_backend() -> None:
    with running("qwen", "gpu2", peers={"gpu2": QWEN}, workers=2) as rig:
        rig.backends["gpu2"].stop()  # never asked before: there is no kept connection
        replies = [rig.chat(QWEN) for _ in range(6)]
        assert {r.json.get("backend") for r in replies} == {"qwen"}
        error = rig.status("gpu2")["last_error"]
        assert error is None or error["code"] == "refused", "the watcher may have been first"
        rig.backends["qwen"].stop()
        eventually("all are down", lambda: rig.ask("GET", "/health").status == 503)
        reply = rig.chat(QWEN)
        assert (reply.status, reply.error["code"]) == (503, "model_unavailable")
        eventually("counted out", lambda: rig.status("qwen")["in_flight"] == 0)
        assert rig.status("gpu2")["in_flight"] == 0


def test_request_that_has_reached_a_backend_is_never_sent_to_another(rig: Rig) -> None:
    for backend in rig.backends.values():
        backend.answer = lambda request: request.connection.shutdown(socket.SHUT_RDWR)
    reply = rig.chat(QWEN)
    assert (reply.status, reply.error["code"]) == (502, "backend_died")
    assert sum(len(backend.seen) for backend in rig.backends.values()) == 1


def test_peer_is_drained_by_its_name(rig: Rig) -> None:
    assert rig.admin("POST", "/-/drain?name=gpu2").json["draining"] is True
    assert set(served_by(rig)) == {"qwen", "gpu3"}
    assert rig.ask("GET", f"/readyz?model={QWEN}").status == 200
    assert rig.ask("GET", "/health").json["status"] == "degraded"
    rig.admin("POST", "/-/undrain?name=gpu2")
    assert set(served_by(rig)) == {"qwen", "gpu2", "gpu3"}


def test_peer_that_is_a_proxy_says_how_its_model_is() -> None:
    with running("qwen", "gpu2", peers={"gpu2": OTHER}) as rig:
        gpu2 = rig.backends["gpu2"]
        assert [card["id"] for card in rig.ask("GET", "/v1/models").json["data"]] == [QWEN, OTHER]
        assert rig.chat(OTHER).json == {"backend": "gpu2"}
        assert rig.status("gpu2")["peer"] == "gpu2"
        for document, status, state_now, code in (
            ({"status": "not_ready", "state": "loading"}, 503, "loading", "model_not_ready"),
            ({"status": "not_ready", "state": "draining"}, 503, "draining", "model_draining"),
            ({"error": {"code": "model_not_found"}}, 404, "down", "model_unavailable"),
            ({"status": "ready", "state": "busy"}, 200, "busy", None),
            ({"status": "not_ready", "state": "down"}, 503, "down", "model_unavailable"),
            ({"status": "ready", "state": "healthy"}, 200, "healthy", None),
        ):
            gpu2.ready = says(status, document)  # type: ignore[assignment]
            eventually(f"{document} is seen", lambda s=state_now: state(rig, "gpu2") == s)
            reply = rig.chat(OTHER)
            assert reply.status == (503 if code else 200)
            if code:
                assert reply.error["code"] == code
        assert rig.chat(QWEN).status == 200


def test_each_peer_gets_its_own_key_and_nobody_a_clients() -> None:
    with running("qwen", "gpu2", "gpu3", peers={"gpu2": QWEN, "gpu3": OTHER}) as rig:
        keys = rig.folder / "peer-keys"
        keys.write_text("# of this test\ngpu2 sk-two\n")
        keys.chmod(0o644)
        mark = lambda: rig.admin("GET", "/-/generation").json["peer_keys"]  # noqa: E731 (a word)
        assert mark() == ""
        rig.reload()
        wanted = mark_of(parse_peer_keys(keys.read_text(), ""))
        eventually("the key is in force", lambda: mark() == wanted)
        for model in (QWEN, QWEN, QWEN, OTHER):
            body = json.dumps({"model": model})
            headers = {"Authorization": "Bearer of-the-client"}
            assert rig.ask("POST", "/v1/completions", body.encode(), headers).status == 200
        sent = {
            name: {seen.headers["Authorization"] for seen in backend.seen}
            for name, backend in rig.backends.items()
        }
        assert sent == {"qwen": {None}, "gpu2": {"Bearer sk-two"}, "gpu3": {None}}
        assert "sk-two" not in rig.error_log()


def test_key_goes_to_the_peer_that_gets_the_request_in_the_end() -> None:
    with running("gpu2", "gpu3", peers={"gpu2": QWEN, "gpu3": QWEN}) as rig:
        keys = rig.folder / "peer-keys"
        keys.write_text("gpu2 sk-two\ngpu3 sk-three\n")
        keys.chmod(0o644)
        old = rig.workers()
        rig.reload()
        eventually("new workers serve", lambda: not set(old) & set(rig.workers()))
        rig.backends["gpu2"].stop()
        for _ in range(6):
            assert rig.chat(QWEN).status == 200
        sent = {seen.headers["Authorization"] for seen in rig.backends["gpu3"].seen}
        assert sent == {"Bearer sk-three"}


def test_front_without_a_model_of_its_own() -> None:
    with running("gpu2", "gpu3", peers={"gpu2": QWEN, "gpu3": QWEN}) as rig:
        assert set(served_by(rig)) == {"gpu2", "gpu3"}
        assert [card["id"] for card in rig.ask("GET", "/v1/models").json["data"]] == [QWEN]
        assert rig.chat("something-else").error["code"] == "model_not_found"
