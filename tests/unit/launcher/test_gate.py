"""What the state file of a predecessor means for those that wait."""

import json
import os
from pathlib import Path

import pytest

from trtllm_install.launcher.gate import Predecessor, judge_predecessor
from trtllm_install.model import states

NO_PROCESS = 4_194_304  # beyond the kernel's highest pid


@pytest.mark.parametrize("state", states.TRANSITIONS)
@pytest.mark.parametrize("alive", [True, False])
def test_only_a_living_service_that_serves_lets_others_start(state: str, alive: bool) -> None:
    judgement, _ = judge_predecessor({"state": state}, alive=alive)
    if state == states.FAILED:
        assert judgement == "failed"
    elif state in states.SERVING and alive:
        assert judgement == "serving"
    else:
        assert judgement == "hold"


def test_the_reason_of_a_failure_is_passed_on() -> None:
    content = {"state": "failed", "exit": {"code": 78, "reason": "no such option"}}
    assert judge_predecessor(content, alive=False) == ("failed", "no such option")


def test_a_launcher_that_was_killed_is_told_from_one_that_ended() -> None:
    assert judge_predecessor({"state": "healthy"}, alive=False)[1].endswith("its launcher is gone")
    assert judge_predecessor({"state": "stopped"}, alive=False) == ("hold", "stopped")


def test_how_long_it_will_take_is_passed_on_while_that_lies_ahead() -> None:
    content = {"state": "loading", "expected_at": 140.0}
    assert judge_predecessor(content, alive=True, now=100) == ("hold", "loading, about 40 s")
    assert judge_predecessor(content, alive=True, now=150) == ("hold", "loading")
    assert "about" not in judge_predecessor(content, alive=False, now=100)[1]


def test_a_state_file_is_read_again_as_soon_as_it_is_replaced(tmp_path: Path) -> None:
    file = tmp_path / "qwen.json"
    predecessor = Predecessor(str(tmp_path), "qwen")
    assert predecessor.look() == ("hold", "not started")
    for state, expected in (("loading", "hold"), ("healthy", "serving"), ("draining", "hold")):
        new = tmp_path / f"{state}.tmp"
        new.write_text(json.dumps({"state": state, "pid": os.getpid()}))
        new.rename(file)
        assert predecessor.look() == (expected, state)


@pytest.mark.parametrize(
    "text", ["", "{", '{"state": "healthy"}', '{"state": "healthy", "pid": 1.5}']
)
def test_a_state_file_that_proves_nothing_holds(tmp_path: Path, text: str) -> None:
    (tmp_path / "qwen.json").write_text(text)
    assert Predecessor(str(tmp_path), "qwen").look()[0] == "hold"


def test_a_dead_launcher_holds(tmp_path: Path) -> None:
    (tmp_path / "qwen.json").write_text(json.dumps({"state": "healthy", "pid": NO_PROCESS}))
    assert Predecessor(str(tmp_path), "qwen").look()[0] == "hold"
