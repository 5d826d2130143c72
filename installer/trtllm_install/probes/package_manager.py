"""Asks the distribution what it would install; changes nothing, and needs no root."""

import posixpath
import re
from collections.abc import Sequence
from typing import Final

from trtllm_install.host.protocol import Completed, Host
from trtllm_install.model.errors import HostError
from trtllm_install.model.facts.packages import Package, PackageFacts

LISTS: Final = "/var/lib/apt/lists"
# apt-get -s: "Inst NAME (NEW ORIGIN [ARCH])", with "[OLD]" before the bracket for an upgrade
_STEP: Final = re.compile(r"^(Inst|Remv) (\S+) (?:\[(\S+)\] ?)?(?:\((\S+))?", re.MULTILINE)
# apt writes how it planned to /var/log/apt/eipp.log.xz, of a simulation too (apt 2.6).
NO_TRACE: Final = ("-o", "Dir::Log::Planner=")
_WORDS: Final = {"LC_ALL": "C.UTF-8"}
_FIELDS: Final = ("Package", "Depends", "Pre-Depends", "Provides")


def probe_packages(
    host: Host, wanted: Sequence[str], debs: Sequence[str] = ()
) -> PackageFacts | None:
    """Return what installing ``wanted`` would do, from the files ``debs`` where there are any.

    None where nothing can be asked. What is here is never upgraded or removed: where
    that would be needed, it is the problem.
    """
    if host.which("apt-get") is None or host.which("dpkg") is None:
        manager = "dnf" if host.which("dnf") or host.which("yum") else ""
        return PackageFacts(manager=manager, wanted=tuple(wanted))  # type: ignore[arg-type]
    try:
        architecture = host.run(["dpkg", "--print-architecture"]).stdout.strip()
        known = any("_Packages" in name for name in host.names_in(LISTS))
        # --no-upgrade leaves out a file of a package that is here in an older version.
        words = ["--no-upgrade", *wanted] if not debs else list(debs)
        ended = host.run(
            [
                *("apt-get", "--simulate", "install", "--no-install-recommends", "--no-remove"),
                *NO_TRACE,
                *words,
            ],
            environment=_WORDS,
        )
    except HostError:
        return None
    steps = _STEP.findall(ended.stdout)
    changed = [name for what, name, old, _ in steps if what == "Remv" or old]
    return PackageFacts(
        manager="apt",
        wanted=tuple(wanted),
        brings=tuple(Package(name=name, version=new) for _, name, old, new in steps if not old),
        problem=_problem(ended, changed) if known or debs else "",
        lists_read=known or bool(debs),
        architecture=architecture,
        debs=tuple(debs),
    )


def _problem(ended: Completed, changed: Sequence[str]) -> str:
    if ended.code != 0:
        lines = [line for line in ended.stderr.splitlines() if line.startswith("E: ")]
        said = "; ".join(line.removeprefix("E: ").rstrip(".") for line in lines)
        return f"apt-get says: {said or f'exit {ended.code}'}"
    return f"it would upgrade or remove {', '.join(changed)}" if changed else ""


def probe_debs(host: Host, folder: str, wanted: Sequence[str]) -> tuple[str, ...]:
    """Return the .deb files of a folder that ``wanted`` needs and that are not installed."""
    fields = {}
    for name in host.names_in(folder):
        if name.endswith(".deb"):
            path = posixpath.join(folder, name)
            said = host.run(["dpkg-deb", "--field", path, *_FIELDS]).stdout
            fields[path] = dict(re.findall(r"^([A-Z][\w-]*): (.*)$", said, re.MULTILINE))
    supplies: dict[str, str] = {}
    for path, field in fields.items():
        for name in (*_names(field.get("Provides", "")), field.get("Package", "")):
            supplies[name] = path
    todo, needed = list(wanted), list[str]()
    while todo:
        path = supplies.get(todo.pop(0), "")
        if path and path not in needed:
            needed.append(path)
            for key in ("Pre-Depends", "Depends"):
                todo += _names(fields[path].get(key, ""))
    here = installed_packages(host, [fields[path]["Package"] for path in needed])
    return tuple(path for path in needed if fields[path]["Package"] not in here)


def _names(relation: str) -> list[str]:
    """Return every name of a dependency field (deb-control(5)), alternatives too."""
    parts = re.split(r"[,|]", relation)
    return [re.split(r"[ (:\[]", part.strip(), maxsplit=1)[0] for part in parts if part.strip()]


def installed_packages(host: Host, names: Sequence[str]) -> frozenset[str]:
    """Return those of ``names`` that are installed, or half so."""
    if not names:
        return frozenset()
    form = "--showformat=${Package} ${db:Status-Status}\\n"
    lines = host.run(["dpkg-query", "--show", form, *names]).stdout.splitlines()
    pairs = (line.split() for line in lines)
    gone = {"not-installed", "config-files"}
    return frozenset(p[0] for p in pairs if len(p) == 2 and p[1] not in gone)  # noqa: PLR2004
