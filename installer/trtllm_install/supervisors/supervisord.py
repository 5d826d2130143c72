"""supervisord behind the supervisor protocol, where there is no systemd."""

import json
from collections.abc import Callable, Sequence

from trtllm_install.host.protocol import Host
from trtllm_install.model import layout
from trtllm_install.model.errors import HostError
from trtllm_install.model.facts.units import UnitFacts
from trtllm_install.model.tree import ServiceAction, ServiceChange
from trtllm_install.supervisors.systemd import refused

_STOP_S = 200.0


class Supervisord:
    """Programs through ``supervisorctl`` over the unix socket that only root can use."""

    name = "supervisord"

    def __init__(self, host: Host) -> None:
        self._host = host

    def running(self, services: Sequence[str]) -> frozenset[str]:
        """See Supervisor.running."""
        if self._host.look(layout.SUPERVISORD_SOCKET) is None:
            return frozenset()
        if not self._host.is_root():  # the socket is root's, what the launchers write is not
            return frozenset(name for name in services if self._has_launcher(name))
        said = self._status()
        return frozenset(name for name in services if said.get(name, ("", ""))[1] in _ALIVE)

    def enabled(self) -> bool:
        """See Supervisor.enabled."""
        return self._daemon_answers()

    def describe(self, services: Sequence[str]) -> tuple[UnitFacts, ...]:
        """See Supervisor.describe."""
        if not self._host.is_root():
            raise HostError(
                "cannot ask supervisord: its socket is root's", hint="sudo trtllm-install verify"
            )
        answers = self._daemon_answers()
        said = self._status() if answers else {}
        daemon = UnitFacts(
            name=self.name,
            unit=self.name,
            load="loaded",
            active="active" if answers else "inactive",
            runs=answers,
        )
        return (*(_described(name, said.get(name)) for name in services), daemon)

    def activate(self) -> None:
        """See Supervisor.activate."""
        if not self._reread():
            self._start_daemon()

    def reread(self) -> None:
        """See Supervisor.reread."""
        self._reread()

    def _reread(self) -> bool:
        """Tell whether there was a daemon that could."""
        if not self._daemon_answers():
            return False
        # "update" would also restart what changed; that is carry_out's to decide.
        for line in self._ctl("reread").splitlines():
            name, _, what = line.partition(": ")
            if what == "disappeared":
                self._ctl("remove", name)
        return True

    def resume(self) -> None:
        """See Supervisor.resume."""
        if not self._daemon_answers():
            self._start_daemon()  # which starts all of it: whoever resumes stops the rest

    def disable(self) -> None:
        """See Supervisor.disable."""
        if not self._daemon_answers():
            return
        process = f"/proc/{self._ctl('pid').strip()}"
        self._ctl("shutdown")
        # Its user cannot be removed, nor its log closed, before the process has ended.
        self._await(lambda: self._host.look(process) is None, "stop supervisord")

    def deactivate(self, services: Sequence[str]) -> None:
        """See Supervisor.deactivate."""
        self.stop_all(services)
        self.disable()

    def carry_out(self, change: ServiceChange) -> None:
        """See Supervisor.carry_out."""
        match change.action:
            case ServiceAction.STOP:
                self._ctl("stop", change.name, timeout=_STOP_S)
            case ServiceAction.RELOAD:
                self._ctl("signal", "HUP", change.name)
            case ServiceAction.START:
                if not self.running([change.name]):  # a daemon that has just begun started it
                    self._take_over(change.name)
            case ServiceAction.RESTART:
                self._take_over(change.name)

    def stop_all(self, services: Sequence[str]) -> None:  # noqa: ARG002 (all it has is ours)
        """See Supervisor.stop_all."""
        if self._daemon_answers():
            self._ctl("stop", "all", timeout=_STOP_S)

    def log(self, service: str, *, lines: int) -> str:
        """See Supervisor.log."""
        size = self._host.look(f"{layout.LOGS}/{service}.log")
        if size is None:
            return ""
        offset = max(0, size.size - lines * 200)
        raw = self._host.read(f"{layout.LOGS}/{service}.log", offset=offset) or b""
        return "\n".join(raw.decode(errors="replace").splitlines()[-lines:]) + "\n"

    def log_command(self, service: str, *, lines: int = 100) -> tuple[str, ...]:
        """See Supervisor.log_command."""
        return ("tail", "-n", str(lines), "-F", f"{layout.LOGS}/{service}.log")

    def _status(self) -> dict[str, list[str]]:
        """Return the words of each program: name, state, "pid", number, ..."""
        # With no daemon behind the socket this prints no program, which is the answer.
        lines = self._host.run([*_CTL, "status"]).stdout.splitlines()
        return {fields[0]: fields for line in lines if len(fields := line.split()) > 1}

    def _take_over(self, name: str) -> None:
        """Start ``name`` with its present configuration: drop the old group, add the new."""
        if self.running([name]):
            self._ctl("stop", name, timeout=_STOP_S)
        self._host.run([*_CTL, "remove", name])  # an unknown name is what we want
        self._ctl("add", name)  # autostart starts it

    def _start_daemon(self) -> None:
        # Raised here, where we are root: supervisord and what it runs are not. A container
        # may lack the right to raise them, and then its own limits hold.
        limits: tuple[str, ...] = _LIMITS
        if self._host.run([*limits, "true"]).code != 0:
            limits = ()
        daemon = f"{layout.TOOL}/bin/supervisord"
        ended = self._host.run([*limits, daemon, "-c", layout.SUPERVISORD_CONF])
        if ended.code != 0:
            raise refused(ended, hint=f"{daemon} -n -c {layout.SUPERVISORD_CONF}")
        self._await(self._daemon_answers, "start supervisord")

    def _daemon_answers(self) -> bool:
        if self._host.look(layout.SUPERVISORD_SOCKET) is None:
            return False
        return self._host.run([*_CTL, "pid"]).code == 0

    def _ctl(self, *words: str, timeout: float = 60.0) -> str:
        ended = self._host.run([*_CTL, *words], timeout=timeout)
        if ended.code != 0 and not self._daemon_answers():
            raise HostError(
                f"cannot tell supervisord to {' '.join(words)}: it does not run",
                hint="sudo trtllm-install start, which starts it with everything",
            )
        if ended.code != 0:
            raise refused(ended, hint=f"{' '.join(_CTL)} status")
        return ended.stdout

    def _has_launcher(self, name: str) -> bool:
        try:
            pid = int(json.loads(self._host.read(layout.live_state(name)) or b"{}")["pid"])
        except (ValueError, KeyError, TypeError):
            return False
        return self._host.look(f"/proc/{pid}") is not None

    def _await(self, condition: Callable[[], bool], deed: str) -> None:
        deadline = self._host.monotonic() + 10
        while not condition():
            if self._host.monotonic() > deadline:
                raise HostError(
                    f"cannot {deed}: no answer on {layout.SUPERVISORD_SOCKET} within 10 s",
                    hint=f"tail {layout.LOGS}/supervisord.log",
                )
            self._host.pause(0.05)


def _described(name: str, said: Sequence[str] | None) -> UnitFacts:
    state = said[1] if said else "absent"
    pid = said[3].rstrip(",") if said and said[2:3] == ["pid"] and len(said) > 3 else ""  # noqa: PLR2004 (words of a line)
    return UnitFacts(
        name=name,
        unit=name,
        load="loaded" if said else "not-found",
        active=state.lower(),
        runs=state in _ALIVE,
        pid=int(pid) if pid.isdecimal() else None,
    )


_ALIVE = {"RUNNING", "STARTING", "BACKOFF"}
_LIMITS = ("prlimit", "--memlock=unlimited", "--stack=67108864", "--core=0", "--nofile=65536")
_CTL = (f"{layout.TOOL}/bin/supervisorctl", "-c", layout.SUPERVISORD_CONF)
