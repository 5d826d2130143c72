"""A limit holds, what waits is served fairly, and a place is free as soon as its client leaves."""

import http.client
import os
import signal
import socket
import threading
from collections.abc import Iterator

import pytest

from fakes.nginx_rig import QWEN, Backend, Handler, Rig, Seen, connect, eventually, running


class Gate:
    """Lets the requests at a backend end one by one."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._tickets = threading.Semaphore(0)
        self.now, self.most = 0, 0
        self._lock = threading.Lock()
        backend.answer = self._answer

    def _answer(self, request: Handler) -> None:
        with self._lock:
            self.now += 1
            self.most = max(self.most, self.now)
        passed = self._tickets.acquire(timeout=30)
        with self._lock:
            self.now -= 1
        if passed:
            self._backend.say_name(request)

    def open(self, places: int = 1) -> None:
        self._tickets.release(places)


def post(rig: Rig, who: str = "127.0.0.1", mark: str = "") -> http.client.HTTPConnection:
    """Send a request from an address of its own and do not wait for the answer."""
    connection = connect(rig.port, timeout=30)
    connection.source_address = (who, 0)
    headers = {"X-Request-Id": mark} if mark else {}
    connection.request("POST", "/v1/completions", f'{{"model":"{QWEN}"}}', headers)
    return connection


def waiting(rig: Rig) -> int:
    return rig.admin("GET", "/-/status").json["models"][QWEN]["waiting"]


def marks(seen: list[Seen]) -> list[str]:
    return [request.headers["X-Request-Id"] for request in seen]


@pytest.fixture(name="rig", params=[1, 3], ids=["one-worker", "three-workers"])
def start_rig(request: pytest.FixtureRequest) -> Iterator[Rig]:
    with running("qwen", limits={"qwen": 2}, queue=6, wait_s=20, workers=request.param) as rig:
        yield rig


def test_limit_holds_and_everyone_is_served(rig: Rig) -> None:
    gate = Gate(rig.backends["qwen"])
    connections = [post(rig) for _ in range(8)]
    eventually("six wait", lambda: waiting(rig) == 6)
    assert rig.status("qwen")["in_flight"] == 2
    eventually("two are there", lambda: gate.now == 2)
    gate.open(8)
    for connection in connections:
        assert connection.getresponse().status == 200
        connection.close()
    assert gate.most == 2
    eventually("all are counted out", lambda: rig.status("qwen")["in_flight"] == 0)
    assert waiting(rig) == 0


def test_full_line_refuses_at_once_and_says_when_to_come_back(rig: Rig) -> None:
    gate = Gate(rig.backends["qwen"])
    connections = [post(rig) for _ in range(8)]
    eventually("the line is full", lambda: waiting(rig) == 6)
    reply = rig.chat(QWEN)
    assert reply.status == 429
    assert (reply.error["type"], reply.error["code"]) == ("rate_limit_error", "queue_full")
    assert 1000 <= int(reply.headers["retry-after-ms"]) <= 60_000
    assert 1 <= int(reply.headers["Retry-After"]) <= 60
    assert reply.headers["x-should-retry"] == "true"
    gate.open(8)
    assert {c.getresponse().status for c in connections} == {200}


def test_client_that_leaves_the_line_frees_its_place(rig: Rig) -> None:
    gate = Gate(rig.backends["qwen"])
    served = [post(rig) for _ in range(2)]
    eventually("both are there", lambda: gate.now == 2)
    leaving = [post(rig, mark=f"leaves-{i}") for i in range(5)]
    staying = post(rig, mark="stays")
    eventually("they wait", lambda: waiting(rig) == 6)
    for i, connection in enumerate(leaving):
        if i % 2:
            connection.close()
        else:
            connection.sock.shutdown(socket.SHUT_WR)  # half of it is enough
    eventually("they are forgotten", lambda: waiting(rig) == 1)
    gate.open(3)
    for connection in (*served, staying):
        assert connection.getresponse().status == 200
    assert not [m for m in marks(rig.backends["qwen"].seen) if m.startswith("leaves")]
    eventually("all are counted out", lambda: rig.status("qwen")["in_flight"] == 0)


def test_client_that_leaves_the_backend_lets_the_next_one_in(rig: Rig) -> None:
    gate = Gate(rig.backends["qwen"])
    first = [post(rig) for _ in range(2)]
    eventually("both are there", lambda: gate.now == 2)
    next_one = post(rig, mark="next")
    eventually("it waits", lambda: waiting(rig) == 1)
    first[0].close()
    eventually("it is let in", lambda: "next" in marks(rig.backends["qwen"].seen))
    gate.open(3)
    assert next_one.getresponse().status == 200


def test_one_client_cannot_keep_the_others_out(rig: Rig) -> None:
    gate = Gate(rig.backends["qwen"])
    first = [post(rig, "127.0.0.2") for _ in range(2)]
    eventually("both are there", lambda: gate.now == 2)
    many = []
    for i in range(4):
        many.append(post(rig, "127.0.0.2", f"many-{i}"))
        eventually("it waits", lambda i=i: waiting(rig) == i + 1)
    few = [post(rig, "127.0.0.3", "few")]
    eventually("it waits", lambda: waiting(rig) == 5)
    for place in range(5):
        gate.open()
        eventually("one more is let in", lambda p=place: len(rig.backends["qwen"].seen) == p + 3)
    order = marks(rig.backends["qwen"].seen)[2:]
    assert order.index("few") <= 1, order
    mine = [mark for mark in order if mark.startswith("many")]
    assert mine == sorted(mine), "first come, first served"
    gate.open(2)
    assert {c.getresponse().status for c in (*first, *many, *few)} == {200}


def test_wait_has_an_end() -> None:
    with running("qwen", limits={"qwen": 1}, queue=4, wait_s=1) as rig:
        gate = Gate(rig.backends["qwen"])
        first = post(rig)
        eventually("it is there", lambda: gate.now == 1)
        for _ in range(4):  # the last look may come a part of a millisecond before the end
            reply = rig.chat(QWEN)
            assert (reply.status, reply.error["code"]) == (429, "queue_timeout")
        assert waiting(rig) == 0
        gate.open()
        assert first.getresponse().status == 200


def test_full_line_gives_the_last_place_of_the_greediest_to_another() -> None:
    with running("qwen", limits={"qwen": 1}, queue=3, wait_s=20) as rig:
        gate = Gate(rig.backends["qwen"])
        greedy = [post(rig, "127.0.0.2")]
        eventually("it is there", lambda: gate.now == 1)
        for i in range(3):
            greedy.append(post(rig, "127.0.0.2"))
            eventually("it waits", lambda i=i: waiting(rig) == i + 1)
        other = post(rig, "127.0.0.3")
        assert greedy[-1].getresponse().status == 429
        gate.open(4)
        assert {c.getresponse().status for c in (*greedy[:-1], other)} == {200}


def test_line_of_a_drained_or_dead_backend_is_sent_away(rig: Rig) -> None:
    gate = Gate(rig.backends["qwen"])
    first = [post(rig) for _ in range(2)]
    eventually("both are there", lambda: gate.now == 2)
    line = [post(rig) for _ in range(3)]
    eventually("they wait", lambda: waiting(rig) == 3)
    rig.admin("POST", "/-/drain?name=qwen")
    assert {c.getresponse().status for c in line} == {503}
    gate.open(2)
    assert {c.getresponse().status for c in first} == {200}
    assert waiting(rig) == 0


def test_killed_worker_takes_neither_places_nor_waiters_with_it(rig: Rig) -> None:
    gate = Gate(rig.backends["qwen"])
    lost = [post(rig) for _ in range(5)]
    eventually("they wait", lambda: waiting(rig) == 3)
    for pid in rig.workers():
        os.kill(pid, signal.SIGKILL)
    eventually("there are new workers", rig.is_alive)
    eventually("nobody waits", lambda: waiting(rig) == 0)
    eventually("no place is taken", lambda: rig.status("qwen")["in_flight"] == 0)
    gate.open(20)
    assert [rig.chat(QWEN).status for _ in range(4)] == [200] * 4
    for connection in lost:
        connection.close()


def test_line_outlives_a_reload(rig: Rig) -> None:
    gate = Gate(rig.backends["qwen"])
    connections = [post(rig) for _ in range(6)]
    eventually("they wait", lambda: waiting(rig) == 4)
    old = rig.workers()
    rig.reload()
    eventually("new workers serve", lambda: bool(set(rig.workers()) - set(old)))
    gate.open(7)
    assert {c.getresponse().status for c in connections} == {200}
    for connection in connections:
        connection.close()
    assert rig.chat(QWEN).status == 200
    eventually("all are counted out", lambda: rig.status("qwen")["in_flight"] == 0)


def test_places_of_all_backends_of_a_model_are_used() -> None:
    with running(
        "qwen", "gpu2", peers={"gpu2": QWEN}, limits={"qwen": 1, "gpu2": 2}, queue=4, wait_s=20
    ) as rig:
        gates = [Gate(backend) for backend in rig.backends.values()]
        connections = [post(rig) for _ in range(5)]
        eventually("two wait", lambda: waiting(rig) == 2)
        assert [rig.status(name)["in_flight"] for name in ("qwen", "gpu2")] == [1, 2]
        eventually("all are there", lambda: sum(gate.now for gate in gates) == 3)
        for gate in gates:
            gate.open(5)
        assert {c.getresponse().status for c in connections} == {200}
        assert [gate.most for gate in gates] == [1, 2]
