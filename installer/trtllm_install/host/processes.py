"""Commands: argument lists only, a time limit always."""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence

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
            os.killpg(process.pid, signal.SIGKILL)
            raise
    return Completed(argv=tuple(argv), code=process.returncode, stdout=out, stderr=err)
