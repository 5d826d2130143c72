"""Judges a host by what is known of versions, GPUs and models: ``configs/advisories.yaml``."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from trtllm_install.judge.gpus import gpus_of
from trtllm_install.model import layout
from trtllm_install.model.advisories import CODES, Advisory, Setting, When
from trtllm_install.model.facts import Facts, GpuFacts, ProxyBinary, SystemFacts, WeightsFacts
from trtllm_install.model.findings import Finding, found
from trtllm_install.model.installation import Installation, Instance
from trtllm_install.model.versions import meets, parse_version

Keys = Mapping[str, object]
# Debian's 1.22.1-9+deb12u1, Ubuntu's 1.24.0-2ubuntu7.13, Fedora's 1.30.7-1.fc42
_PATCHED: Final = ("deb", "ubuntu", ".el", ".fc", "~bpo")


def check_advisories(
    facts: Facts,
    installation: Installation,
    advisories: Sequence[Advisory],
    keys: Mapping[str, Keys],
) -> Iterator[Finding]:
    """Find what is known to go wrong here, in the order of the file.

    ``keys`` are, by instance, the engine's arguments with its YAML over them. An advisory
    applies only where each of its conditions is known to be met: what could not be read
    has a finding of its own.
    """
    for advisory in advisories:
        if advisory.about == "instance":
            for instance in installation.instances:
                if _applies(advisory.when, facts, installation, [instance], keys):
                    yield _told(advisory, instance.name, instance)
        elif advisory.about == "host" and _applies(
            advisory.when, facts, installation, installation.instances, keys
        ):
            yield _told(advisory, "this host")
    yield from _proxy(facts.proxy, [a for a in advisories if a.about == "proxy"])


def _told(advisory: Advisory, subject: str, instance: Instance | None = None) -> Finding:
    change = _site_lines(instance, advisory.change) if instance and advisory.change else ""
    remedy = advisory.remedy
    if change:
        add = f"write these lines into {layout.SITE_FILE}, then run sudo trtllm-install"
        remedy = f"{remedy}; or {add}" if remedy else add
    finding = found(
        CODES[advisory.severity],
        subject,
        what=f"{advisory.what} ({advisory.id})",
        expected=advisory.expected,
        remedy=remedy,
    )
    return replace(finding, advisory=advisory.id, sources=advisory.sources, change=change)


def _site_lines(instance: Instance, change: Keys) -> str:
    """Return the change as lines of the site file; JSON's values are YAML's."""
    lines = ["instances:", f"  {instance.name}:", "    engine:"]
    for key, value in change.items():
        if isinstance(value, Mapping):
            lines.append(f"      {key}:")
            lines += [f"        {inner}: {_scalar(v)}" for inner, v in value.items()]
        else:
            lines.append(f"      {key}: {_scalar(value)}")
    return "\n".join(lines)


def _scalar(value: object) -> str:
    plain = isinstance(value, str) and value.replace("-", "").replace("_", "").isalpha()
    return str(value) if plain else json.dumps(value)


def _applies(
    when: When,
    facts: Facts,
    installation: Installation,
    instances: Sequence[Instance],
    keys: Mapping[str, Keys],
) -> bool:
    driver = facts.gpu.driver if isinstance(facts.gpu, GpuFacts) else ""
    toolkit = facts.system.toolkit if isinstance(facts.system, SystemFacts) else ""
    return (
        _version_meets(installation.engine_version, when.engine)
        and _version_meets(driver, when.driver)
        and _version_meets(toolkit, when.toolkit)
        and (not when.profile or installation.profile in when.profile)
        and any(_instance_meets(when, facts, instance, keys) for instance in instances)
    )


def _instance_meets(when: When, facts: Facts, instance: Instance, keys: Mapping[str, Keys]) -> bool:
    weights = dict(facts.weights).get(instance.name)
    seen = weights if isinstance(weights, WeightsFacts) else None
    capabilities = {".".join(map(str, g.capability)) for g in gpus_of(facts, instance)}
    said = keys.get(instance.name, {})
    return (
        (not when.capability or bool(capabilities & set(when.capability)))
        and (not when.backend or instance.backend in when.backend)
        and (not when.model_type or (seen is not None and seen.model_type in when.model_type))
        and (not when.quantization or (seen is not None and seen.quantization in when.quantization))
        and all(_setting_meets(setting, said) for setting in when.settings)
    )


def _setting_meets(setting: Setting, keys: Keys) -> bool:
    value: object = keys
    for part in setting.key.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    value = setting.default if value is None else value
    if setting.above is not None:
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return number and float(str(value)) > setting.above
    if setting.differs is not None:
        return value != setting.differs
    return value == setting.equals


def _version_meets(text: str, conditions: Sequence[str]) -> bool:
    """Tell whether a version meets any condition; one that is not known meets none."""
    if not conditions:
        return True
    version = parse_version(text)
    return version is not None and any(meets(version, condition) for condition in conditions)


def _proxy(binary: object, advisories: Sequence[Advisory]) -> Iterator[Finding]:
    """Find a proxy program with published faults: all of them in one finding."""
    if not isinstance(binary, ProxyBinary):
        return
    subject = f"{binary.kind} {binary.version}"
    if parse_version(binary.version) is None:
        yield found(
            "proxy-patches-unknown",
            subject,
            what=f"{binary.path} states no version that can be compared",
            remedy=f"{binary.path} -V",
        )
        return
    mine = [a for a in advisories if _version_meets(binary.version, _of(a.when, binary.kind))]
    mine = [a for a in mine if _of(a.when, binary.kind)]
    if not mine:
        return
    if any(mark in binary.package.partition("-")[2] for mark in _PATCHED):
        ids = ", ".join(a.id.upper() for a in mine)
        finding = found(
            "proxy-patches-unknown",
            subject,
            what=f"package {binary.package}; distributions mend without a new version, so the "
            f"version does not tell whether these are mended: {ids}",
            remedy="sudo apt-get update && sudo apt-get install --only-upgrade nginx "
            "libnginx-mod-http-lua, and apt-get changelog nginx",
        )
    else:
        finding = found(
            "proxy-vulnerable",
            subject,
            what="; ".join(f"{a.id.upper()}: {a.what}" for a in mine),
            expected=mine[0].expected,
            remedy=mine[0].remedy,
        )
    sources = tuple(dict.fromkeys(source for a in mine for source in a.sources))
    yield replace(finding, sources=sources)


def _of(when: When, kind: str) -> tuple[str, ...]:
    return when.openresty if kind == "openresty" else when.nginx
