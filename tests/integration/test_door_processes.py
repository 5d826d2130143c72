"""Commands: argument lists, their own session, always a time limit."""

import os
import subprocess
import sys
import time
from pathlib import Path
from subprocess import TimeoutExpired

import pytest

from trtllm_install.host.local import LocalHost
from trtllm_install.host.processes import run
from trtllm_install.host.protocol import Completed
from trtllm_install.model.errors import HostError

PLAIN = {"PATH": os.defpath}


def sh(script: str, *, timeout: float = 20, stdin: str = "", **environment: str) -> Completed:
    return run(
        ["sh", "-c", script], timeout=timeout, environment={**PLAIN, **environment}, stdin=stdin
    )


def ended(pid: int) -> bool:
    """A killed process is gone, or waits for a parent that does not ask."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1][0] == "Z"
    except OSError:
        return True


def await_end(pid: int) -> bool:
    deadline = time.monotonic() + 10
    while not ended(pid) and time.monotonic() < deadline:
        os.sched_yield()
    return ended(pid)


def test_the_end_of_a_command_is_an_answer_whatever_its_code() -> None:
    done = sh("cat; echo out; echo err >&2; exit 3", stdin="in\n")
    assert (done.code, done.stdout, done.stderr) == (3, "in\nout\n", "err\n")
    assert done.argv[0] == "sh"


def test_an_interrupt_stays_one_where_the_command_has_ended_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupted(process: "subprocess.Popen[str]", *_: object, **__: object) -> None:
        process.wait()  # as communicate() does for a moment
        raise KeyboardInterrupt

    monkeypatch.setattr(subprocess.Popen, "communicate", interrupted)
    with pytest.raises(KeyboardInterrupt):
        sh("true")


def test_no_shell_reads_the_arguments() -> None:
    done = run(["printf", "%s|", "a b", "$HOME", "*"], timeout=20, environment=PLAIN, stdin="")
    assert done.stdout == "a b|$HOME|*|"


def test_a_command_sees_only_the_environment_it_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "x")
    assert sh("echo ${SECRET:-none} $GIVEN", GIVEN="y").stdout == "none y\n"


def test_bytes_that_are_no_text_are_shown_somehow() -> None:
    assert sh(r"printf '\377'").stdout == "\N{REPLACEMENT CHARACTER}"


def test_a_command_has_no_terminal_to_ask_at() -> None:
    assert sh("read x; echo $?").stdout == "1\n"


def raise_once_written(
    monkeypatch: pytest.MonkeyPatch, path: Path, lines: int, error: BaseException
) -> None:
    """Let the wait for a command end so, as soon as the command is as far as that."""

    def communicate(*_: object, **__: object) -> None:
        deadline = time.monotonic() + 20
        while not path.exists() or len(path.read_text().splitlines()) < lines:
            assert time.monotonic() < deadline
            os.sched_yield()
        raise error

    monkeypatch.setattr(subprocess.Popen, "communicate", communicate)


def test_past_its_time_limit_the_whole_session_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pids = tmp_path / "pids"
    raise_once_written(monkeypatch, pids, 2, TimeoutExpired("sh", 1))
    with pytest.raises(TimeoutExpired):
        sh(f"sh -c 'echo $$ >>{pids}; sleep 60' & echo $$ >>{pids}; wait")
    assert all(await_end(int(pid)) for pid in pids.read_text().split())


def test_an_interrupt_ends_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pid_file = tmp_path / "pid"
    raise_once_written(monkeypatch, pid_file, 1, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        sh(f"echo $$ >{pid_file}; sleep 60")
    assert await_end(int(pid_file.read_text()))


def test_the_door_tells_a_slow_command_and_a_missing_one_in_the_house_grammar() -> None:
    host = LocalHost()
    with pytest.raises(HostError, match=r"^cannot run sleep: no answer within 0\.1 s$"):
        host.run(["sleep", "60"], timeout=0.1)
    with pytest.raises(HostError, match=r"^cannot run no-such-program: no such file or directory$"):
        host.run(["no-such-program"])


def test_the_door_gives_every_command_roots_standard_path() -> None:
    done = LocalHost().run([sys.executable, "-c", "import os; print(os.environ['PATH'])"])
    assert done.stdout == "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"
