"""What a run tells, as JSON objects: for --output jsonl and for the log file."""

import time
from collections.abc import Callable, Mapping, Sequence

from trtllm_install.app.reporter import Live, Progress
from trtllm_install.cli.moment import moment
from trtllm_install.cli.present import (
    change_value,
    finding_values,
    live_values,
    service_value,
)
from trtllm_install.model.findings import Finding
from trtllm_install.model.tree import Change, Plan, ServiceChange

# A load says how far it is several times a second; nobody reads that often.
_STATUS_EVERY_S = 1.0


class EventReporter:
    """A Reporter that makes an event of everything it hears (events.schema.json)."""

    def __init__(self, emit: Callable[[Mapping[str, object]], None]) -> None:
        self._emit = emit
        self._shown: dict[str, tuple[str, str, float]] = {}
        self._step = ("", 0.0)
        self._progress_at = 0.0

    def tell(self, event: str, fields: Mapping[str, object]) -> None:
        """Emit one event of this moment."""
        self._emit({"event": event, "at": moment(), **fields})

    def profile(self, name: str) -> None:
        """See Reporter.profile."""
        self.tell("profile", {"profile": name})

    def phase(self, title: str) -> None:
        """See Reporter.phase."""
        self.tell("phase", {"title": title})

    def note(self, text: str) -> None:
        """See Reporter.note."""
        self.tell("note", {"text": text})

    def findings(self, findings: Sequence[Finding]) -> None:
        """See Reporter.findings."""
        for value in finding_values(findings):
            self.tell("finding", {"finding": value})

    def planned(self, plan: Plan) -> None:
        """See Reporter.planned."""
        for change in plan.changes:
            self.tell("planned", {"change": change_value(change)})
        for service in plan.services:
            self.tell("planned", {"change": service_value(service)})

    def step(self, title: str, word: str, written: int) -> None:
        """See Reporter.step; a new step at once, where it is at most once a second."""
        now = time.monotonic()
        shown, since = self._step
        if title != shown or now - since >= _STATUS_EVERY_S:
            self._step = (title, now)
            self.tell("step", {"title": title, "word": word, "written": written})

    def progress(self, progress: Progress) -> None:
        """See Reporter.progress; the last at once, the others at most once a second."""
        now = time.monotonic()
        ended = progress.files == progress.of
        if ended or now - self._progress_at >= _STATUS_EVERY_S:
            self._progress_at = now
            self.tell(
                "progress",
                {
                    "done": progress.done,
                    "total": progress.total,
                    "files": progress.files,
                    "of": progress.of,
                },
            )

    def change(self, change: Change) -> None:
        """See Reporter.change."""
        self.tell("change", {"change": change_value(change)})

    def service(self, change: ServiceChange) -> None:
        """See Reporter.service."""
        self.tell("service", {"change": service_value(change)})

    def live(self, services: Sequence[Live]) -> None:
        """See Reporter.live; a new state at once, a new status at most once a second."""
        now = time.monotonic()
        for live, value in zip(services, live_values(services), strict=True):
            state, status, since = self._shown.get(live.name, ("", "", 0.0))
            early = now - since < _STATUS_EVERY_S
            if live.state == state and (live.status == status or early):
                continue
            self._shown[live.name] = (live.state, live.status, now)
            self.tell("live", {"instance": value})
