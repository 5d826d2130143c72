"""The first half of the sentence: what is wanted, what is there, and whether it will do."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from typing import Final

from trtllm_install import resources
from trtllm_install.app.engine_choice import read_recipe
from trtllm_install.app.memory import memory_plan, pinned
from trtllm_install.app.options import Options
from trtllm_install.app.packages import ask_distribution
from trtllm_install.app.prepare import Wanted, prepare
from trtllm_install.app.reporter import Reporter
from trtllm_install.config.shipped_advisories import read_advisories
from trtllm_install.engines.interpreter import find_interpreter
from trtllm_install.host.protocol import Host
from trtllm_install.judge.judge import Known, judge
from trtllm_install.model.advisories import Advisory
from trtllm_install.model.errors import PreflightFailed
from trtllm_install.model.facts import EngineFacts, Facts, Unknown
from trtllm_install.model.findings import Finding, accepted, blocking
from trtllm_install.model.memory import MemoryPlan
from trtllm_install.model.receipt import Receipt
from trtllm_install.model.remedies import fix_lines
from trtllm_install.model.scope import Scope, parse_scope
from trtllm_install.probes.observe import observe, observe_weights
from trtllm_install.probes.removed import probe_removed
from trtllm_install.receipts.store import read_receipt

HIDDEN: Final = "needs-root-to-see"
_WEIGHTS: Final = frozenset({"weights"})
_PROGRAMS: Final = frozenset({"proxy", "system"})  # what apt has to be asked about
ADVISORIES: Final = "configs/advisories.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What is wanted, what was found, and every finding about the two."""

    wanted: Wanted
    facts: Facts
    findings: tuple[Finding, ...]
    receipt: Receipt | None
    memory: MemoryPlan
    scope: Scope

    @property
    def errors(self) -> tuple[Finding, ...]:
        """Findings that stop an install: not accepted, and not the consequence of another."""
        return tuple(blocking(self.findings))

    @property
    def hidden(self) -> tuple[Finding, ...]:
        """Parts that this user may not see, so that nothing was said about them."""
        return tuple(f for f in self.findings if f.code == HIDDEN and f.muted_by is None)


def look_at(host: Host, options: Options, reporter: Reporter) -> Judged:
    """Observe and judge; raises ConfigError for what was asked, never for what was found."""
    reporter.phase("check the host")
    # What is wrong with the command is said before anything of the host.
    scope = parse_scope(options.only, smoke=options.smoke, deep=options.deep)
    accepted((), options.accept)
    receipt = read_receipt(host)
    wanted = prepare(host, options, receipt)
    reporter.profile(wanted.installation.profile)
    facts = _observed(host, wanted, options, scope)
    if receipt and options.on_conflict in {"keep", "fail"}:
        facts = replace(facts, removed=probe_removed(host, tuple(receipt.files)))
    memory = memory_plan(wanted, facts)
    if options.memory == "pin" and not (memory.pinned and memory.sound):
        wanted = pinned(host, options, receipt, facts)
        memory = memory_plan(wanted, facts)
    return Judged(
        wanted=wanted,
        facts=facts,
        findings=judged_findings(wanted, facts, memory, options, scope),
        receipt=receipt,
        memory=memory,
        scope=scope,
    )


def _observed(host: Host, wanted: Wanted, options: Options, scope: Scope) -> Facts:
    """Observe the host: apt and big weights, which take a second each, beside the rest."""
    installation = wanted.installation

    def seen(parts: frozenset[str]) -> Facts:
        return observe(host, installation, engine_path=wanted.engine.program, parts=parts)

    if host.image():
        return seen(scope.parts)
    with ThreadPoolExecutor(2) as pool:
        programs = seen(scope.parts & _PROGRAMS)
        packages = pool.submit(ask_distribution, host, programs, installation, options)
        read = scope.parts >= _WEIGHTS
        weights = pool.submit(observe_weights, host, installation) if read else None
        facts = seen(scope.parts - _PROGRAMS - _WEIGHTS)
        facts = replace(facts, engine=_with_builder(host, facts.engine, wanted))
        return replace(
            facts,
            proxy=programs.proxy,
            system=programs.system,
            weights=weights.result() if weights else facts.weights,
            packages=packages.result(),
        )


def _with_builder(
    host: Host, engine: EngineFacts | Unknown, wanted: Wanted
) -> EngineFacts | Unknown:
    """Look for the Python of an engine that is yet to be added; it takes processes to tell."""
    if wanted.installation.simulate or not isinstance(engine, EngineFacts) or engine.present:
        return engine
    python = find_interpreter(host, read_recipe(wanted.installation.engine_version).pythons)
    return replace(engine, builder=python.path if python and python.makes_venvs else None)


def judged_findings(
    wanted: Wanted, facts: Facts, memory: MemoryPlan, options: Options, scope: Scope
) -> tuple[Finding, ...]:
    """Return every finding in ``scope``, errors that the operator accepts made warnings."""
    known = Known(
        advisories=shipped_advisories(),
        keys=wanted.keys,
        recipe=read_recipe(wanted.installation.engine_version),
    )
    found = judge(facts, wanted.installation, memory, known)
    if scope.asked is not None:
        found = tuple(f for f in found if f.code in scope.made)
    return accepted(found, options.accept)


@cache
def shipped_advisories() -> tuple[Advisory, ...]:
    """Return what is known to go wrong; a file that is ill-formed is a bug of ours."""
    return read_advisories(resources.read_text(ADVISORIES), ADVISORIES)


def refuse_errors(judged: Judged) -> None:
    """Raise PreflightFailed when anything found would keep the models from running."""
    errors = judged.errors
    if not errors:
        return
    raise Refused(judged.findings, f"install profile {judged.wanted.installation.profile} here")


class Refused(PreflightFailed):
    """A failed preflight with everything that was found."""

    def __init__(self, findings: tuple[Finding, ...], deed: str) -> None:
        errors = list(blocking(findings))
        lines = [
            line
            for f in errors
            for line in (f"  {f.message}  [{f.code}]", *(f"    {x}" for x in fix_lines(f.remedy)))
        ]
        count = f"{len(errors)} reason{'s' if len(errors) > 1 else ''}"
        super().__init__(
            f"cannot {deed}: {count}; nothing was changed\n" + "\n".join(lines),
            hint="mend them, or accept one that you know better: --accept CODE",
        )
        self.findings = findings
