"""The supervised process: started in a session of its own, ended with its whole tree."""

import ctypes
import os
import signal
from collections.abc import Mapping, Sequence

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_IOPRIO_SET = {"x86_64": 251, "aarch64": 30}
_IOPRIO_WHO_PROCESS = 1
_IOPRIO_CLASS_IDLE = 3
_LIBC = ctypes.CDLL(None, use_errno=True)
# Python ignores these, and what is ignored stays so through exec.
_IGNORED_BY_PYTHON = (signal.SIGPIPE, signal.SIGXFSZ)


class SpawnError(OSError):
    """The program could not be executed; ``errno`` says why."""


def adopt_orphans() -> None:
    """Become the parent of every descendant that loses its own (Open MPI's ``orted`` does)."""
    _LIBC.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def end_with_parent(number: int) -> None:
    """Ask the kernel for signal ``number`` when the parent process ends."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)


def read_when_idle() -> None:
    """Let every other process have the disk first (ioprio_set(2), class idle), where it counts.

    The scheduler may not know of priorities, and the machine not by this number: then it is
    read at once.
    """
    number = _IOPRIO_SET.get(os.uname().machine)
    if number:
        _LIBC.syscall(number, _IOPRIO_WHO_PROCESS, 0, _IOPRIO_CLASS_IDLE << 13)


def spawn(
    argv: Sequence[str], environment: Mapping[str, str], *, death_signal: int
) -> tuple[int, int]:
    """Start a program; return its pid and the read end of its output, stdout and stderr as one.

    Nothing is inherited but descriptors 0 to 2 (0 is /dev/null) and the working
    folder. Raises SpawnError when there is no such program, or it cannot run.
    """
    launcher = os.getpid()
    report, report_writer = os.pipe2(os.O_CLOEXEC)
    output, output_writer = os.pipe2(os.O_CLOEXEC)
    pid = os.fork()
    if not pid:
        try:
            _become(argv, environment, output_writer, death_signal, launcher)
        except OSError as error:
            os.write(report_writer, str(error.errno or 0).encode())
        finally:
            os._exit(127)
    os.close(report_writer)
    os.close(output_writer)
    with os.fdopen(report, "rb") as stream:
        failure = stream.read()
    if failure:
        os.close(output)
        raise SpawnError(int(failure), os.strerror(int(failure)).lower(), argv[0])
    return pid, output


def _become(
    argv: Sequence[str],
    environment: Mapping[str, str],
    output: int,
    death_signal: int,
    launcher: int,
) -> None:
    signal.set_wakeup_fd(-1)
    os.setsid()
    end_with_parent(death_signal)
    if os.getppid() != launcher:
        os._exit(127)  # the launcher died before the kernel knew of our wish
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    for number in _IGNORED_BY_PYTHON:
        signal.signal(number, signal.SIG_DFL)
    os.execvpe(argv[0], list(argv), dict(environment))  # noqa: S606 (no shell is the point)


def describe_status(status: int) -> str:
    """Return a wait status in words: "exit 1", "killed by SIGKILL"."""
    code = os.waitstatus_to_exitcode(status)
    if code >= 0:
        return f"exit {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"
