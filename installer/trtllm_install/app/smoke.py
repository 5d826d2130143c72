"""Tries CUDA on the GPUs of a profile, in the sandbox that its units would run in."""

import sys
from dataclasses import replace

from trtllm_install.app.desired import desired_tree
from trtllm_install.app.observe import Judged, judged_findings, refuse_errors
from trtllm_install.app.options import Options
from trtllm_install.app.reporter import Reporter
from trtllm_install.host.protocol import Host
from trtllm_install.judge.gpus import used_gpus
from trtllm_install.model import layout
from trtllm_install.model.facts import Facts, Gpu, GpuFacts, SmokeFacts, Unknown
from trtllm_install.model.tree import Plan
from trtllm_install.probes.smoke import Sandbox, account_sandbox, probe_smoke, systemd_sandbox
from trtllm_install.render.sandbox import Group, sandbox_of


def with_smoke(host: Host, judged: Judged, options: Options) -> Judged:
    """Return the same with CUDA tried, and judged anew; unchanged where nothing can be tried.

    GPUs on which services of ours run are left alone: these prove more than a test would.
    """
    wanted = judged.wanted.installation
    if wanted.simulate or not isinstance(judged.facts.gpu, GpuFacts):
        return judged
    gpus = used_gpus(judged.facts, wanted)
    idle = [g for g in gpus if not any(p.ours and not p.left_over for p in g.processes)]
    if not idle:
        return judged
    facts = replace(judged.facts, smoke=_tried(host, judged, idle))
    findings = judged_findings(judged.wanted, facts, judged.memory, options, judged.scope)
    return replace(judged, facts=facts, findings=findings)


def try_cuda_first(
    host: Host, judged: Judged, plan: Plan, options: Options, reporter: Reporter
) -> Judged:
    """Try CUDA when the plan starts a model; raises PreflightFailed with nothing changed.

    A run that starts none has nothing to learn from it, and is to be quick.
    """
    models = {instance.name for instance in judged.wanted.installation.instances}
    starting = any(change.name in models for change in plan.starting)
    if not starting or judged.wanted.installation.simulate:
        return judged
    reporter.phase("try CUDA as the services will use it")
    tried = with_smoke(host, judged, options)
    reporter.findings([f for f in tried.findings if f not in judged.findings])
    refuse_errors(tried)
    reporter.note(smoke_sentence(tried.facts))
    return tried


def smoke_sentence(facts: Facts) -> str:
    """Return how the trial went, in one line for people; a failure has its finding as well."""
    smoke = facts.smoke
    if smoke is None:
        return "CUDA was not tried: no GPU is free of our own services, or none is there"
    if isinstance(smoke, Unknown):
        return "CUDA was not tried"
    count = f"{len(smoke.gpus)} GPU{'s' if len(smoke.gpus) > 1 else ''}"
    if smoke.outside.failed:
        return f"CUDA does not work on {count} ({smoke.seconds:.1f} s)"
    if not smoke.inside or isinstance(smoke.inside, Unknown):
        return (
            f"CUDA works on {count}, and was not tried as services run it ({smoke.seconds:.1f} s)"
        )
    if smoke.inside.failed:
        return f"CUDA works on {count}, and not as services run it ({smoke.seconds:.1f} s)"
    return f"CUDA works on {count}, also as services run it ({smoke.seconds:.1f} s)"


def _tried(host: Host, judged: Judged, idle: list[Gpu]) -> SmokeFacts | Unknown | None:
    whole = [g.uuid for g in idle if not g.mig]
    if not whole:
        return Unknown(reason="slices of MIG are not tried")
    smoke = probe_smoke(host, whole, _sandbox(host, judged), python=_python(host))
    if isinstance(smoke, SmokeFacts) and smoke.inside is None and not smoke.outside.failed:
        return replace(smoke, inside=Unknown(reason="only root can run it as the units would"))
    return smoke


def _sandbox(host: Host, judged: Judged) -> Sandbox | None:
    """Return the sandbox of the first instance; all have the same, but for their weights."""
    if not host.is_root():
        return None
    known = host.account_exists(layout.USER)
    if judged.wanted.installation.supervisor != "systemd":
        return account_sandbox(layout.USER if known else "nobody")
    desired = desired_tree(judged.wanted, judged.facts)
    path = f"{layout.UNITS}/{layout.unit(judged.wanted.installation.instances[0].name)}"
    unit = next(file.content.decode() for file in desired.files if file.path == path)
    groups = sandbox_of(unit, *_drop_ins(host, f"{path}.d"))
    return systemd_sandbox(groups if known else tuple(_as_nobody(g) for g in groups))


def _drop_ins(host: Host, folder: str) -> list[str]:
    names = (name for name in host.names_in(folder) if name.endswith(".conf"))
    return [(host.read(f"{folder}/{name}") or b"").decode(errors="replace") for name in names]


def _as_nobody(group: Group) -> Group:
    """Return the properties for a host on which the service user is yet to be made."""
    if not any(text.startswith("User=") for text in group):
        return group
    return ("User=nobody",)


def _python(host: Host) -> str:
    """Return a Python that a sandbox without homes still shows; the child needs no package."""
    tool = f"{layout.TOOL}/bin/python3"
    if host.look(host.resolve(tool)):
        return tool
    return host.which("python3") or sys.executable
