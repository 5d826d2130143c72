"""Keys: who may ask, and how they come and go without a lost request."""

import hashlib
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes.nginx_rig import QWEN, Rig, eventually, running
from fakes.traffic import Traffic
from trtllm_install.model.clientkeys import mark_of, parse_keys

ALICE, BOB = "sk-trtllm-alice-0123456789", "sk-trtllm-bob-9876543210"


def line(name: str, key: str) -> str:
    return f"{name} {hashlib.sha256(key.encode()).hexdigest()}\n"


def write_keys(rig: Rig, text: str) -> None:
    target = Path(rig.spec.keys_file)
    draft = target.with_suffix(".new")
    draft.write_text(text)
    draft.chmod(0o644)
    draft.rename(target)


def mark(rig: Rig) -> str:
    return str(rig.admin("GET", "/-/generation").json["keys"])


def reload_keys(rig: Rig, text: str) -> None:
    write_keys(rig, text)
    rig.reload()
    wanted = mark_of(parse_keys(text, rig.spec.keys_file))
    eventually("the keys are in force", lambda: mark(rig) == wanted)


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


BOTH = "# keys of this test\n" + line("alice", ALICE) + line("bob", BOB)


@pytest.fixture(scope="module", name="running_rig")
def start_rig() -> Iterator[Rig]:
    with running("qwen") as rig:
        yield rig


@pytest.fixture(name="rig")
def rig_with_keys(running_rig: Rig) -> Rig:
    """Return the rig with both keys in force, whatever the test before has left."""
    write_keys(running_rig, BOTH)
    if mark(running_rig) != mark_of(parse_keys(BOTH, "")):
        reload_keys(running_rig, BOTH)
    return running_rig


CHAT = {"model": QWEN, "messages": []}


@pytest.mark.parametrize(
    "headers",
    [
        {},
        bearer("wrong"),
        bearer(ALICE[:-1]),
        bearer(ALICE + "x"),
        bearer(""),
        bearer(ALICE + " " + BOB),
        {"Authorization": ALICE},
        {"Authorization": f"Basic {ALICE}"},
        bearer("x" * 4000),
        bearer(hashlib.sha256(ALICE.encode()).hexdigest()),
        bearer("trtllm-local-guess"),
    ],
)
def test_without_a_known_key_it_is_a_401_and_no_backend_hears_of_it(
    rig: Rig, headers: dict[str, str]
) -> None:
    seen = len(rig.backends["qwen"].seen)
    for method, path, body in (
        ("POST", "/v1/chat/completions", CHAT),
        ("GET", "/v1/models", None),
        ("GET", f"/v1/models/{QWEN}", None),
        ("GET", "/v1/responses/resp_1", None),
        ("GET", "/overview.json", None),
        ("GET", "/unknown", None),
    ):
        reply = rig.ask(method, path, body, headers)
        assert (reply.status, reply.error["code"]) == (401, "invalid_api_key"), path
        assert reply.headers["WWW-Authenticate"] == 'Bearer realm="trtllm"'
        assert reply.error["type"] == "invalid_request_error"
    assert len(rig.backends["qwen"].seen) == seen


@pytest.mark.parametrize(("name", "key"), [("alice", ALICE), ("bob", BOB)])
def test_a_key_opens_and_its_name_is_in_the_log_and_the_key_nowhere(
    rig: Rig, name: str, key: str
) -> None:
    reply = rig.ask("POST", "/v1/chat/completions", CHAT, bearer(key))
    assert reply.status == 200
    assert rig.backends["qwen"].seen[-1].headers["Authorization"] is None
    request = reply.headers["X-Request-Id"]
    eventually("the request is logged", lambda: any(e["id"] == request for e in rig.access_log()))
    assert [e["key"] for e in rig.access_log() if e["id"] == request] == [name]
    assert key not in Path(rig.spec.access_log).read_text() + rig.error_log()


def test_health_is_open_and_says_only_states(rig: Rig) -> None:
    rig.set_state("qwen", "loading", status="reading shards of /secret/folder")
    eventually("it loads", lambda: rig.ask("GET", "/health").status == 503)
    assert b"secret" not in rig.ask("GET", "/health").body
    assert b"secret" in rig.ask("GET", "/health", None, bearer(ALICE)).body
    assert rig.ask("GET", "/readyz?model=qwen").status == 503
    assert rig.ask("GET", "/livez").status == 200
    assert rig.ask("GET", "/").status == 200  # the page, which asks for the key itself
    rig.set_state("qwen", "healthy")
    eventually("it is healthy", lambda: rig.ask("GET", "/health").status == 200)


def test_a_request_that_is_not_http_is_still_a_400(rig: Rig) -> None:
    reply = rig.ask("GET", "/%zz")
    assert (reply.status, reply.error["code"]) == (400, "bad_request")


def test_the_host_gets_a_key_of_its_own_from_the_admin_socket(rig: Rig) -> None:
    key = rig.admin("GET", "/-/key").json["key"]
    assert rig.ask("GET", "/v1/models", None, bearer(key)).status == 200


def test_a_key_comes_and_another_goes_and_no_request_is_lost(rig: Rig) -> None:
    done = threading.Event()
    traffic = Traffic(rig.port, "qwen", bearer(ALICE))
    worker = threading.Thread(target=traffic.run_until, args=(done,))
    worker.start()
    try:
        reload_keys(rig, line("alice", ALICE) + line("carol", "sk-carol"))
    finally:
        done.set()
        worker.join()
    assert "answered" in traffic.outcomes
    assert set(traffic.outcomes) <= {"answered", "answered on a new connection"}
    assert rig.ask("GET", "/v1/models", None, bearer("sk-carol")).status == 200
    assert rig.ask("GET", "/v1/models", None, bearer(BOB)).status == 401


def test_a_damaged_file_changes_nothing(rig: Rig) -> None:
    before = mark(rig)
    workers = rig.workers()
    write_keys(rig, line("alice", ALICE) + "mallory 1234\n")
    rig.reload()
    eventually("nginx has refused it", lambda: "not NAME HEX" in rig.error_log())
    assert (mark(rig), rig.workers()) == (before, workers)
    assert rig.ask("GET", "/v1/models", None, bearer(BOB)).status == 200


def test_an_empty_file_lets_nobody_in_and_no_file_everybody(rig: Rig) -> None:
    reload_keys(rig, "")
    assert rig.ask("GET", "/v1/models", None, bearer(ALICE)).status == 401
    Path(rig.spec.keys_file).unlink()
    rig.reload()
    eventually("nobody is asked", lambda: mark(rig) == "")
    assert rig.ask("GET", "/v1/models").status == 200
    assert rig.admin("GET", "/-/key").json["key"] is None


def test_metrics_ask_for_a_key_and_tell_keys_apart_by_name(rig: Rig) -> None:
    assert rig.ask("GET", "/metrics").status == 401
    body = json.dumps({"model": QWEN}).encode()
    for key in (ALICE, ALICE, BOB):
        assert rig.ask("POST", "/v1/completions", body, bearer(key)).status == 200
    text = rig.ask("GET", "/metrics", None, bearer(BOB)).body.decode()
    series = f'trtllm_proxy_requests_total{{model="{QWEN}",status="200",client='
    counts = {
        line.removeprefix(series).split('"')[1]: int(line.split()[-1])
        for line in text.splitlines()
        if line.startswith(series)
    }
    assert counts["alice"] >= 2
    assert counts["bob"] >= 1
    assert ALICE not in text
    assert rig.admin("GET", "/metrics").status == 200, "the socket needs none"
