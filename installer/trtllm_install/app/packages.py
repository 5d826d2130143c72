"""Asks the distribution what it would bring for what lacks."""

from dataclasses import replace

from trtllm_install.app.options import Options
from trtllm_install.host.protocol import Host
from trtllm_install.judge.packages import OPEN_MPI_PACKAGE, is_supported, lacking_packages
from trtllm_install.judge.toolchain import OPEN_MPI
from trtllm_install.model.facts import Facts, PackageFacts
from trtllm_install.model.installation import Installation
from trtllm_install.probes.package_manager import probe_debs, probe_packages


def ask_distribution(
    host: Host, facts: Facts, installation: Installation, options: Options
) -> PackageFacts | None:
    """Return what the distribution would bring for what ``facts`` lack; reads only.

    None where nothing lacks or nothing may be asked. Takes a second or two of apt's own
    where apt keeps no cache.
    """
    if not options.packages or host.image():
        return None
    wanted = lacking_packages(facts, installation)
    if not wanted:
        return None
    seen = _asked(host, wanted, options)
    if seen and _brings_other_mpi(seen):
        wanted = tuple(name for name in wanted if name != OPEN_MPI_PACKAGE)
        seen = _asked(host, wanted, options) if wanted else None
    return seen


def _asked(host: Host, wanted: tuple[str, ...], options: Options) -> PackageFacts | None:
    folder = options.package_folder
    debs = probe_debs(host, folder, wanted) if folder else ()
    seen = probe_packages(host, wanted, debs)
    if seen and seen.manager == "apt" and not is_supported(seen):
        unknown = f"where packages of {seen.architecture} put their files is not known"
        return replace(seen, problem=unknown)
    return seen


def _brings_other_mpi(seen: PackageFacts) -> bool:
    """Tell whether this distribution's Open MPI is one that the engine cannot use."""
    majors = [p.version.partition(".")[0] for p in seen.brings if p.name == OPEN_MPI_PACKAGE]
    return any(major != str(OPEN_MPI) for major in majors)
