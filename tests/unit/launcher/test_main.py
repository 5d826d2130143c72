"""The command line of ``trtllm-supervise``."""

from pathlib import Path

import pytest

from trtllm_install.launcher.main import hash_text, main, parse_arguments
from trtllm_install.launcher.words import render_bytes, render_seconds
from trtllm_install.model import exits


def test_a_name_is_looked_up_in_the_installed_folder() -> None:
    assert parse_arguments(["qwen"]) == ("/etc/trtllm/instances", "qwen")
    assert parse_arguments(["--spec-dir", "/x", "qwen"]) == ("/x", "qwen")
    assert parse_arguments(["--spec-dir=/x", "qwen"]) == ("/x", "qwen")


@pytest.mark.parametrize(
    "arguments", [[], ["a", "b"], ["--foo", "a"], ["--spec-dir"], ["--spec-dir=", "a"], [""]]
)
def test_wrong_usage_is_64_with_a_hint(
    arguments: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == exits.USAGE
    error = capfd.readouterr().err
    assert "error: cannot " in error
    assert "hint: run `trtllm-supervise --help`" in error


def test_help_explains_every_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    for code, meaning in exits.MEANING.items():
        assert f"{code}   {meaning}" in text


def test_a_missing_spec_names_its_path_and_what_to_run(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["--spec-dir", str(tmp_path), "qwen"]) == exits.CONFIGURATION
    error = capfd.readouterr().err
    assert f"cannot read {tmp_path}/qwen.json: no such file or directory" in error
    assert "run `sudo trtllm-install`" in error


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe", b'{"schema": 1}'])
def test_a_spec_that_cannot_be_used_names_its_path(
    tmp_path: Path, content: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "qwen.json").write_bytes(content)
    assert main(["--spec-dir", str(tmp_path), "qwen"]) == exits.CONFIGURATION
    assert f"cannot use {tmp_path}/qwen.json: " in capfd.readouterr().err


def test_the_hash_of_a_spec_is_the_usual_sha256() -> None:
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert hash_text(b"") == empty


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (1.25, "1.2 s"), (41, "41 s"), (180, "3 min"), (7500, "2 h 5 min"), (1e6, "11 d")],
)
def test_durations_are_readable(seconds: float, words: str) -> None:
    assert render_seconds(seconds) == words


def test_sizes_are_readable() -> None:
    assert render_bytes(512 * 1024**2) == "512 MiB"
    assert render_bytes(12_240_656_793) == "11.4 GiB"
