"""A state that cannot follow is logged and entered: no service ends by a bug of ours."""

from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from trtllm_install.launcher.history import History
from trtllm_install.launcher.notify import Notifier
from trtllm_install.launcher.record import Record
from trtllm_install.launcher.station import Station
from trtllm_install.model import states
from trtllm_install.model.launchspec import LaunchSpec

if TYPE_CHECKING:
    from trtllm_install.launcher.loop import Loop


@pytest.fixture
def station(tmp_path: Path) -> Station:
    spec = LaunchSpec(
        name="qwen",
        kind="engine",
        argv=("x",),
        environment={},
        host="127.0.0.1",
        port=1,
        run_dir=str(tmp_path),
        state_dir=str(tmp_path),
    )
    history = History(str(tmp_path))
    record = Record(spec, spec_hash="0", history=history)
    loop = cast("Loop", None)  # entering a state takes no turn
    return Station(spec, loop=loop, notifier=Notifier({}), record=record, history=history)


def test_states_in_the_tables_order_say_nothing(
    station: Station, capfd: pytest.CaptureFixture[str]
) -> None:
    for state in (states.WAITING, states.ADMISSION, states.LOADING, states.WARMING, states.HEALTHY):
        station.enter(state, state)
    assert capfd.readouterr().err == ""


def test_another_order_is_logged_and_entered(
    station: Station, capfd: pytest.CaptureFixture[str]
) -> None:
    station.enter(states.WAITING, "waiting")
    station.enter(states.HEALTHY, "healthy")
    said = capfd.readouterr().err
    assert "internal error: cannot enter state healthy: it does not follow waiting" in said
    assert station.record.state == states.HEALTHY


def test_a_full_disk_changes_the_state_all_the_same(station: Station, tmp_path: Path) -> None:
    (tmp_path / "qwen.json").mkdir()  # nothing can be put in its place
    station.enter(states.WAITING, "waiting")
    station.enter(states.ADMISSION, "admission")
    assert station.record.state == states.ADMISSION
