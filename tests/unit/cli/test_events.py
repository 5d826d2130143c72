"""What happens, as values."""

from typing import TYPE_CHECKING

import pytest

from trtllm_install.app.reporter import Live
from trtllm_install.cli import events
from trtllm_install.cli.events import EventReporter
from trtllm_install.cli.moment import moment

if TYPE_CHECKING:
    from collections.abc import Mapping


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


def test_a_load_says_how_far_it_is_once_a_second_and_a_state_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock()
    monkeypatch.setattr(events, "time", clock)
    told: list[Mapping[str, object]] = []
    reporter = EventReporter(told.append)
    for tenth in range(25):
        clock.now = 100 + tenth / 10
        reporter.live([Live(name="qwen", state="loading", status=f"shard {tenth}")])
    reporter.live([Live(name="qwen", state="warming", status="shard 24")])
    reporter.live([Live(name="qwen", state="warming", status="shard 24")])
    said = [e["instance"] for e in told]
    assert [(i["state"], i["status"]) for i in said if isinstance(i, dict)] == [
        ("loading", "shard 0"),
        ("loading", "shard 10"),
        ("loading", "shard 20"),
        ("warming", "shard 24"),
    ]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "1970-01-01T00:00:00.000Z"),
        (1795385091.0664, "2026-11-22T22:04:51.066Z"),
        (1795385091.9996, "2026-11-22T22:04:52.000Z"),
    ],
)
def test_moments_are_utc_to_the_millisecond(seconds: float, text: str) -> None:
    assert moment(seconds) == text
