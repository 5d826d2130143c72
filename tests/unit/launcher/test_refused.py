"""The last word of a launcher that cannot begin."""

import fcntl
import json
from pathlib import Path

import pytest

from trtllm_install.launcher import refused
from trtllm_install.model import layout


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """The usual folders of specs and of live states, elsewhere."""
    specs, run = tmp_path / "specs", tmp_path / "run"
    specs.mkdir()
    run.mkdir()
    monkeypatch.setattr(layout, "INSTANCES", str(specs))
    monkeypatch.setattr(layout, "RUN", str(run))
    return specs, run


def leave(specs: Path, name: str = "qwen") -> None:
    refused.leave_word(str(specs), name, 78, "cannot read x: no such file", "run y")


def test_a_missing_spec_is_told_in_the_usual_folder(folders: tuple[Path, Path]) -> None:
    specs, run = folders
    leave(specs)
    state = json.loads((run / "qwen.json").read_text())
    assert (state["state"], state["exit"]["code"]) == ("failed", 78)
    assert state["status"] == "failed (exit 78: cannot read x: no such file; run y)"


def test_a_malformed_spec_is_told_where_it_says_itself(
    folders: tuple[Path, Path], tmp_path: Path
) -> None:
    specs, run = folders
    other = tmp_path / "other"
    other.mkdir()
    (specs / "qwen.json").write_text(json.dumps({"schema": 9, "run_dir": str(other)}))
    leave(specs)
    assert (other / "qwen.json").exists()
    assert not (run / "qwen.json").exists()


def test_the_state_of_a_launcher_that_runs_is_left_alone(folders: tuple[Path, Path]) -> None:
    specs, run = folders
    with (run / "qwen.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        leave(specs)
    assert not (run / "qwen.json").exists()


@pytest.mark.parametrize("name", ["../qwen", "a/b", "", "."])
def test_a_name_that_is_a_path_leads_nowhere(folders: tuple[Path, Path], name: str) -> None:
    specs, run = folders
    leave(specs, name)
    assert list(run.iterdir()) == []
    assert list(run.parent.glob("*.json")) == []


def test_nobody_is_told_where_no_folder_is_known(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    leave(tmp_path / "elsewhere")
    assert list((tmp_path / "elsewhere").iterdir()) == []
