"""systemd behind the supervisor protocol."""

from collections.abc import Mapping, Sequence

from trtllm_install.host.protocol import Completed, Host
from trtllm_install.model import layout
from trtllm_install.model.errors import HostError
from trtllm_install.model.facts.units import UnitFacts
from trtllm_install.model.tree import ServiceAction, ServiceChange

# A stop may wait for running streams and then for the tree to end.
_STOP_S = 200.0
_ALIVE = {"active", "activating", "reloading"}
_PROPERTIES = (
    *("Id", "LoadState", "FragmentPath", "ActiveState", "UnitFileState"),
    *("NeedDaemonReload", "DropInPaths", "MainPID"),
)


class Systemd:
    """Units through ``systemctl``, never waiting for a model to load."""

    name = "systemd"

    def __init__(self, host: Host) -> None:
        self._host = host

    def running(self, services: Sequence[str]) -> frozenset[str]:
        """See Supervisor.running."""
        if not services:
            return frozenset()
        units = [layout.unit(name) for name in services]
        # One call for all: "is-active" prints one word a line, in the order asked.
        words = self._host.run(["systemctl", "is-active", *units]).stdout.split()
        said = zip(services, words, strict=False)
        alive = {name for name, word in said if word in _ALIVE}
        # A start that is queued behind a model that loads, for minutes, is "inactive" to that.
        return frozenset(alive | self._queued([n for n in services if n not in alive]))

    def _queued(self, services: Sequence[str]) -> set[str]:
        """Return those of services that are not alive whose start waits for another unit."""
        if not services:
            return set()
        names = {layout.unit(name): name for name in services}
        shown = self._host.run(["systemctl", "show", "--property=Id,Job", *names]).stdout
        blocks = (dict(p.partition("=")[::2] for p in b.split()) for b in shown.split("\n\n"))
        return {names[b["Id"]] for b in blocks if b.get("Id") in names and b.get("Job")}

    def enabled(self) -> bool:
        """See Supervisor.enabled."""
        asked = self._host.run(["systemctl", "is-enabled", layout.TARGET])
        return asked.stdout.strip() == "enabled"

    def describe(self, services: Sequence[str]) -> tuple[UnitFacts, ...]:
        """See Supervisor.describe."""
        # A host that has only a proxy waits for no GPU.
        ready = ("gpu-ready",) if set(services) - {"proxy"} else ()
        names = {layout.unit(name): name for name in (*services, *ready)}
        names[layout.TARGET] = layout.TARGET
        asked = ["systemctl", "show", f"--property={','.join(_PROPERTIES)}", *names]
        ended = self._host.run(asked)
        if ended.code != 0:
            raise refused(ended, hint=f"systemctl status {layout.TARGET}")
        blocks = (block for block in ended.stdout.split("\n\n") if block.strip())
        shown = (dict(line.split("=", 1) for line in b.splitlines() if "=" in line) for b in blocks)
        return tuple(_described(names[s["Id"]], s) for s in shown if s.get("Id") in names)

    def activate(self) -> None:
        """See Supervisor.activate."""
        self.reread()
        if self._host.look(layout.TMPFILES):
            self._run("systemd-tmpfiles", "--create", layout.TMPFILES)
        self._systemctl("enable", "--quiet", layout.TARGET)
        self._systemctl("start", "--no-block", layout.TARGET)

    def reread(self) -> None:
        """See Supervisor.reread."""
        self._systemctl("daemon-reload")

    def resume(self) -> None:
        """See Supervisor.resume."""
        self._systemctl("enable", "--quiet", layout.TARGET)
        # Without its dependencies: it wants every service, also those that had been stopped.
        self._systemctl("start", "--no-block", "--job-mode=ignore-dependencies", layout.TARGET)

    def disable(self) -> None:
        """See Supervisor.disable."""
        if self._host.look(f"{layout.UNITS}/{layout.TARGET}"):
            self._systemctl("disable", "--quiet", layout.TARGET)

    def deactivate(self, services: Sequence[str]) -> None:
        """See Supervisor.deactivate."""
        self.stop_all((*services, "gpu-ready"))
        self.disable()

    def carry_out(self, change: ServiceChange) -> None:
        """See Supervisor.carry_out."""
        unit = layout.unit(change.name)
        match change.action:
            case ServiceAction.STOP:
                self._systemctl("stop", unit, timeout=_STOP_S)
            case ServiceAction.RELOAD:
                self._systemctl("reload", unit)
            case ServiceAction.START | ServiceAction.RESTART:
                # A unit that used up its starts refuses the next without this.
                self._host.run(["systemctl", "reset-failed", unit])
                self._systemctl(change.action.value, "--no-block", unit)

    def stop_all(self, services: Sequence[str]) -> None:
        """See Supervisor.stop_all."""
        # By name: stopping the target alone stops them too, and does not wait for them.
        units = [layout.unit(name) for name in services]
        ended = self._host.run(["systemctl", "stop", layout.TARGET, *units], timeout=_STOP_S)
        # A unit that was never loaded does not run; systemctl stops the others all the same.
        refusals = [line for line in ended.stderr.splitlines() if not line.endswith(" not loaded.")]
        if ended.code != 0 and refusals:
            raise refused(ended, hint=f"systemctl status {layout.TARGET}")

    def log(self, service: str, *, lines: int) -> str:
        """See Supervisor.log."""
        argv = ["journalctl", "--no-pager", "-o", "cat", "-n", str(lines)]
        return self._host.run([*argv, "-u", layout.unit(service)]).stdout

    def log_command(self, service: str, *, lines: int = 100) -> tuple[str, ...]:
        """See Supervisor.log_command."""
        return ("journalctl", "-u", layout.unit(service), "-n", str(lines), "-f")

    def _systemctl(self, *words: str, timeout: float = 60.0) -> None:
        self._run("systemctl", *words, timeout=timeout)

    def _run(self, *argv: str, timeout: float = 60.0) -> None:
        ended = self._host.run(argv, timeout=timeout)
        if ended.code != 0:
            raise refused(ended, hint=f"systemctl status {layout.TARGET}")


def _described(name: str, shown: Mapping[str, str]) -> UnitFacts:
    pid = shown.get("MainPID", "")
    return UnitFacts(
        name=name,
        unit=shown["Id"],
        load=shown.get("LoadState", ""),
        path=shown.get("FragmentPath", ""),
        active=shown.get("ActiveState", ""),
        runs=shown.get("ActiveState") in _ALIVE,
        # The others are wanted by the target, and start with it.
        enabled=shown.get("UnitFileState", "") if name == layout.TARGET else "",
        needs_reread=shown.get("NeedDaemonReload") == "yes",
        drop_ins=tuple(shown.get("DropInPaths", "").split()),
        pid=int(pid) if pid.isdecimal() and pid != "0" else None,
    )


def refused(ended: Completed, *, hint: str) -> HostError:
    """Return the error for a command of the supervisor that failed."""
    text = (ended.stderr or ended.stdout).strip().splitlines()
    cause = "; ".join(text[:3]) if text else f"exit {ended.code}"
    return HostError(f"cannot run {' '.join(ended.argv)}: {cause}", hint=hint)
