"""The last word of a launcher that cannot begin: for `status`, and for those that wait for it."""

import contextlib
import fcntl
import os
from time import time

from trtllm_install.launcher import files
from trtllm_install.launcher.admission import try_lock
from trtllm_install.model import layout, states


def leave_word(spec_dir: str, name: str, code: int, reason: str, hint: str) -> None:
    """Write the state ``failed`` where the service's own would be, unless a launcher runs it.

    Without it, whoever waits for this service would wait for ever. Never raises.
    """
    said = files.read_json(f"{spec_dir}/{name}.json").get("run_dir")
    run_dir = said if isinstance(said, str) else layout.RUN if spec_dir == layout.INSTANCES else ""
    if not run_dir.startswith("/") or not name.replace("-", "").isalnum():
        return
    now = round(time(), 3)
    content = {
        "schema": 1,
        "name": name,
        "pid": os.getpid(),
        "child_pid": None,
        "state": states.FAILED,
        "status": f"failed (exit {code}: {reason}; {hint})",
        "since": now,
        "started_at": now,
        "ready_at": None,
        "attempt": 1,
        "load_seconds": None,
        "expected_at": None,
        "exit": {"code": code, "reason": reason, "at": now},
        "port": None,
        "progress": None,
        "spec": None,
    }
    with contextlib.suppress(OSError):
        path = f"{run_dir}/{name}.lock"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            if try_lock(descriptor, fcntl.LOCK_EX):
                files.write_json(f"{run_dir}/{name}.json", content)
        finally:
            os.close(descriptor)
