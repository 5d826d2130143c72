"""Commands: argument lists only, a time limit always."""

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from trtllm_install.host.protocol import Completed


def run(
    argv: Sequence[str], *, timeout: float, environment: Mapping[str, str], stdin: str
) -> Completed:
    """Run a command in a session of its own; past ``timeout`` seconds the session is ended.

    Raises OSError when it cannot be started, TimeoutExpired when it took too long.
    """
    with subprocess.Popen(
        list(argv),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=dict(environment),
        text=True,
        errors="replace",
        start_new_session=True,
    ) as process:
        try:
            out, err = process.communicate(stdin, timeout=timeout)
        except BaseException:
            # After Ctrl-C communicate() waits a quarter of a second, and it may have ended.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            raise
    return Completed(argv=tuple(argv), code=process.returncode, stdout=out, stderr=err)


_TICK_S = 1.0
_CHUNK = 65536


def follow(
    argv: Sequence[str],
    *,
    heard: Callable[[str], None],
    tick: Callable[[], bool],
    silence: float,
    environment: Mapping[str, str],
) -> int:
    """Run a command and return its code; tell each line of its output as it comes.

    ``tick`` is asked about once a second whether anything moves. Raises OSError when the
    command cannot be started, TimeoutExpired when it has said nothing and moved nothing
    for ``silence`` seconds; whatever is raised, its session has been ended.
    """
    with subprocess.Popen(
        list(argv),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=dict(environment),
        start_new_session=True,
        umask=0o022,  # what it makes is for services to read, whatever root's own habit
    ) as process:
        try:
            _listen(process, heard, tick, silence)
        except BaseException:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            raise
    return process.returncode


def _listen(
    process: "subprocess.Popen[bytes]",
    heard: Callable[[str], None],
    tick: Callable[[], bool],
    silence: float,
) -> None:
    assert process.stdout is not None  # noqa: S101 (it is a pipe)
    pipe, rest = process.stdout.fileno(), b""
    alive = ticked = time.monotonic()
    with selectors.DefaultSelector() as ready:
        ready.register(pipe, selectors.EVENT_READ)
        while True:
            if ready.select(_TICK_S):
                chunk = os.read(pipe, _CHUNK)
                if not chunk:
                    break
                alive = time.monotonic()
                *lines, rest = (rest + chunk).replace(b"\r", b"\n").split(b"\n")
                for line in lines:
                    heard(line.decode(errors="replace"))
            now = time.monotonic()
            if now - ticked >= _TICK_S:
                ticked = now
                alive = now if tick() else alive
            if now - alive > silence:
                raise subprocess.TimeoutExpired(process.args, silence)
    if rest:
        heard(rest.decode(errors="replace"))
