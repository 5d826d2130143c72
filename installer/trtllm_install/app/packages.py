"""Asks the distribution what it would bring for what lacks."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace

from trtllm_install.app.options import Options
from trtllm_install.host.protocol import Host
from trtllm_install.judge.packages import (
    OPEN_MPI_PACKAGE,
    PROXY,
    is_supported,
    lacking_packages,
    necessary,
)
from trtllm_install.judge.toolchain import OPEN_MPI
from trtllm_install.model.errors import HostError
from trtllm_install.model.facts import Facts, LeftOut, PackageFacts
from trtllm_install.model.installation import Installation
from trtllm_install.probes.package_manager import (
    installed_packages,
    probe_candidate,
    probe_debs,
    probe_packages,
    probe_stamp,
)
from trtllm_install.receipts.left_out import keep_left_out, read_left_out


def ask_distribution(
    host: Host,
    facts: Facts,
    installation: Installation,
    options: Options,
    left_out: tuple[LeftOut, ...] = (),
) -> PackageFacts | None:
    """Return what the distribution would bring for what ``facts`` lack; reads only.

    None where nothing lacks or nothing may be asked. What only a warning asks for never
    becomes a problem: it is left out, as are those of ``left_out``. Takes a second or two
    of apt's own where apt keeps no cache.
    """
    if not options.packages or host.image():
        return None
    lacking = lacking_packages(facts, installation)
    if not lacking:
        return None
    left_out = left_out or _known(host, lacking, options)
    out = {package.name for package in left_out}
    wanted = tuple(name for name in lacking if name not in out)
    if not wanted:
        return PackageFacts(manager="apt", wanted=(), left_out=left_out)
    seen = _asked(host, wanted, options)
    if seen is None:
        return None
    useless = tuple(_useless(host, seen))
    names = {package.name for package in useless}
    left_out = (*left_out, *useless)
    if (seen.problem and useless) or names - {*_not_brought(seen)}:  # the answer is about them too
        return ask_distribution(host, facts, installation, options, left_out)
    kept = tuple(name for name in seen.wanted if name not in names)
    return replace(seen, wanted=kept, left_out=left_out)


def keep_in_mind(host: Host, packages: PackageFacts | None, options: Options) -> None:
    """Write down what was left out, so that the next run need not ask; reads what it needs.

    Nothing depends on it: where it cannot be written, the next run asks.
    """
    if host.image() or not options.packages or options.package_folder:
        return
    left_out = packages.left_out if packages and packages.manager == "apt" else ()
    with suppress(HostError):
        keep_left_out(host, probe_stamp(host) if left_out else "", left_out)


def _known(host: Host, lacking: Sequence[str], options: Options) -> tuple[LeftOut, ...]:
    """Return what an earlier install left out, unless apt may answer otherwise by now."""
    if options.package_folder or not set(lacking) - set(necessary(lacking)):
        return ()
    with suppress(HostError):
        return tuple(p for p in read_left_out(host, probe_stamp(host)) if p.name in lacking)
    return ()


def _asked(host: Host, wanted: tuple[str, ...], options: Options) -> PackageFacts | None:
    folder = options.package_folder
    debs = probe_debs(host, folder, wanted) if folder else ()
    seen = probe_packages(host, wanted, debs, majors={OPEN_MPI_PACKAGE: OPEN_MPI})
    if seen is None or seen.manager != "apt" or seen.problem:
        return seen
    if not is_supported(seen):
        unknown = f"where packages of {seen.architecture} put their files is not known"
        return replace(seen, problem=unknown)
    return _with_what_lacks(host, seen)


def _with_what_lacks(host: Host, seen: PackageFacts) -> PackageFacts:
    """Return the same; a problem where something necessary would not be there even then."""
    lacks = _not_brought(seen)
    here = installed_packages(host, lacks)
    # Where nginx itself comes, what goes with it may well have been here.
    fine = here.intersection(PROXY) if PROXY[0] in {p.name for p in seen.brings} else ()
    seen = replace(seen, hollow=tuple(name for name in lacks if name in here and name not in fine))
    needed = necessary(name for name in lacks if name not in fine)
    return replace(seen, problem=_why_not_brought(seen, needed) if needed else "")


def _useless(host: Host, seen: PackageFacts) -> Iterator[LeftOut]:
    """Yield what is asked for and would not help, of what the services run without."""
    optional = [name for name in seen.wanted if not necessary([name])]
    if seen.manager != "apt" or not optional:
        return
    lacks = _not_brought(seen)
    versions = {package.name: package.version for package in seen.brings}
    for name in optional:
        if seen.problem:
            yield LeftOut(name=name, why=seen.problem)
        elif name in lacks and (seen.debs or name in seen.hollow):
            yield LeftOut(name=name, why=_why_not_brought(seen, [name]))
        elif seen.lists_read:
            version = versions.get(name) or probe_candidate(host, name)
            if not version or _is_other_mpi(version):
                why = f"it is version {version} here" if version else f"apt knows no {name}"
                yield LeftOut(name=name, why=why, version=version)


def _not_brought(seen: PackageFacts) -> tuple[str, ...]:
    brings = {package.name for package in seen.brings}
    return tuple(name for name in seen.wanted if name not in brings) if seen.lists_read else ()


def _why_not_brought(seen: PackageFacts, names: Sequence[str]) -> str:
    if hollow := [name for name in names if name in seen.hollow]:
        return f"apt takes {', '.join(hollow)} for installed, and what it holds is not there"
    if seen.debs:
        return f"the bundle has no {' and no '.join(names)}"
    return f"apt would bring others for {', '.join(names)}"


def _is_other_mpi(version: str) -> bool:
    """Tell whether this is an Open MPI that the engine cannot use."""
    return version.partition(".")[0] != str(OPEN_MPI)
