"""Why the process ended: its status and the tail of its output against the table of causes."""

import errno
import os
import re
from collections.abc import Sequence

from trtllm_install.launcher.causes import ANY, CAUSES, FIX_PROFILE, LOADING, SERVING
from trtllm_install.launcher.child import describe_status
from trtllm_install.launcher.program import explain
from trtllm_install.launcher.station import Verdict
from trtllm_install.model import exits

_CLICK_USAGE = 2  # what click, and so trtllm-serve, ends with on a wrong command line
_SPAWN_CODES = {
    errno.EACCES: exits.PERMISSION,
    errno.EPERM: exits.PERMISSION,
    errno.EAGAIN: exits.OS_ERROR,
    errno.ENOMEM: exits.OS_ERROR,
    errno.EMFILE: exits.OS_ERROR,
    errno.ENFILE: exits.OS_ERROR,
}


def judge_exit(
    status: int, tail: Sequence[str], *, ready: bool, oom_killed: bool = False
) -> Verdict:
    """Return what the end of the child means for its restart.

    ``status`` as waitpid returns it; ``ready`` is whether it had ever served;
    ``oom_killed`` whether the kernel's OOM killer has struck since the spawn.
    A cause that the table does not know is a crash.
    """
    ended = describe_status(status)
    phase = SERVING if ready else LOADING
    if oom_killed and os.WIFSIGNALED(status):
        code = exits.OOM_SERVING if ready else exits.OOM_LOADING
        reason = f"out of memory while {phase}: {ended} by the kernel's OOM killer"
        return Verdict(code, reason, signature=f"{code} oom-killer")
    for cause in CAUSES:
        line = _find(cause.pattern, tail) if cause.phase in {ANY, phase} else ""
        if line:
            reason = f"{cause.words}: {line} ({ended} while {phase})"
            return Verdict(cause.code, reason, signature=cause.signature, hint=cause.hint)
    return _judge_unknown(status, tail, ended=ended, phase=phase)


def judge_hang(verdict: Verdict, tail: Sequence[str], *, ready: bool) -> Verdict:
    """Return a hang in the light of what the process said before it.

    A load that stands still may have said why: trtllm-serve waits for a worker that could not
    be started, or has failed (NVIDIA/TensorRT-LLM#5495). One that served may have lost its
    GPU; whatever else it said in its life, it lived through.
    """
    for cause in CAUSES:
        final = cause.code in {exits.REBOOT, exits.GPU_RESET}
        if cause.phase not in {ANY, LOADING} or (ready and not final):
            continue
        if line := _find(cause.pattern, tail):
            reason = f"{cause.words}: {line} (then {verdict.reason})"
            return Verdict(cause.code, reason, signature=cause.signature, hint=cause.hint)
    return verdict


def judge_spawn(error: OSError, program: str) -> Verdict:
    """Return what it means that the program could not be executed."""
    code = _SPAWN_CODES.get(error.errno or 0, exits.CONFIGURATION)
    cause = explain(program, error.errno or 0)
    hint = "run `sudo trtllm-install`" if code == exits.CONFIGURATION else ""
    return Verdict(code, f"cannot execute {program}: {cause}", hint=hint)


def _judge_unknown(status: int, tail: Sequence[str], *, ended: str, phase: str) -> Verdict:
    last = next((line.strip() for line in reversed(tail) if line.strip()), "")
    said = f", last line: {last[:200]}" if last else ""
    reason = f"{ended} while {phase}{said}"
    usage = os.WIFEXITED(status) and os.WEXITSTATUS(status) == _CLICK_USAGE
    if usage and phase == LOADING:
        return Verdict(exits.CONFIGURATION, reason, hint=FIX_PROFILE)
    # Addresses, pids and times differ from crash to crash; the cause does not.
    kind = re.sub(r"0x[0-9a-f]+|\d+", "#", last.lower())[:200]
    return Verdict(exits.CRASH, reason, signature=f"{exits.CRASH} {ended} {kind}")


def _find(pattern: re.Pattern[str], tail: Sequence[str]) -> str:
    """Return the last line that matches, shortened; empty if none does."""
    for line in reversed(tail):
        if pattern.search(line.strip()):
            return line.strip()[:200]
    return ""
