"""What a use case tells while it works; how it looks is the command line's affair."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from trtllm_install.model.findings import Finding
from trtllm_install.model.tree import Change, Plan, ServiceChange


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """One service at this moment, as its launcher says."""

    name: str
    state: str  # a word of model.states, or "absent"
    status: str  # in words, for people
    since: float | None = None  # Unix time
    port: int | None = None
    pid: int | None = None  # of its launcher, where that runs
    launcher: int | None = None  # pid of the launcher whose word this is, also of one that is gone
    child_pid: int | None = None
    load_s: float | None = None  # measured by the last start that became healthy
    exit_code: int | None = None
    exit_reason: str = ""
    attempt: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far the hashing of weights is."""

    done: int  # bytes
    total: int
    files: int
    of: int
    seconds: float  # since it began

    @property
    def rate(self) -> float:
        """Bytes in a second, 0 before there is one to tell of."""
        return self.done / self.seconds if self.seconds > 0 else 0.0

    @property
    def left_s(self) -> float | None:
        """Seconds that the rest takes at this rate; None before there is a rate."""
        return (self.total - self.done) / self.rate if self.rate else None


class Reporter(Protocol):
    """Hears what happens, in order."""

    def profile(self, name: str) -> None:
        """Hear which profile it is about, wherever its name came from."""

    def phase(self, title: str) -> None:
        """Begin a phase: "check the host"."""

    def findings(self, findings: Sequence[Finding]) -> None:
        """Show what was found that is not an error; errors end the run and tell themselves."""

    def planned(self, plan: Plan) -> None:
        """Say in a line what will be done."""

    def note(self, text: str) -> None:
        """Say something worth a line within the phase."""

    def step(self, title: str, word: str, written: int) -> None:
        """Say where a long step is: what it does now, and the bytes written so far."""

    def change(self, change: Change) -> None:
        """Say that a change was made."""

    def service(self, change: ServiceChange) -> None:
        """Say that a service was touched."""

    def live(self, services: Sequence[Live]) -> None:
        """Show where each service is; called several times a second."""

    def progress(self, progress: Progress) -> None:
        """Show how far the hashing is; called several times a second."""
