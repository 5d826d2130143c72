"""Records of starts as launchers write them: two models one after the other."""

import json
from typing import Any

from fakes.fake_host import FakeHost
from trtllm_install.model import layout

GB = 10**9
BOOT = "6f1f1d1e-0000-4000-8000-000000000001"


def start(clock: float = 100.0, **fields: Any) -> dict[str, Any]:
    """Return a start that became ready after 57.5 s, 18.1 GB of weights in 21.3 s among them."""
    moments = {
        "waiting": 0.0,
        "admission": 0.1,
        "start": 0.2,
        "weights": 12.3,
        "compile": 33.6,
        "warm-up": 42.6,
        "gate": 56.9,
    }
    return {
        "started_at": 1_795_860_000.0 + clock,
        "boot": BOOT,
        "clock": clock,
        "attempt": 1,
        "phases": [{"phase": phase, "from_s": moment} for phase, moment in moments.items()],
        "ready_s": 57.5,
        "exit": None,
        "seen_s": 57.5,
        "weights_bytes": int(18.1 * GB),
        "bytes_read": int(18.4 * GB),
        "disk_bytes": int(18.1 * GB),
        "preread_bytes": 0,
        **fields,
    }


def failed(clock: float = 100.0) -> dict[str, Any]:
    """Return a start that found no memory."""
    ended = {"code": 75, "reason": "not admitted within 10 min"}
    phases = [{"phase": "waiting", "from_s": 0.0}, {"phase": "admission", "from_s": 0.1}]
    return start(clock, phases=phases, ready_s=None, exit=ended, seen_s=600.1)


def record_starts(host: FakeHost) -> None:
    """Write what the launchers of ``multi`` would have written."""
    second = start(100.5, preread_bytes=int(18.1 * GB), disk_bytes=0)
    for name, starts in {"qwen": [failed(), start()], "nemotron": [second]}.items():
        content = {"schema": 2, "name": name, "starts": starts}
        host.add_file(layout.timeline(name), json.dumps(content).encode())
