"""Plans, findings and states as text for people and as values for JSON."""

from collections.abc import Iterator, Sequence

from trtllm_install.app.reporter import Live, Progress
from trtllm_install.model.facts import (
    Facts,
    ProxyBinary,
    SmokeFacts,
    SupervisorFacts,
    SystemFacts,
    Unknown,
)
from trtllm_install.model.facts.gpu import SmokeRun
from trtllm_install.model.facts.host import FileSystem, Guards, Kernel
from trtllm_install.model.findings import Finding, Severity
from trtllm_install.model.hashes import DeepFacts
from trtllm_install.model.remedies import fix_lines
from trtllm_install.model.scope import Scope
from trtllm_install.model.tree import Action, Change, Plan, ServiceChange
from trtllm_install.plan.diff import unified

_SIGNS = {
    Action.CREATE: "+",
    Action.REPLACE: "~",
    Action.CHMOD: "~",
    Action.REMOVE: "-",
    Action.KEEP: "=",
}


def plan_lines(plan: Plan) -> Iterator[str]:
    """Yield the plan with its diffs, the way it will be carried out."""
    for change in plan.changes:
        mode = f" {change.mode:04o} {change.owner}" if change.kind in {"file", "directory"} else ""
        arrow = f" -> {change.target}" if change.kind == "link" and change.target else ""
        arrow = f" {change.target}".rstrip() if change.kind == "package" else arrow
        shown = mode if change.action in {Action.CREATE, Action.CHMOD} else ""
        yield f"{_SIGNS[change.action]} {change.kind} {change.path}{arrow}{shown} ({change.reason})"
        for line in unified(change).splitlines():
            yield f"    {line}"
    for service in plan.services:
        yield f"! {service.action.value} {service.name} ({service.reason})"


def counted(number: int, word: str) -> str:
    """Return "1 change", "3 changes"."""
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def size_words(size: int) -> str:
    """Return "3 kB", "1.2 GB"."""
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= factor:
            return f"{size / factor:.1f} {unit}"
    return f"{size} B"


def plan_summary(plan: Plan) -> str:
    """Return one line: what kinds of change, how many."""
    words = {"directory": "folder", "account": "user"}
    parts = [
        counted(number, words.get(kind, kind))
        for kind in ("package", "account", "directory", "file", "link")
        if (number := sum(c.kind == kind for c in plan.writes))
    ]
    if plan.services:
        parts.append(counted(len(plan.services), "service"))
    return f"{counted(plan.count, 'change')}: {', '.join(parts)}" if parts else "0 changes"


def finding_lines(findings: Sequence[Finding]) -> Iterator[str]:
    """Yield every finding that is not the consequence of another, worst first."""
    order = [Severity.ERROR, Severity.WARNING, Severity.INFO]
    for finding in sorted(findings, key=lambda f: order.index(f.severity)):
        if finding.muted_by is None:
            accepted = ", accepted" if finding.accepted else ""
            yield f"{finding.severity.value}: {finding.message}  [{finding.code}{accepted}]"
            if finding.remedy and finding.severity is not Severity.INFO:
                yield from (f"  {line}" for line in fix_lines(finding.remedy))
                yield from (f"      {line}" for line in finding.change.splitlines())
            yield from (f"  see: {source}" for source in finding.sources)


def change_value(change: Change) -> dict[str, object]:
    """Return a change for an event: that it happened."""
    return {
        "action": change.action.value,
        "kind": change.kind,
        "path": change.path,
        "reason": change.reason,
    }


def change_values(changes: Sequence[Change]) -> list[dict[str, object]]:
    """Return changes for the document: with what differs, secrets masked."""
    return [{**change_value(change), "diff": unified(change)} for change in changes]


def service_value(change: ServiceChange) -> dict[str, object]:
    """Return a touched service for JSON, in the form of a change."""
    return {
        "action": change.action.value,
        "kind": "service",
        "path": change.name,
        "reason": change.reason,
    }


def plan_values(plan: Plan) -> list[dict[str, object]]:
    """Return a plan for JSON: files first, then services."""
    return change_values(plan.changes) + [service_value(s) for s in plan.services]


def finding_values(findings: Sequence[Finding]) -> list[dict[str, object]]:
    """Return findings for JSON."""
    return [
        {
            "code": f.code,
            "severity": f.severity.value,
            "title": f.title,
            "subject": f.subject,
            "message": f.message,
            "remedy": f.remedy,
            "muted_by": f.muted_by,
            "accepted": f.accepted,
            "advisory": f.advisory or None,
            "sources": list(f.sources),
            "change": f.change or None,
        }
        for f in findings
    ]


def system_values(facts: Facts) -> dict[str, object]:
    """Return for JSON what was read of the host around the GPUs; null where it was not."""
    host, system = facts.host, facts.system
    known = system if isinstance(system, SystemFacts) else None
    proxy = facts.proxy if isinstance(facts.proxy, ProxyBinary) else None
    supervisor = facts.supervisor if isinstance(facts.supervisor, SupervisorFacts) else None
    kernel = host.kernel if host and isinstance(host.kernel, Kernel) else None
    return {
        "kernel": kernel.release if kernel else None,
        "machine": kernel.machine if kernel else None,
        "glibc": (host.glibc or None) if host and isinstance(host.glibc, str) else None,
        "distribution": _distribution(host.os_release) if host else None,
        "dgx": (host.dgx or None) if host else None,
        "memory_total": known.memory_total if known else None,
        "memory_available": known.memory_available if known else None,
        "shared_memory": _disk_value(host.shared_memory) if host else None,
        "disks": [_disk_value(disk) for disk in host.disks] if host else [],
        "systemd": supervisor.systemd_version if supervisor else None,
        "selinux": host.guards.selinux if host and isinstance(host.guards, Guards) else None,
        "cuda_toolkit": (known.toolkit or None) if known else None,
        "open_mpi": (known.open_mpi or None) if known else None,
        "proxy": f"{proxy.kind} {proxy.package or proxy.version}" if proxy else None,
    }


def _distribution(os_release: str) -> str | None:
    fields = dict(line.partition("=")[::2] for line in os_release.splitlines())
    return fields.get("PRETTY_NAME", "").strip('"') or None


def _disk_value(disk: FileSystem | Unknown | None) -> dict[str, object] | None:
    if not isinstance(disk, FileSystem):
        return None
    names = ("path", "mount", "source", "kind", "free")
    return {name: getattr(disk, name) for name in names}


def scope_values(scope: Scope) -> dict[str, object]:
    """Return for JSON which checks were made, so that a part is not taken for the whole."""
    return {
        "only": None if scope.asked is None else list(scope.asked),
        "made": list(scope.made),
        "left_out": list(scope.left_out),
    }


def scope_words(scope: Scope) -> str:
    """Return how many checks a run with ``--only`` made, none of which found an error."""
    made, every = len(scope.made), len(scope.made) + len(scope.left_out)
    return f"{made} of {every} checks were made, and none of them found an error"


def smoke_values(smoke: SmokeFacts | Unknown | None) -> dict[str, object] | None:
    """Return the CUDA smoke test for JSON, None where nothing could be tried."""
    if not isinstance(smoke, SmokeFacts):
        return None
    inside = smoke.inside if isinstance(smoke.inside, SmokeRun) else None
    return {
        "gpus": list(smoke.gpus),
        "outside": not smoke.outside.failed,
        "inside": None if inside is None else not inside.failed,
        "breaks": list(smoke.breaks),
        "seconds": round(smoke.seconds, 3),
    }


def progress_words(progress: Progress) -> str:
    """Return how far the hashing is: "1.2 of 34.9 GiB, 0.8 GiB/s, 42 s left, 3 of 17 files"."""
    gib = 2**30
    left = progress.left_s
    rest = "" if left is None or progress.files == progress.of else f"{left:.0f} s left, "
    return (
        f"{progress.done / gib:.1f} of {progress.total / gib:.1f} GiB, "
        f"{progress.rate / gib:.2f} GiB/s, {rest}{progress.files} of {progress.of} files"
    )


def deep_values(deep: DeepFacts) -> dict[str, object]:
    """Return hashes for JSON."""
    return {
        "bytes_read": deep.read,
        "seconds": round(deep.seconds, 3),
        "files": [
            {
                "instance": h.file.instance,
                "path": f"{h.file.folder}/{h.file.name}",
                "size": h.file.identity.size,
                "sha256": h.sha256,
                "hub_agrees": h.hub_agrees,
                "read": h.read,
            }
            for h in deep.files
        ],
    }


def deep_words(deep: DeepFacts) -> str:
    """Return what the hashing came to, in one line."""
    said = [h for h in deep.files if h.hub_agrees is not None]
    agree = sum(h.hub_agrees is True for h in said)
    kept = sum(not h.read for h in deep.files)
    before = f", {kept} of them by the run before" if kept else ""
    hub = f"{agree} of {len(said)} as the hub has them" if said else "no hashes of the hub are here"
    compared = f"; compared with {deep.manifest}" if deep.manifest else ""
    return f"{counted(len(deep.files), 'file')} hashed{before}; {hub}{compared}"


def live_values(services: Sequence[Live]) -> list[dict[str, object]]:
    """Return states for JSON."""
    return [
        {
            "name": live.name,
            "state": live.state,
            "status": live.status,
            "since": live.since,
            "port": live.port,
            "pid": live.pid,
            "child_pid": live.child_pid,
            "load_seconds": live.load_s,
            "exit": {"code": live.exit_code, "reason": live.exit_reason}
            if live.exit_code is not None
            else None,
        }
        for live in services
    ]


def try_it(endpoint: str, models: Sequence[str], *, keyed: bool = False) -> Iterator[str]:
    """Yield commands that work now; where clients are asked for a key, once one is put in."""
    yield (
        "Try it, once $KEY is a key that `sudo trtllm-install keys add NAME` prints:"
        if keyed
        else "Try it:"
    )
    shown = '-H "Authorization: Bearer $KEY" ' if keyed else ""
    yield f"  curl {shown}{endpoint}/v1/models"
    for model in models:
        asked = f"{shown}{endpoint}/v1/chat/completions"
        yield f"  curl {asked} -H 'Content-Type: application/json' \\"
        body = f'{{"model": "{model}", "messages": [{{"role": "user", "content": "Hello"}}]}}'
        yield f"    -d '{body}'"
