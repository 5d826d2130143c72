"""Judges the content of the weights by their hashes."""

import shlex
from collections.abc import Iterator

from trtllm_install.judge.weights import as_owner, download
from trtllm_install.model.facts import Facts, WeightsFacts
from trtllm_install.model.findings import Finding, found
from trtllm_install.model.hashes import DeepFacts, HashedFile, WeightFile
from trtllm_install.model.installation import Installation, Instance

_AGAIN = "trtllm-install check --deep --record, once it is known why"


def judge_deep(deep: DeepFacts, facts: Facts, installation: Installation) -> tuple[Finding, ...]:
    """Return what differs from the hub and from what was written down; same for same input."""
    instances = {i.name: i for i in installation.instances}
    weights = {n: w for n, w in facts.weights if isinstance(w, WeightsFacts)}
    return (
        *(
            _other_than_hub(f, instances[f.file.instance], weights[f.file.instance])
            for f in deep.files
            if f.hub_agrees is False
        ),
        *(_moving(file) for file in deep.moving),
        *_changed(deep),
    )


def _other_than_hub(hashed: HashedFile, instance: Instance, weights: WeightsFacts) -> Finding:
    path = f"{hashed.file.folder}/{hashed.file.name}"
    return found(
        "weights-hash-differs",
        instance.name,
        what=f"{path} has sha256 {hashed.sha256}",
        expected=f"{hashed.file.hub}, as the hub said when it was downloaded",
        remedy=f"{shlex.join([*as_owner(weights), 'rm', path])} && {download(instance, weights)}",
    )


def _moving(file: WeightFile) -> Finding:
    return found(
        "weights-changed",
        file.instance,
        what=f"{file.folder}/{file.name} changed while it was read",
        expected="files that rest",
        remedy="trtllm-install check --deep, once nothing writes there",
    )


def _changed(deep: DeepFacts) -> Iterator[Finding]:
    """Yield every difference from the manifest: other content, files that came and went."""
    if deep.recorded is None:
        return
    for folder, instance in dict.fromkeys((f.file.folder, f.file.instance) for f in deep.files):
        before = deep.recorded.get(folder)
        now = {f.file.name: f.sha256 for f in deep.files if f.file.folder == folder}
        if before is None:
            yield _difference(instance, folder, "was not recorded", f"it in {deep.manifest}")
            continue
        for name in sorted({*before, *now}):
            path = f"{folder}/{name}"
            if name not in now:
                yield _difference(instance, path, "is gone", f"sha256 {before[name]}")
            elif name not in before:
                yield _difference(instance, path, f"is new, sha256 {now[name]}", "no such file")
            elif before[name] != now[name]:
                expected = f"{before[name]}, as recorded in {deep.manifest}"
                yield _difference(instance, path, f"has sha256 {now[name]}", expected)


def _difference(instance: str, path: str, what: str, expected: str) -> Finding:
    return found(
        "weights-changed", instance, what=f"{path} {what}", expected=expected, remedy=_AGAIN
    )
