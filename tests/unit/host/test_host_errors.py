"""What the system refuses, in one grammar with a next step."""

import os
from subprocess import TimeoutExpired

import pytest

from trtllm_install.host.errors import refusals
from trtllm_install.model.errors import HostError


def told(error: BaseException, deed: str = "write /etc/a") -> HostError:
    with pytest.raises(HostError) as caught, refusals(deed):
        raise error
    return caught.value


@pytest.mark.parametrize(
    ("error", "message", "hint"),
    [
        (OSError(28, "No space left on device"), "no space left on device", "df -h"),
        (OSError(30, "Read-only file system"), "read-only file system", "remount"),
        (IsADirectoryError(21, "Is a directory"), "is a directory", "mend the cause"),
        (FileNotFoundError(2, "No such file or directory"), "no such file or directory", "mend"),
        (OSError("something without a number"), "something without a number", "mend"),
        (KeyError("trtllm"), "no user 'trtllm'", "getent passwd trtllm"),
        (TimeoutExpired("x", 2.5), "no answer within 2.5 s", "by hand"),
    ],
)
def test_a_refusal_is_one_line_with_its_cause_and_a_next_step(
    error: BaseException, message: str, hint: str
) -> None:
    found = told(error)
    assert found.message == f"cannot write /etc/a: {message}"
    assert hint in found.hint
    assert found.__cause__ is error


@pytest.mark.parametrize(("uid", "hint"), [(0, "permissions of the path"), (1000, "sudo")])
def test_a_missing_right_is_told_by_who_asks(
    monkeypatch: pytest.MonkeyPatch, uid: int, hint: str
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    found = told(PermissionError(13, "Permission denied"))
    assert found.message == "cannot write /etc/a: permission denied"
    assert hint in found.hint


@pytest.mark.parametrize("error", [ValueError("a bug"), KeyboardInterrupt()])
def test_a_bug_and_an_interrupt_pass(error: BaseException) -> None:
    with pytest.raises(type(error)), refusals("write /etc/a"):
        raise error
