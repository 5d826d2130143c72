"""Several who are told the same."""

from collections.abc import Sequence
from dataclasses import replace

from trtllm_install.app.reporter import Live, Progress, Reporter
from trtllm_install.model.findings import Finding
from trtllm_install.model.tree import Change, Plan, ServiceChange


class Chorus:
    """A Reporter that passes on what it hears, and remembers what the answer needs."""

    def __init__(self, *reporters: Reporter) -> None:
        self._reporters = reporters
        self.plan: Plan | None = None  # the last one told
        self.profile_name: str | None = None
        self._packages: set[str] = set()  # that were brought

    @property
    def carried_out(self) -> Plan | None:
        """Return the plan without the packages that failed, where it went on without them."""
        if self.plan is None:
            return None
        gone = (c for c in self.plan.packages if c.path not in self._packages)
        left_out = {change.path for change in gone}
        kept = tuple(c for c in self.plan.changes if c.kind != "package" or c.path not in left_out)
        return replace(self.plan, changes=kept)

    def profile(self, name: str) -> None:
        """See Reporter.profile."""
        self.profile_name = name
        for reporter in self._reporters:
            reporter.profile(name)

    def phase(self, title: str) -> None:
        """See Reporter.phase."""
        for reporter in self._reporters:
            reporter.phase(title)

    def findings(self, findings: Sequence[Finding]) -> None:
        """See Reporter.findings."""
        for reporter in self._reporters:
            reporter.findings(findings)

    def planned(self, plan: Plan) -> None:
        """See Reporter.planned."""
        self.plan = plan
        for reporter in self._reporters:
            reporter.planned(plan)

    def note(self, text: str) -> None:
        """See Reporter.note."""
        for reporter in self._reporters:
            reporter.note(text)

    def step(self, title: str, word: str, written: int) -> None:
        """See Reporter.step."""
        for reporter in self._reporters:
            reporter.step(title, word, written)

    def progress(self, progress: Progress) -> None:
        """See Reporter.progress."""
        for reporter in self._reporters:
            reporter.progress(progress)

    def change(self, change: Change) -> None:
        """See Reporter.change."""
        if change.kind == "package":
            self._packages.add(change.path)
        for reporter in self._reporters:
            reporter.change(change)

    def service(self, change: ServiceChange) -> None:
        """See Reporter.service."""
        for reporter in self._reporters:
            reporter.service(change)

    def live(self, services: Sequence[Live]) -> None:
        """See Reporter.live."""
        for reporter in self._reporters:
            reporter.live(services)
