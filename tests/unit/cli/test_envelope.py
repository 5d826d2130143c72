"""An answer that nobody can be given."""

import errno
import io
import os
import sys
from pathlib import Path

import pytest

from trtllm_install.cli.envelope import Envelope
from trtllm_install.model.errors import ExitCode


def answered(descriptor: int, monkeypatch: pytest.MonkeyPatch) -> ExitCode:
    """Answer into it; return the exit code that comes of a success."""
    with os.fdopen(descriptor, "w", closefd=False) as out:
        monkeypatch.setattr(sys, "stdout", out)
        envelope = Envelope("uninstall")
        envelope.say_now("removed 40 of ours")
        code = envelope.finish(ExitCode.DONE)
    os.close(descriptor)
    return code


def test_a_terminal_that_was_closed_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    keys, screen = os.openpty()
    os.close(keys)
    assert answered(screen, monkeypatch) is ExitCode.DONE


def test_a_disk_that_fails_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with (tmp_path / "answer").open("w") as file:

        class Failing(io.StringIO):
            def fileno(self) -> int:
                return file.fileno()

            def flush(self) -> None:
                raise OSError(errno.EIO, "Input/output error")

        monkeypatch.setattr(sys, "stdout", Failing())
        envelope = Envelope("uninstall")
        envelope.say_now("removed 40 of ours")
        assert envelope.finish(ExitCode.DONE) is ExitCode.INTERNAL
    assert "cannot write the answer: input/output error" in capsys.readouterr().err
