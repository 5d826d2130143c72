"""The log of one run that changed the host: every word, command and traceback of it."""

import json
import re
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from trtllm_install import __version__
from trtllm_install.cli.events import EventReporter
from trtllm_install.host.protocol import Host
from trtllm_install.model import layout
from trtllm_install.model.errors import ExitCode, HostError, InstallError
from trtllm_install.model.secrets import mask_argv, mask_value
from trtllm_install.model.tree import Change, Plan, ServiceChange

_KEPT: Final = 20
_FOLDER: Final = ("directory", 0o750, "root")
_OURS: Final = re.compile(r"\d{8}T\d{6}Z-[a-z -]+(?:-\d+)?\.log")  # a blank: 0.1.0
# These leave the host as it was, and their answer says all that there is to say.
_UNREMARKABLE: Final = (
    ExitCode.USAGE,
    ExitCode.PREFLIGHT_FAILED,
    ExitCode.LOCKED,
    ExitCode.NEEDS_ROOT,
    ExitCode.EDITS_KEPT,
    ExitCode.INTERRUPTED,  # a run that had begun to write has its log by then
)


class RunLog(EventReporter):
    """Writes ``/var/log/trtllm-install/<UTC time>-<verb>.log``, a JSON object a line.

    Everything is kept in memory until the run is about to change something, or fails for a
    reason that has to be looked into: a run that finds nothing to do touches no file. From
    then on each line is on disk as it happens. Nothing here ever fails the run: a log that
    cannot be written says so once, through ``complain``.
    """

    def __init__(
        self, host: Host, verb: str, argv: Sequence[str], *, complain: Callable[[str], None]
    ) -> None:
        super().__init__(self._write)
        self._host = host
        self._named = verb.replace(" ", "-")  # in the name of the file
        self._complain = complain
        self._begun = time.time()
        self._waiting: list[bytes] = []
        self._dead = False
        self.path: str | None = None  # once it is written
        self.tell(
            "begin",
            {"verb": verb, "argv": mask_argv(argv), "tool_version": __version__},
        )

    def open(self) -> None:
        """Begin to write; called again it does nothing."""
        if self.path is not None or self._dead:
            return
        try:
            folder = self._host.look(layout.TOOL_LOGS)
            if folder is None or (folder.kind, folder.mode, folder.owner) != _FOLDER:
                self._host.make_directory(layout.TOOL_LOGS, mode=0o750, owner="root")
            self._prune()
            path = self._free_path()
            self._host.append(path, b"".join(self._waiting), mode=0o640, owner="root")
            self.path = path
            self._waiting.clear()
        except HostError as error:
            self._give_up(error)

    def command(self, argv: Sequence[str], code: int | None, seconds: float, said: str) -> None:
        """Note a command that the host has run."""
        fields = {"argv": mask_argv(argv), "code": code, "seconds": round(seconds, 3)}
        self.tell("command", fields | ({"said": said} if said else {}))

    def planned(self, plan: Plan) -> None:
        """See Reporter.planned."""
        super().planned(plan)
        if plan.count:
            self.open()

    def change(self, change: Change) -> None:
        """See Reporter.change."""
        super().change(change)
        self.open()

    def service(self, change: ServiceChange) -> None:
        """See Reporter.service."""
        super().service(change)
        self.open()

    def ended(self, error: BaseException | None) -> None:
        """Note how the run ended; writes the log of one that broke before it changed anything."""
        if error is None:
            self.tell("end", {"exit_code": int(ExitCode.DONE)})
            return
        expected = isinstance(error, InstallError)
        code = error.exit_code if isinstance(error, InstallError) else ExitCode.INTERNAL
        if isinstance(error, KeyboardInterrupt):
            code = ExitCode.INTERRUPTED
        fields: dict[str, object] = {"exit_code": int(code), "error": str(error)}
        if isinstance(error, InstallError):
            fields["hint"] = error.hint
        if not expected or code is ExitCode.INTERNAL:
            fields["traceback"] = "".join(traceback.format_exception(error))
        self.tell("end", fields)
        if code not in _UNREMARKABLE:
            self.open()

    def _write(self, event: Mapping[str, object]) -> None:
        if self._dead:
            return
        line = json.dumps(mask_value(event), default=str).encode() + b"\n"
        if self.path is None:
            self._waiting.append(line)
            return
        try:
            self._host.append(self.path, line, mode=0o640, owner="root")
        except HostError as error:
            self._give_up(error)

    def _give_up(self, error: HostError) -> None:
        self._dead = True
        self._waiting.clear()
        self._complain(f"note: this run is not logged any further: {error.message}")

    def _free_path(self) -> str:
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(self._begun))
        taken = set(self._host.names_in(layout.TOOL_LOGS))
        name, number = f"{stamp}-{self._named}.log", 1
        while name in taken:  # by a run that ended within the same second
            number += 1
            name = f"{stamp}-{self._named}-{number}.log"
        return f"{layout.TOOL_LOGS}/{name}"

    def _prune(self) -> None:
        """Keep the last ones, this one among them; what else is in the folder is not ours."""
        names = sorted(n for n in self._host.names_in(layout.TOOL_LOGS) if _OURS.fullmatch(n))
        for name in names[: max(0, len(names) - _KEPT + 1)]:
            self._host.remove(f"{layout.TOOL_LOGS}/{name}")
