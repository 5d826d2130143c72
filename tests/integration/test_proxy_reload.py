"""A reload under load: proved by the generation, loses no request and cuts no stream.

TRTLLM_RELOAD_REQUESTS=10000 makes the whole run; its figures are in BENCHMARKS.md.
"""

import dataclasses
import json
import os
import threading
from collections import Counter
from typing import Final

import pytest

from fakes.nginx_rig import QWEN, Backend, Handler, Rig, connect, eventually, running
from fakes.traffic import Traffic

REQUESTS: Final = int(os.environ.get("TRTLLM_RELOAD_REQUESTS", "600"))
CLIENTS: Final = 6
EVENTS: Final = 5


def reload_proved(rig: Rig, number: int) -> None:
    """Change the routes, reload, and wait for the new generation."""
    first = dataclasses.replace(rig.spec.upstreams[0], contains=("qwen", f"reload-{number}"))
    rig.spec = dataclasses.replace(rig.spec, upstreams=(first, *rig.spec.upstreams[1:]))
    generation = rig.write()
    rig.reload()
    eventually(
        "the new generation answers",
        lambda: rig.admin("GET", "/-/generation").json["generation"] == generation,
        within=60,
    )
    # What has been promised: every request from now on meets it.
    assert rig.chat(f"reload-{number}").status == 200


@pytest.mark.parametrize("workers", [1, 2])
def test_reloads_under_load_lose_nothing_and_run_nothing_twice(workers: int) -> None:
    with running("qwen", "nemotron", workers=workers, first_byte_s=600) as rig:
        go_on = threading.Event()

        def stream(request: Handler) -> None:
            request.start_stream()
            for i in range(EVENTS - 1):
                request.send_chunk(b"data: %d\n\n" % i)
            assert go_on.wait(120)
            request.send_chunk(b"data: [DONE]\n\n")
            request.send_chunk(b"")

        rig.backends["nemotron"].answer = stream
        connection = connect(rig.port, timeout=120)
        connection.request("POST", "/v1/chat/completions", b'{"model":"nemotron","stream":true}')
        response = connection.getresponse()
        assert response.read1()

        traffic = Traffic(rig.port, "qwen")
        load = threading.Thread(target=traffic.run, args=(REQUESTS, CLIENTS))
        load.start()
        reloads = 0
        while load.is_alive() or reloads < 2:
            reload_proved(rig, reloads)
            reloads += 1
        load.join()
        assert set(traffic.outcomes) <= {"answered", "answered on a new connection"}
        assert sum(traffic.outcomes.values()) == REQUESTS
        bodies = [json.loads(seen.body) for seen in rig.backends["qwen"].seen]
        runs = Counter(body["number"] for body in bodies if "number" in body)
        assert set(runs.values()) == {1}, "what was sent again had not been read"
        assert len(runs) == REQUESTS

        assert rig.status("nemotron")["in_flight"] == 1, "the stream has outlived every reload"
        go_on.set()
        assert response.read().endswith(b"data: [DONE]\n\n")
        connection.close()
        eventually("all are counted out", lambda: rig.status("nemotron")["in_flight"] == 0)
        eventually("old workers have gone", lambda: len(rig.workers()) == workers, within=30)
        figures = f"{workers} workers, {reloads} reloads, {dict(traffic.outcomes)}"
        print(f"\n{figures}")  # noqa: T201 (for BENCHMARKS.md)


def test_reloads_behind_a_front_tier_lose_nothing() -> None:
    # An old worker closes the connections that are idle, also one that a request is about
    # to come on; a front tier may not send that request again, as it may have been run.
    with running("qwen", workers=2) as host:
        folder = host.folder / "front"
        folder.mkdir(mode=0o755)
        front = Rig(folder, [Backend("gpu1", host.port)], peers={"gpu1": QWEN})
        try:
            front.start()
            eventually("it is in rotation", lambda: front.ask("GET", "/health").status == 200)
            traffic = Traffic(front.port, QWEN)
            load = threading.Thread(target=traffic.run, args=(REQUESTS, CLIENTS))
            load.start()
            reloads = 0
            while load.is_alive() or reloads < 2:
                reload_proved(host, reloads)
                reloads += 1
            load.join()
            assert traffic.outcomes == {"answered": REQUESTS}, f"{reloads} reloads"
        finally:
            front.stop()
