"""The sentence of a launcher: back off, wait, be admitted, load, serve, end."""

import contextlib
import fcntl
import os
from time import time

from trtllm_install.launcher import (
    admission,
    caches,
    drain,
    evidence,
    gate,
    load,
    pagecache,
    serve,
    stop,
)
from trtllm_install.launcher.aside import run_aside
from trtllm_install.launcher.history import Crash, describe_repetition, plan_delay
from trtllm_install.launcher.station import ChildDied, Station, StopRequested, Verdict
from trtllm_install.launcher.vitals import Vitals
from trtllm_install.launcher.words import render_seconds
from trtllm_install.model import exits, states
from trtllm_install.model.launchspec import LaunchSpec

_LOOK_EVERY_S = 0.1


def supervise(station: Station, *, environment: dict[str, str], delays: tuple[float, ...]) -> int:
    """Run the service to its end and return the launcher's exit code (model/exits.py)."""
    try:
        _run(station, environment, delays)
        raise AssertionError("serve() returned")  # noqa: TRY301 (caught with every other bug)
    except StopRequested:
        return _stop(station)
    except ChildDied as death:
        return _end(station, _judge_death(station, death), delays)
    except Verdict as verdict:
        return _end(station, verdict, delays)
    except OSError as error:
        return _end(station, _judge_os_error(error, station.spec), delays)
    except Exception as bug:  # noqa: BLE001 (whatever it is, no process may stay behind)
        import traceback  # noqa: PLC0415 (2 MB that only a bug needs)

        station.log("".join(traceback.format_exception(bug)))
        reason = f"internal error of the launcher: {type(bug).__name__}: {bug}"
        return _end(station, Verdict(exits.CRASH, reason), delays)


def _run(station: Station, environment: dict[str, str], delays: tuple[float, ...]) -> None:
    _become_the_only_launcher(station)
    gate.back_off(station, delays)
    station.enter(states.WAITING, "starting")
    gate.await_predecessors(station)
    station.enter(states.ADMISSION, "checking the port, the GPU and left-over processes")
    lock = admission.admit(station)
    load.spawn_child(station, environment)
    load.await_ready(station)
    vitals = Vitals(station)  # before anybody hears of READY: what ends from now on is missed
    lock.release()
    _announce(station)
    serve.serve(station, vitals)


def _become_the_only_launcher(station: Station) -> None:
    """Return once no other launcher runs this service; the lock lasts as long as the process.

    Until then the state file is the other one's, and is left alone.
    """
    path = f"{station.spec.run_dir}/{station.spec.name}.lock"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    told = False
    while not admission.try_lock(descriptor, fcntl.LOCK_EX):
        if not told:
            holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip()
            station.log(f"waiting until the other launcher of this service ends: pid {holder}")
            told = True
        station.turn(_LOOK_EVERY_S)
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)


def _announce(station: Station) -> None:
    """Tell the supervisor, the successors and the proxy that clients are served."""
    seconds = station.now - station.spawned_at
    with contextlib.suppress(OSError):  # a full disk must not end a service that serves
        station.record.note_ready(seconds)
    words = f"healthy, loaded in {render_seconds(round(seconds, 1))}"
    # Before anything else that takes time: the successors wait for the state file.
    station.enter(states.HEALTHY, words)
    station.notifier.ready(words)
    with contextlib.suppress(OSError):  # as above
        admission.record_processes(station)
    drain.tell_proxy(station, "undrain")
    if station.spec.cache_dir or station.spec.unified_memory:
        with contextlib.suppress(OSError):  # no process to be had: it can wait until the next start
            run_aside(station, lambda: _tidy(station.spec))


def _tidy(spec: LaunchSpec) -> None:
    """Give back what the load needed and the service does not."""
    if spec.unified_memory and spec.weights:
        pagecache.evict(spec.weights)
    # Elsewhere than where the installer puts it, its siblings may be anybody's.
    if spec.cache_dir and spec.cache_dir.rpartition("/")[0] == f"{spec.state_dir}/cache":
        caches.prune(spec.cache_dir)


def _stop(station: Station) -> int:
    station.stopping = True
    if station.pid is None:
        station.notifier.stopping("stopped")
    else:
        try:
            stop.stop_child(station)
        except Verdict as verdict:
            return _finish(station, states.FAILED, verdict)
    return _finish(station, states.STOPPED, Verdict(exits.REQUESTED, "stopped"))


def _end(station: Station, verdict: Verdict, delays: tuple[float, ...]) -> int:
    """End what is left of the tree, and decide between a restart and none."""
    station.stopping = True
    station.notifier.extending = True
    served = station.record.served_s
    with contextlib.suppress(OSError):
        if verdict.code == exits.HANG:
            verdict = _judge_hang(station, verdict)
            evidence.save_evidence(station, verdict.reason)
    try:
        stop.end_tree(station, grace_s=min(stop.HUNG_GRACE_S, station.spec.stop_grace_s))
    except Verdict as unkillable:
        verdict = unkillable
    verdict = _weigh(station, verdict, served)
    if exits.is_restarted(verdict.code):
        return _finish(station, states.BACKOFF, verdict, delays)
    return _finish(station, states.FAILED, verdict)


def _weigh(station: Station, verdict: Verdict, served: float | None) -> Verdict:
    """Return the verdict in the light of the crashes before it, and add it to them."""
    history = station.history
    before = [crash for crash in history.crashes if crash.counts]
    code, reason, hint = verdict.code, verdict.reason, verdict.hint
    if code == exits.OOM_LOADING and not (before and before[-1].signature == verdict.signature):
        code, reason = exits.TEMPORARY, f"{reason}; one retry"
    if not exits.is_restarted(code):
        return verdict
    crash = Crash(at=time(), code=code, reason=reason, signature=verdict.signature, served_s=served)
    try:
        history.record_crash(crash)
    except OSError as error:
        station.log(f"cannot record the crash: {os.strerror(error.errno or 0).lower()}")
        station.forgetful = True
    if repetition := describe_repetition(history.crashes):
        reason = f"{repetition}: {reason}"
        code, hint = exits.CONFIGURATION, hint or "read the log, then start the service again"
    return Verdict(code, reason, signature=verdict.signature, hint=hint)


def _finish(station: Station, state: str, verdict: Verdict, delays: tuple[float, ...] = ()) -> int:
    station.pid = station.record.child_pid = None
    words = verdict.reason
    if state == states.BACKOFF:
        wait = render_seconds(plan_delay(station.history.crashes, delays, time()))
        words = f"backing off {wait} after crash (exit {verdict.code}: {verdict.reason})"
    elif state == states.FAILED:
        hint = f"; {verdict.hint}" if verdict.hint else ""
        words = f"failed (exit {verdict.code}: {verdict.reason}{hint})"
    with contextlib.suppress(OSError):
        if state != states.BACKOFF:
            station.history.record_exit(verdict.code, verdict.reason, time())
        if station.record.state:
            station.record.timeline.end(verdict.code, verdict.reason)
    if station.record.state not in {None, state}:  # None: another launcher's state file
        station.enter(state, words)
    if verdict.code:
        station.log(words)
    if state == states.BACKOFF and station.forgetful:
        # The next start will not know of this crash, so it is held back here.
        until = station.now + delays[0]
        while not station.loop.stop_requests and (left := until - station.now) > 0:
            station.turn(left)
    return verdict.code


def _judge_death(station: Station, death: ChildDied) -> Verdict:
    # Its table of patterns is only loaded now: a service that runs does not pay for it.
    from trtllm_install.launcher.classify import judge_exit  # noqa: PLC0415

    if station.output:
        station.output.drain()
    return judge_exit(
        death.status,
        station.output.tail() if station.output else (),
        ready=station.record.ready_at is not None,
        oom_killed=load.count_oom_kills() > station.oom_kills,
    )


def _judge_hang(station: Station, hang: Verdict) -> Verdict:
    from trtllm_install.launcher.classify import judge_hang  # noqa: PLC0415 (as above)

    tail = station.output.tail() if station.output else ()
    return judge_hang(hang, tail, ready=station.record.ready_at is not None)


def _judge_os_error(error: OSError, spec: LaunchSpec) -> Verdict:
    # A full disk is noticed by a file that is open, which has no name by then.
    where = error.filename or f"{spec.state_dir} or {spec.run_dir}"
    reason = f"cannot use {where}: {os.strerror(error.errno or 0).lower()}"
    code = exits.PERMISSION if isinstance(error, PermissionError) else exits.OS_ERROR
    return Verdict(code, reason, hint="run `sudo trtllm-install`")
