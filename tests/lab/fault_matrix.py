"""The fault matrix as a document: ``python -m lab.fault_matrix`` runs it and writes the file."""

import json
import re
import sys
from collections.abc import Sequence
from typing import Final

from lab import checkout, images, roots
from lab.fault_cells import FAULTS, PHASES, Outcome

DOCUMENT: Final = checkout.ROOT / "docs/reference/fault-matrix.md"
SUPERVISORS: Final = {"systemd": roots.BootedRoot, "supervisord": roots.PlainRoot}
_TOOL: Final = "/opt/trtllm/tool/bin/python"


def run(supervisor: str) -> list[Outcome]:
    """Run the matrix on a host of its own and return what came of each cell."""
    with SUPERVISORS[supervisor](images.DEBIAN_12) as host:
        ended = host.bootstrap("--profile", "multi", "--simulate", "--no-start")
        assert ended.returncode == 0, ended.stderr
        ended = host.run(
            *(_TOOL, "-m", "lab.fault_run", supervisor),
            timeout=600,
            environment={"PYTHONPATH": f"{roots.CHECKOUT_INSIDE}/tests"},
        )
        assert ended.returncode == 0, ended.stderr[-4000:]
    return [Outcome(**entry) for entry in json.loads(ended.stdout)]


def render(found: dict[str, Sequence[Outcome]]) -> str:
    """Return the tables; what stands above them in the document is written by hand."""
    parts: list[str] = []
    for supervisor, outcomes in found.items():
        of = {(outcome.fault, outcome.phase): outcome for outcome in outcomes}
        for phase in PHASES:
            busy = phase == "busy"
            columns = ["fault", "verdict", "noticed", "serves", *(["lost"] if busy else [])]
            parts.append(f"\n## {supervisor}, {phase}\n\n")
            parts.append(f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}\n")
            for name, fault in FAULTS.items():
                outcome = of.get((name, phase))
                cells = _cells(outcome, busy=busy) if outcome else ["-"] * (len(columns) - 1)
                parts.append(f"| {' | '.join([fault.words, *cells])} |\n")
    return "".join(parts)


def _cells(outcome: Outcome, *, busy: bool) -> list[str]:
    times = [outcome.detect_s, outcome.serve_s]
    shown = ["" if time is None else f"{time:.1f}" for time in times]
    return [outcome.verdict, *shown, *([str(outcome.lost)] if busy else [])]


def verdicts_of(outcomes: Sequence[Outcome]) -> dict[tuple[str, str], str]:
    """Return (fault in words, phase) → verdict."""
    return {(FAULTS[o.fault].words, o.phase): o.verdict for o in outcomes}


def documented(supervisor: str) -> dict[tuple[str, str], str]:
    """Return the same of the document."""
    text = DOCUMENT.read_text(encoding="utf-8")
    found = {}
    for section in text.split("\n## ")[1:]:
        title, *lines = section.splitlines()
        name, _, phase = title.partition(", ")
        for line in lines:
            cells = re.split(r" \| ", line.strip("| "))
            if name == supervisor and len(cells) > 1 and cells[1] not in {"verdict", "-"}:
                found[cells[0], phase] = cells[1]
    return {key: value for key, value in found.items() if not key[0].startswith("---")}


def problems_of(outcomes: Sequence[Outcome]) -> list[str]:
    """Return what is not as it has to be, in words."""
    found = []
    for outcome in outcomes:
        where = f"{outcome.fault} while {outcome.phase}: {outcome.verdict}"
        expected = FAULTS[outcome.fault].expected[outcome.phase]  # type: ignore[index]  # a phase
        if outcome.verdict != expected:
            found.append(f"{where}, expected {expected}: {outcome.said}")
        if outcome.left_over:
            found.append(f"{where}: {outcome.left_over} processes left over")
        if outcome.verdict == "ignored" and outcome.lost:
            found.append(f"{where}: {outcome.lost} requests lost")
        if (
            outcome.verdict.startswith("stopped")
            and "run `sudo trtllm-install`" not in outcome.shown
        ):
            found.append(f"{where}: the supervisor does not show the remedy: {outcome.shown}")
    return found


def main() -> int:
    """Run it under both supervisors and write the document."""
    found = {supervisor: run(supervisor) for supervisor in SUPERVISORS}
    head = DOCUMENT.read_text(encoding="utf-8").partition("\n## ")[0].rstrip("\n") + "\n"
    DOCUMENT.write_text(head + render(found), encoding="utf-8")
    problems = [p for outcomes in found.values() for p in problems_of(outcomes)]
    sys.stderr.write("".join(f"{problem}\n" for problem in problems))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
