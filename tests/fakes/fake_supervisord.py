"""supervisord and the launchers it runs, as answers of a FakeHost without systemd."""

import re
from dataclasses import dataclass, field

from fakes.fake_systemd import FakeSystemd
from trtllm_install.host.protocol import Completed
from trtllm_install.model import layout

_DAEMON = 77
_CTL = (f"{layout.TOOL}/bin/supervisorctl", "-c", layout.SUPERVISORD_CONF)


@dataclass(slots=True)
class FakeSupervisord(FakeSystemd):
    """A daemon that starts what its configuration names, and forgets it on shutdown."""

    groups: set[str] = field(default_factory=set)  # that the daemon knows

    def __post_init__(self) -> None:
        """Announce the commands and the addresses."""
        # Spelled out: a dataclass with slots is another class than the one that super() knows.
        FakeSystemd.__post_init__(self)
        self.host.add_file("/proc/1/comm", "sh\n")
        self.host.add_program("/usr/bin/supervisord")
        self.host.answer_command(["prlimit"], by=self._prlimit)
        self.host.answer_command(_CTL, by=self._ctl)

    def _prlimit(self, argv: tuple[str, ...], _: str) -> Completed:
        if argv[-1] != "true":
            self.host.add_file(layout.SUPERVISORD_SOCKET)
            self.host.add_file(f"/proc/{_DAEMON}/comm", "supervisord\n")
            self.groups = set(self._configured())
            for name in self._configured():
                self._start(name)
        return Completed(argv=argv, code=0, stdout="", stderr="")

    def _configured(self) -> list[str]:
        text = (self.host.read(layout.SUPERVISORD_CONF) or b"").decode()
        return re.findall(r"^\[program:(.*)\]$", text, re.MULTILINE)

    def _ctl(self, argv: tuple[str, ...], _: str) -> Completed:  # noqa: C901 (a case for each word)
        verb, *names = argv[len(_CTL) :]
        out, code = "", 0
        if self.host.look(layout.SUPERVISORD_SOCKET) is None:
            return Completed(argv=argv, code=4, stdout="no such file\n", stderr="")
        match verb:
            case "pid":
                out = f"{_DAEMON}\n"
            case "status":
                out = "".join(self._status_line(name) for name in sorted(self.groups))
            case "reread":
                gone = self.groups - set(self._configured())
                out = "".join(f"{name}: disappeared\n" for name in sorted(gone))
            case "add":
                self.groups |= set(names)
                self._start(names[0])
            case "remove":
                assert not set(names) & set(self.pids), f"{names} still runs"
                code = 0 if set(names) <= self.groups else 1
                self.groups -= set(names)
            case "stop":
                for name in list(self.pids) if names == ["all"] else names:
                    self._stop(name)
            case "signal":
                self._note_generation()
            case "shutdown":
                for name in list(self.pids):
                    self._stop(name)
                self.host.remove(layout.SUPERVISORD_SOCKET)
                del self.host.nodes[f"/proc/{_DAEMON}/comm"], self.host.nodes[f"/proc/{_DAEMON}"]
        return Completed(argv=argv, code=code, stdout=out, stderr="")

    def _status_line(self, name: str) -> str:
        pid = self.pids.get(name)
        said = f"RUNNING   pid {pid}, uptime 0:01:00" if pid else "STOPPED   Nov 28 01:00 PM"
        return f"{name:<32} {said}\n"
