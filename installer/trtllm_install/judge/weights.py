"""Judges the checkpoints."""

import shlex
from collections.abc import Iterator, Mapping
from typing import Final

from trtllm_install.model import layout
from trtllm_install.model.facts import Blocked, Facts, FileFault, WeightsFacts
from trtllm_install.model.findings import Finding, found
from trtllm_install.model.installation import Installation, Instance

_CODES: Final[dict[FileFault, str]] = {
    "absent": "weights-incomplete",
    "not-a-file": "weights-not-a-file",
    "short": "weights-truncated",
    "long": "weights-overlong",
    "header": "weights-header-invalid",
    "layout": "weights-layout-invalid",
    "config": "weights-config-invalid",
    "differs": "weights-index-differs",
    "total": "weights-total-differs",
}
_CODE: Final = "trust_remote_code"
# ProtectHome=tmpfs makes these folders anew in the unit, so their modes do not matter there.
_HOMES: Final = ("/home", "/root", "/run/user")


def check_weights(facts: Facts, installation: Installation) -> Iterator[Finding]:
    """Find checkpoints that are missing, incomplete, damaged or closed to the service user."""
    observed = dict(facts.weights)
    for instance in installation.instances:
        weights = observed.get(instance.name)
        if not isinstance(weights, WeightsFacts) or _is_simulated(installation, instance):
            continue
        if not weights.present:
            yield _missing(installation, instance, weights)
            continue
        for problem in weights.problems:
            again = download(instance, weights)
            if problem.fault != "absent":
                # What is there would be taken for what was downloaded.
                remove = "rm -r" if problem.fault == "not-a-file" else "rm"
                again = f"{remove} {shlex.quote(problem.path)} && {again}"
            yield found(
                _CODES[problem.fault],
                instance.name,
                what=f"{problem.path}: {problem.found}{_interrupted(weights)}",
                expected=problem.expected,
                remedy=again,
            )
        blocked = [b for b in weights.blocked if _matters(b, installation)]
        if blocked:
            yield _unreadable(instance, blocked)


def check_remote_code(
    facts: Facts, installation: Installation, keys: Mapping[str, Mapping[str, object]]
) -> Iterator[Finding]:
    """List the code that checkpoints bring or name, where an argument or the YAML lets it run.

    ``keys`` are, by instance, the engine's arguments with its YAML over them.
    """
    observed = dict(facts.weights)
    for instance in installation.instances:
        weights = observed.get(instance.name)
        allowed = keys.get(instance.name, {}).get(_CODE)
        if not isinstance(weights, WeightsFacts) or not allowed:
            continue
        if weights.remote_code:
            yield _code(instance, weights)
        if weights.code_elsewhere:
            yield _code_elsewhere(instance, weights)


def _is_simulated(installation: Installation, instance: Instance) -> bool:
    """Tell whether install writes these weights itself."""
    return installation.simulate and instance.weights.startswith(layout.SIMULATED_WEIGHTS)


def _missing(installation: Installation, instance: Instance, weights: WeightsFacts) -> Finding:
    return found(
        "weights-missing",
        instance.name,
        what=f"no checkpoint in {weights.folder} (the weights folder is {installation.weights_dir})"
        + (f", because {weights.in_the_way}" if weights.in_the_way else _interrupted(weights)),
        expected=f"config.json, a tokenizer and safetensors of {instance.model}",
        remedy="mount the disk that they are on, or say where they are: --weights-dir DIR"
        if weights.in_the_way
        else f"{download(instance, weights)} (or say where they are: --weights-dir DIR)",
    )


def _interrupted(weights: WeightsFacts) -> str:
    """Say that a download was cut off; the command that began it goes on where it stopped."""
    if not weights.unfinished:
        return ""
    files = "1 file" if weights.unfinished == 1 else f"{weights.unfinished} files"
    return f"; a download was interrupted with {files} half done, and the same command resumes it"


def download(instance: Instance, weights: WeightsFacts) -> str:
    """Return the command that fetches what lacks; it goes on where an earlier one stopped."""
    words = ["hf", "download", instance.model, "--local-dir", instance.weights]
    return shlex.join([*as_owner(weights), *words])


def as_owner(weights: WeightsFacts) -> list[str]:
    """Return what begins a command of whoever owns the folder; sudo wants a bare uid marked."""
    owner = weights.download_as
    return ["sudo", "-u", f"#{owner}" if owner.isdecimal() else owner] if owner else []


def _code(instance: Instance, weights: WeightsFacts) -> Finding:
    listed = ", ".join(
        f"{c.name} sha256:{c.sha256}" if c.sha256 else f"{c.name} (too large to hash)"
        for c in weights.remote_code
    )
    return found("weights-remote-code", instance.name, what=listed)


def _code_elsewhere(instance: Instance, weights: WeightsFacts) -> Finding:
    first = weights.code_elsewhere[0]
    repository = first.partition("--")[0]
    fetch = ["hf", "download", repository, "--include", "*.py", "--local-dir", weights.folder]
    return found(
        "weights-code-elsewhere",
        instance.name,
        what=f"auto_map names {', '.join(weights.code_elsewhere)}",
        expected="code that lies in the checkpoint's own folder; the engine runs offline",
        remedy=f"read that code, fetch it ({shlex.join(fetch)}), and take '{repository}--' "
        f"out of auto_map in {weights.folder}",
    )


def _matters(blocked: Blocked, installation: Installation) -> bool:
    if not blocked.above or installation.supervisor != "systemd":
        return True
    # Under systemd process 1 binds the weights folder into the unit, past a closed home.
    hidden = any(blocked.path == h or blocked.path.startswith(h + "/") for h in _HOMES)
    bound = f"{blocked.path}/".startswith(f"{installation.weights_dir}/")
    return bound or not hidden


def _unreadable(instance: Instance, blocked: list[Blocked]) -> Finding:
    first = blocked[0]
    more = f", and {len(blocked) - 1} more" if len(blocked) > 1 else ""
    # X gives the right to enter to folders alone.
    below = [b.path for b in blocked if not b.above]
    above = [b.path for b in blocked if b.above]
    commands = [f"sudo chmod o+x {shlex.join(above)}"] if above else []
    commands += [f"sudo chmod -R o+rX {shlex.join(_tops(below))}"] if below else []
    return found(
        "weights-unreadable",
        instance.name,
        what=f"{first.path} is {first.mode:04o} {first.owner}:{first.group}{more}",
        expected=f"modes that let user {layout.USER} in",
        remedy=" && ".join(commands),
    )


def _tops(paths: list[str]) -> list[str]:
    """Return the paths that are not below another of them."""
    return [p for p in paths if not any(p.startswith(q + "/") for q in paths)]
