"""Liveness on a clock of its own: who is killed, when, and who never is."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fakes.simulated_traffic import STEP_S, Job, World
from trtllm_install.launcher import admission
from trtllm_install.launcher.station import Verdict
from trtllm_install.model.liveness import DEFAULTS, Liveness

HALF_HOUR_S = 1800.0
CANARY_S = 60.0


@pytest.fixture(autouse=True)
def no_books(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(admission, "record_processes", lambda _station: None)
    return


def nobody(_now: float) -> list[Job]:
    return []


def every(seconds: float, job: Callable[[], Job], first: float = 1000.0) -> Any:
    """Return arrivals: one job each so many seconds."""

    def arrivals(now: float) -> list[Job]:
        before, after = (now - STEP_S - first) // seconds, (now - first) // seconds
        return [job() for _ in range(int(after - before))] if now > first else []

    return arrivals


SATURATED = every(0.5, lambda: Job(prefill_s=0.5, tokens=200, token_s=0.1))
SATURATED_WHOLE = every(0.5, lambda: Job(prefill_s=0.5, tokens=300, token_s=0.1, stream=False))
SLOW = every(100, lambda: Job(prefill_s=5, tokens=40, token_s=5.0))  # 0.2 tokens a second
LONG_PREFILL = every(300, lambda: Job(prefill_s=290, tokens=5, token_s=0.1))
LONG_PREFILL_WHOLE = every(1000, lambda: Job(prefill_s=990, tokens=5, token_s=0.1, stream=False))
BURSTS = every(400, lambda: Job(prefill_s=1, tokens=50, token_s=0.05))


@pytest.mark.parametrize("proxy", [True, False])
@pytest.mark.parametrize(
    ("slots", "arrivals"),
    [
        (8, SATURATED),
        (8, SATURATED_WHOLE),
        (1, SLOW),
        (1, LONG_PREFILL),
        (1, LONG_PREFILL_WHOLE),
        (4, BURSTS),
        (4, nobody),
    ],
    ids=["saturated", "saturated-whole", "slow", "long-prefill", "whole-prefill", "bursts", "idle"],
)
def test_half_an_hour_of_hard_work_is_never_death(slots: int, arrivals: Any, proxy: bool) -> None:
    world = World(slots=slots, arrivals=arrivals, proxy=proxy)
    world.run_for(HALF_HOUR_S)  # raises Verdict where it would kill
    assert "suspect" not in world.states


def time_to_death(world: World, limit_s: float = 4000.0) -> tuple[float, Verdict]:
    began = world.now
    with pytest.raises(Verdict) as caught:
        world.run_for(limit_s)
    assert caught.value.code == 82
    return world.now - began, caught.value


def test_an_idle_hang_is_found_within_the_canary_interval_and_35_seconds() -> None:
    world = World(slots=4, arrivals=nobody)
    world.run_for(150)
    world.hung = True
    seconds, verdict = time_to_death(world)
    assert seconds <= CANARY_S + 35
    assert "no answer to /health_generate" in verdict.reason


@pytest.mark.parametrize("proxy", [True, False])
def test_a_hang_under_traffic_is_found_although_requests_keep_coming(proxy: bool) -> None:
    world = World(slots=8, arrivals=SATURATED, proxy=proxy)
    world.run_for(300)
    world.hung = True
    seconds, _ = time_to_death(world)
    assert 90 < seconds <= CANARY_S + 3 * (100 if proxy else 30) + 20


def test_a_lost_worker_under_traffic_is_found_in_half_a_minute() -> None:
    world = World(slots=8, arrivals=SATURATED)
    world.run_for(300)
    world.hung = world.lost = True
    assert time_to_death(world)[0] <= 35


def test_a_process_that_ends_without_harm_costs_one_canary() -> None:
    world = World(slots=4, arrivals=nobody)
    world.run_for(10)
    world.lost = True
    world.run_for(10)
    assert world.canaries == 1
    assert world.record.state == "healthy"


def test_a_thread_that_spins_in_a_dead_engine_ends_its_excuse() -> None:
    world = World(slots=8, arrivals=SATURATED)
    world.run_for(300)
    world.hung = world.spins = True
    seconds, verdict = time_to_death(world)
    assert HALF_HOUR_S < seconds <= HALF_HOUR_S + CANARY_S + 200
    assert "given nobody a token" in verdict.reason


def test_lines_alone_do_not_spare_a_dead_engine_the_canary() -> None:
    world = World(slots=8, arrivals=nobody, liveness=Liveness(busy_s=400))
    world.run_for(100)
    world.hung = world.chatters = True
    assert time_to_death(world)[0] <= 300 + 400 + 2 * CANARY_S


def test_an_engine_that_refuses_for_a_minute_is_dead_and_one_that_gives_tokens_is_not() -> None:
    world = World(slots=4, arrivals=nobody)
    world.refuses = 503
    assert 60 <= time_to_death(world)[0] <= 80
    world = World(slots=4, arrivals=every(2, lambda: Job(tokens=10, token_s=0.1)))
    world.run_for(20)
    world.refuses = 503  # to probes; its other clients go on
    world.run_for(300)


def test_an_engine_in_use_gets_no_canary() -> None:
    world = World(slots=8, arrivals=every(10, lambda: Job(tokens=50, token_s=0.1)))
    world.run_for(HALF_HOUR_S)
    assert world.canaries == 0


def test_without_a_proxy_lines_spare_it_the_canary_for_five_minutes_at_most() -> None:
    world = World(slots=8, arrivals=nobody, proxy=False)
    world.chatters = True
    world.run_for(HALF_HOUR_S)
    assert 5 <= world.canaries <= 6


def test_busy_ends_when_tokens_flow_again() -> None:
    long = every(1500, lambda: Job(prefill_s=200, tokens=5000, token_s=0.1), first=-499.0)
    world = World(slots=1, arrivals=long)
    world.run_for(100)
    assert world.record.state == "busy"
    assert world.said.startswith("busy, last token ")
    world.run_for(400)
    assert world.record.state == "healthy"


def test_the_document_has_every_threshold_with_its_value() -> None:
    text = (Path(__file__).parents[3] / "docs/reference/launcher.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| ([\d.]+) \|$", text, re.MULTILINE)
    documented = {name: float(value) for name, value in rows if name in DEFAULTS}
    assert documented == dict(DEFAULTS)
