"""Progress as plain lines, for pipes, logs and terminals without a cursor."""

import sys
import time
from collections.abc import Sequence
from contextlib import suppress

from trtllm_install.app.reporter import Live, Progress
from trtllm_install.cli.present import finding_lines, plan_summary, progress_words, size_words
from trtllm_install.model import layout
from trtllm_install.model.findings import Finding, Severity
from trtllm_install.model.secrets import mask
from trtllm_install.model.tree import Change, Plan, ServiceChange
from trtllm_install.plan.diff import unified
from trtllm_install.plan.files import NEW_SUFFIX

# A load of minutes must show life in a log, without filling it.
_REPEAT_S = 30.0
_STEP_S = 10.0  # also of a progress
# A first install is summed up in a line (`plan` lists it); a few changes are named.
_LISTED = 20


class PlainReporter:
    """Writes a line when something changes, and one per service every 30 s while it loads."""

    def __init__(self) -> None:
        self._shown: dict[str, tuple[str, float]] = {}
        self._lists = False
        self._step = ("", 0.0)
        self._told = time.monotonic()

    def profile(self, name: str) -> None:
        """See Reporter.profile; the answer names it, and the plan before that."""

    def phase(self, title: str) -> None:
        """See Reporter.phase."""
        self.line(f"==> {title}")

    def note(self, text: str) -> None:
        """See Reporter.note."""
        self.line(f"    {text}")

    def findings(self, findings: Sequence[Finding]) -> None:
        """See Reporter.findings."""
        shown = [f for f in findings if f.severity is Severity.WARNING]
        for line in finding_lines(shown):
            self.line(f"    {line}")

    def planned(self, plan: Plan) -> None:
        """See Reporter.planned."""
        self.line(f"==> plan: {plan_summary(plan)}")
        self._lists = plan.count <= _LISTED
        written = {change.path for change in plan.writes}
        for kept in plan.kept:
            self.line(f"    keep    {kept.path} ({kept.reason})")
            if kept.path + NEW_SUFFIX in written:  # offered for the first time
                for line in unified(kept).splitlines():
                    self.line(f"            {line}")

    def step(self, title: str, word: str, written: int) -> None:
        """See Reporter.step."""
        now = time.monotonic()
        shown, since = self._step
        if title != shown:
            self._step = (title, now)
            self.line(f"    {title}")
        elif now - since > _STEP_S:
            self._step = (title, now)
            self.line(f"    {title}: {size_words(written)} written; {word}")

    def change(self, change: Change) -> None:
        """See Reporter.change."""
        if not self._lists or change.path == layout.RECEIPT:
            return
        self.line(f"    {change.action.value:<8}{change.kind:<10}{change.path}")

    def service(self, change: ServiceChange) -> None:
        """See Reporter.service."""
        self.line(f"    {change.action.value:<8}service   {change.name} ({change.reason})")

    def live(self, services: Sequence[Live]) -> None:
        """See Reporter.live."""
        now = time.monotonic()
        for live in services:
            state, since = self._shown.get(live.name, ("", 0.0))
            if live.state != state or now - since > _REPEAT_S:
                self._shown[live.name] = (live.state, now)
                self.line(f"    {live.name:<12}{live.state:<11}{live.status}")

    def progress(self, progress: Progress) -> None:
        """See Reporter.progress."""
        now = time.monotonic()
        ended = progress.files == progress.of
        if ended or now - self._told > _STEP_S:
            self._told = now
            self.line(f"    {progress_words(progress)}")

    def line(self, text: str) -> None:
        """Write one line of talk."""
        with suppress(OSError):  # nobody listens any more, and the work goes on
            print(mask(text), file=sys.stderr, flush=True)  # noqa: T201
