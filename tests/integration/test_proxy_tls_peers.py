"""A front tier speaks TLS with its hosts, and with nobody who does not prove who he is."""

import contextlib
import hashlib
import json
import shutil
import socket
import ssl
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from fakes.authority import Authority, TlsBackend
from fakes.nginx_rig import QWEN, Backend, Handler, Rig, connect, eventually, free_port, running
from fakes.traffic import Traffic
from lab import needs
from trtllm_install.model.installation import Tls

OUTSIDE: Final = "127.0.0.2"  # an address of this machine at which a proxy speaks TLS
NAME: Final = "gpu1.example"
KEY: Final = "sk-of-the-front-tier-0123456789abcdef"
ALL_PROTOCOLS: Final = 0x0003  # ETH_P_ALL
DOES_NOT_HOLD: Final = "its certificate does not hold: "


class Far(Backend):
    """A proxy of ours at another address, which runs already."""

    host = OUTSIDE
    tls_name = NAME

    def start(self) -> None:
        """Do nothing."""


@contextlib.contextmanager
def front_of(*backends: Backend, **changes: object) -> Iterator[Rig]:
    """Yield a front tier before these; which of them are healthy is for the test to see."""
    folder = Path(tempfile.mkdtemp(prefix="trtllm-front-"))
    folder.chmod(0o755)
    peers = {b.name: QWEN for b in backends if b.name != "qwen"}
    front = Rig(folder, backends, peers=peers, **changes)
    try:
        for backend in backends:
            backend.start()
        front.start()
        yield front
    finally:
        front.stop()
        for backend in backends:
            backend.stop()
        shutil.rmtree(folder)


def is_serving(front: Rig, name: str) -> bool:
    return front.status(name)["serving"]


@pytest.fixture(scope="module", name="folder")
def make_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="trtllm-tls-peers-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture(scope="module", name="ours")
def make_authority(folder: Path) -> Authority:
    return Authority(folder / "ours")


@pytest.fixture(scope="module", name="pair")
def make_pair(ours: Authority) -> Tls:
    return ours.sign(NAME)


def named(name: str, pair: Tls) -> TlsBackend:
    backend = TlsBackend(name, free_port(), pair)
    backend.tls_name = NAME
    return backend


@pytest.fixture(scope="module", name="host")
def start_host(folder: Path, pair: Tls) -> Iterator[Rig]:
    keys = folder / "keys"
    keys.write_text(f"front {hashlib.sha256(KEY.encode()).hexdigest()}\n")
    keys.chmod(0o644)
    with running("qwen", host=OUTSIDE, tls=pair, workers=2, keys_file=str(keys)) as rig:
        yield rig


@pytest.fixture(scope="module", name="front")
def start_front(folder: Path, host: Rig, ours: Authority) -> Iterator[Rig]:
    keys = folder / "peer-keys"
    keys.write_text(f"gpu1 {KEY}\n")
    keys.chmod(0o644)
    far = Far("gpu1", host.port)
    with front_of(far, peer_authority=str(ours.file), peer_keys_file=str(keys)) as front:
        eventually("the host is in rotation", lambda: is_serving(front, "gpu1"))
        yield front


def test_a_chat_goes_by_tls_and_shows_our_key_there(front: Rig, host: Rig) -> None:
    assert front.chat(QWEN).json == {"backend": "qwen"}
    with contextlib.closing(socket.create_connection((OUTSIDE, host.port), 10)) as plain:
        plain.sendall(b"GET /v1/models HTTP/1.1\r\nHost: x\r\n\r\n")
        assert plain.recv(100).startswith(b"HTTP/1.1 400"), "it speaks TLS alone"


def test_who_listens_on_the_way_hears_no_key(front: Rig) -> None:
    needs.require_root()  # to listen to every packet
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ALL_PROTOCOLS)) as way:
        way.bind(("lo", 0))
        way.setblocking(False)
        assert front.chat(QWEN).status == 200
        heard = []
        with contextlib.suppress(BlockingIOError):
            while True:
                heard.append(way.recv(70_000))
    assert QWEN.encode() in b"".join(heard), "of the client, which is on this machine"
    assert KEY.encode() not in b"".join(heard)


def test_a_stream_comes_through_as_it_is_made(front: Rig, host: Rig) -> None:
    go_on = threading.Event()

    def stream(request: Handler) -> None:
        request.start_stream()
        request.send_chunk(b"data: 1\n\n")
        assert go_on.wait(60)
        request.send_chunk(b"data: [DONE]\n\n")
        request.send_chunk(b"")

    backend = host.backends["qwen"]
    backend.answer = stream
    with contextlib.closing(connect(front.port, 60)) as connection:
        body = json.dumps({"model": QWEN, "stream": True})
        connection.request("POST", "/v1/chat/completions", body)
        answer = connection.getresponse()
        assert answer.read1() == b"data: 1\n\n"
        go_on.set()
        assert answer.read() == b"data: [DONE]\n\n"
    backend.answer = backend.say_name


def test_a_renewal_at_the_host_loses_no_request(front: Rig, host: Rig, ours: Authority) -> None:
    def shown() -> bytes:
        context = ssl.create_default_context(cafile=str(ours.file))
        plain = socket.create_connection((OUTSIDE, host.port), 10)
        with context.wrap_socket(plain, server_hostname=NAME) as client:
            return client.getpeercert(binary_form=True) or b""

    first, traffic, ended = shown(), Traffic(front.port, QWEN), threading.Event()

    def ask_on() -> None:
        while not ended.is_set():
            traffic.run(60, 6)

    load = threading.Thread(target=ask_on)
    load.start()
    ours.sign(NAME, into=host.spec.tls)
    eventually("the new certificate is shown", lambda: shown() != first, within=60)
    eventually("it serves alone", lambda: len(host.workers()) == 2, within=60)
    ended.set()
    load.join()
    assert set(traffic.outcomes) == {"answered"}
    assert is_serving(front, "gpu1")


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("authority", "unable to verify the first certificate"),
        ("name", "certificate host mismatch"),
        ("end", "certificate has expired"),
    ],
)
def test_who_does_not_prove_his_name_gets_nothing(
    folder: Path, ours: Authority, pair: Tls, fault: str, told: str
) -> None:
    wrong = {
        "authority": lambda: Authority(folder / "theirs").sign(NAME),
        "name": lambda: ours.sign("gpu9.example"),
        "end": lambda: ours.sign(NAME, days=-1),
    }[fault]()
    bad, good = named("gpu2", pair), named("gpu3", pair)
    keys = folder / "peer-keys-2"
    keys.write_text(f"gpu2 {KEY}\ngpu3 {KEY}\n")
    keys.chmod(0o644)
    with front_of(bad, good, peer_authority=str(ours.file), peer_keys_file=str(keys)) as front:
        eventually("both serve", lambda: is_serving(front, "gpu2") and is_serving(front, "gpu3"))
        bad.show(wrong)
        # No health check has found out yet: a request that meets it goes on to the other.
        replies = [front.chat(QWEN) for _ in range(6)]
        assert {reply.json.get("backend") for reply in replies} == {"gpu3"}
        known = lambda: front.status("gpu2")["detail"] == DOES_NOT_HOLD + told  # noqa: E731 (a word)
        eventually("it is known why", known)
        assert front.status("gpu2")["state"] == "down"
        assert f"no request goes to gpu2: {DOES_NOT_HOLD}{told}" in front.error_log()
        good.stop()
        eventually("nobody is left", lambda: front.ask("GET", "/health").status == 503)
        reply = front.chat(QWEN)
        assert (reply.status, reply.error["code"]) == (503, "model_unavailable")
    assert bad.seen == []
    assert good.asked_for == {NAME}
    assert {seen.headers["Authorization"] for seen in good.seen} == {f"Bearer {KEY}"}


def test_one_that_speaks_no_tls_gets_nothing(ours: Authority) -> None:
    plain = Backend("gpu2", free_port())
    plain.tls_name = NAME
    with front_of(plain, peer_authority=str(ours.file)) as front:
        eventually("it is known", lambda: "no TLS" in (front.status("gpu2")["detail"] or ""))
        assert front.chat(QWEN).status == 503
    assert plain.seen == []


def test_another_authority_is_taken_in_by_itself(folder: Path, pair: Tls, ours: Authority) -> None:
    trusted = folder / "trusted.pem"
    shutil.copy(Authority(folder / "before").file, trusted)
    backend = named("gpu2", pair)
    with front_of(backend, peer_authority=str(trusted)) as front:
        eventually("it is not trusted", lambda: front.status("gpu2")["detail"])
        draft = folder / "trusted.new"
        draft.write_text(trusted.read_text() + ours.file.read_text())
        draft.chmod(0o644)
        draft.replace(trusted)
        eventually("it is trusted", lambda: is_serving(front, "gpu2"), within=30)
        assert front.chat(QWEN).json == {"backend": "gpu2"}


def test_a_model_can_be_at_hosts_of_both_kinds(ours: Authority, pair: Tls) -> None:
    here, far = Backend("qwen", free_port()), named("gpu2", pair)
    with front_of(here, far, peer_authority=str(ours.file)) as front:
        eventually("both serve", lambda: is_serving(front, "gpu2") and is_serving(front, "qwen"))
        assert {front.chat(QWEN).json["backend"] for _ in range(8)} == {"qwen", "gpu2"}


@pytest.mark.parametrize("gone", ["qwen", "gpu2"])
def test_a_request_goes_on_to_a_host_of_the_other_kind(
    folder: Path, ours: Authority, pair: Tls, gone: str
) -> None:
    here, far = Backend("qwen", free_port()), named("gpu2", pair)
    keys = folder / "peer-keys-3"
    keys.write_text(f"gpu2 {KEY}\n")
    keys.chmod(0o644)
    with front_of(here, far, peer_authority=str(ours.file), peer_keys_file=str(keys)) as front:
        eventually("both serve", lambda: is_serving(front, "gpu2") and is_serving(front, "qwen"))
        front.backends[gone].stop()
        left = "qwen" if gone == "gpu2" else "gpu2"
        replies = [front.chat(QWEN, text="x" * size) for size in (1, 2_000_000, 1, 1)]
        assert [(reply.status, reply.json) for reply in replies] == [(200, {"backend": left})] * 4
        sizes = {len(seen.body) > 2_000_000 for seen in front.backends[left].seen}
        assert sizes == {False, True}, "bodies come whole"
        assert {seen.headers["Authorization"] for seen in here.seen} <= {None}
        front.backends[left].stop()
        reply = front.chat(QWEN)
        assert (reply.status, reply.error["code"]) == (503, "model_unavailable")
        assert [front.status(name)["in_flight"] for name in ("qwen", "gpu2")] == [0, 0]


@pytest.mark.parametrize("kinds", [("tls", "tls"), ("plain", "tls"), ("tls", "plain")])
def test_a_stored_response_is_found_wherever_it_is(
    ours: Authority, pair: Tls, kinds: tuple[str, ...]
) -> None:
    def knows(request: Handler) -> None:
        request.send(200, b'{"id":"resp_1"}')

    def knows_not(request: Handler) -> None:
        request.send(404, b'{"error":{"message":"no such response"}}')

    backends = [
        named(f"gpu{i}", pair) if kind == "tls" else Backend(f"gpu{i}", free_port())
        for i, kind in enumerate(kinds)
    ]
    with front_of(*backends, peer_authority=str(ours.file)) as front:
        for holder in backends:
            for backend in backends:
                backend.answer = knows if backend is holder else knows_not
            assert front.ask("GET", "/v1/responses/resp_1").json == {"id": "resp_1"}
        holder.answer = knows_not
        assert front.ask("GET", "/v1/responses/resp_1").status == 404
        for backend in backends:
            backend.stop()
        reply = front.ask("DELETE", "/v1/responses/resp_1")
        assert (reply.status, reply.error["code"]) == (503, "model_unavailable")
