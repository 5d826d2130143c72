"""Asks the distribution what it would install; changes nothing, and needs no root."""

import posixpath
import re
from collections.abc import Mapping, Sequence
from hashlib import sha256
from types import MappingProxyType
from typing import Final

from trtllm_install.host.protocol import Completed, Host
from trtllm_install.model.errors import HostError
from trtllm_install.model.facts.packages import PackageFacts
from trtllm_install.probes.apt_plan import AptPlan, parse_plan
from trtllm_install.probes.packages import DPKG

LISTS: Final = "/var/lib/apt/lists"
# It takes no lock, and half the time of --simulate, which plans twice.
_ASK: Final = (
    *("apt-get", "--print-uris", "--no-install-recommends", "--no-remove"),
    # The form of the answer, whatever apt.conf says; apt 3 has a newer one, in columns.
    *("--quiet=1", "--verbose-versions", "-o", "APT::Output-Version=0"),
    # Else it would log how it planned, and remove an archive of a wrong size (apt 2.6, 3.0).
    *("-o", "Dir::Log::Planner=", "-o", "Dir::Cache::Archives=/nonexistent/"),
    "install",
)
_APT: Final = "/etc/apt"
_APT_FOLDERS: Final = (
    *(_APT, f"{_APT}/sources.list.d", f"{_APT}/preferences.d", f"{_APT}/apt.conf.d"),
)
_WORDS: Final = {"LC_ALL": "C.UTF-8"}
_FIELDS: Final = ("Package", "Depends", "Pre-Depends", "Provides")


def probe_packages(
    host: Host,
    wanted: Sequence[str],
    debs: Sequence[str] = (),
    *,
    majors: Mapping[str, int] = MappingProxyType({}),
) -> PackageFacts | None:
    """Return what installing ``wanted`` would do, from the files ``debs`` where there are any.

    None where nothing can be asked. What is here is never upgraded or removed: where
    that would be needed, it is the problem. So is an answer that is not understood.
    A package of ``majors`` is not brought where apt has no such version; the others are.
    """
    if host.which("apt-get") is None or host.which("dpkg") is None:
        manager = "dnf" if host.which("dnf") or host.which("yum") else ""
        return PackageFacts(manager=manager, wanted=tuple(wanted))  # type: ignore[arg-type]
    try:
        architecture = host.run(["dpkg", "--print-architecture"]).stdout.strip()
        names = [
            f"?exact-name({name})?architecture({architecture})?version(^{majors[name]}\\.)"
            if name in majors
            else name
            for name in wanted
        ]
        # --no-upgrade leaves out a file of a package that is here in an older version.
        words = debs or ["--no-upgrade", *names]
        ended = host.run([*_ASK, *words], environment=_WORDS)
        known = any("_Packages" in name for name in host.names_in(LISTS))
    except HostError:
        return None
    plan = parse_plan(ended.stdout)
    return PackageFacts(
        manager="apt",
        wanted=tuple(wanted),
        brings=plan.brings if plan else (),
        problem=_problem(ended, plan) if known or debs else "",
        lists_read=known or bool(debs),
        architecture=architecture,
        debs=tuple(debs),
    )


def _problem(ended: Completed, plan: AptPlan | None) -> str:
    if plan and plan.changes:
        return f"it would upgrade or remove {', '.join(plan.changes)}"
    if ended.code != 0:
        lines = [line for line in ended.stderr.splitlines() if line.startswith("E: ")]
        said = "; ".join(line.removeprefix("E: ").rstrip(".") for line in lines)
        return f"apt-get says: {said or f'exit {ended.code}'}"
    if plan is None:
        last = (ended.stdout.strip() or "nothing").splitlines()[-1]
        return f"the answer of apt-get is not understood, it ends with: {last[:200]}"
    return ""


def probe_stamp(host: Host) -> str:
    """Return a hash that changes when apt may answer otherwise; raises HostError.

    It stands for the times of apt's lists, of its configuration and of dpkg's record. The
    folder in which apt fetches lists changes whenever it is told to, also in vain.
    """
    paths = [DPKG, f"{LISTS}/partial"]
    for folder in (LISTS, *_APT_FOLDERS):
        paths += [folder, *(posixpath.join(folder, name) for name in host.names_in(folder))]
    seen = ((path, host.look(path)) for path in paths if not path.endswith("/lock"))
    times = [(path, entry.mtime_ns) for path, entry in seen if entry]
    return sha256(repr(times).encode()).hexdigest()


def probe_candidate(host: Host, name: str) -> str:
    """Return the version of a package that apt would install, empty where it has none."""
    try:
        said = host.run(["apt-cache", "policy", name], environment=_WORDS).stdout
    except HostError:
        return ""
    stated = re.search(r"^  Candidate: (\d\S*)$", said, re.MULTILINE)
    return stated[1] if stated else ""


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
