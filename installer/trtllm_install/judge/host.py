"""Judges the host around driver, weights and programs: memory, disks, limits, guards."""

from collections.abc import Iterator
from typing import Final

from trtllm_install.model import layout
from trtllm_install.model.engine import Recipe
from trtllm_install.model.facts import (
    EngineFacts,
    Facts,
    GpuFacts,
    HostFacts,
    SystemFacts,
    Unknown,
    WeightsFacts,
)
from trtllm_install.model.facts.host import SHARED_MEMORY, FileSystem, Guards, Kernel
from trtllm_install.model.findings import Finding, found
from trtllm_install.model.installation import Installation
from trtllm_install.model.versions import parse_version

_GIB: Final = 2**30
# Open MPI and NCCL exchange through it; 64 MB hang with several ranks (TensorRT-LLM issue 9680),
# and 1 GiB is what NVIDIA gives its containers.
SHARED_SPACE: Final = _GIB
# An estimate, not measured: caches of Triton, inductor, FlashInfer and CUDA of two models.
STATE_SPACE: Final = 5 * _GIB
_NAMED: Final = 5  # packages
_READ_ONLY: Final = "ro"
_SMALL_FILES: Final = {layout.ETC, layout.UNITS}  # some kB, and no program
_NO_EXEC: Final = "noexec"


def check_host(
    facts: Facts, installation: Installation, recipe: Recipe | None
) -> Iterator[Finding]:
    """Find what of the host itself would keep the services from running well."""
    host = facts.host
    if host is None:
        return
    yield from _disks(host, installation)
    yield from _packages(host)
    if installation.simulate:
        return
    yield from _platform(host, recipe)
    yield from _engine_space(host, facts, recipe)
    yield from _memory(facts, installation)
    yield from _shared_memory(host)
    yield from _locked_memory(host, installation)
    yield from _guards(host, installation)
    yield from _sleep(host)
    if host.dgx:
        yield found(
            "dgx-system",
            host.dgx,
            what="driver, CUDA and kernel are NVIDIA's, and nothing here changes them",
        )


def _platform(host: HostFacts, recipe: Recipe | None) -> Iterator[Finding]:
    if recipe is None or not recipe.glibc or not isinstance(host.kernel, Kernel):
        return
    floor = recipe.glibc.get(host.kernel.machine)
    if floor is None:
        yield found(
            "machine-unsupported",
            host.kernel.machine,
            what=f"TensorRT-LLM {recipe.version} has no wheels for it",
            expected=" or ".join(recipe.glibc),
            remedy="serve from a host of such a machine",
        )
        return
    if isinstance(host.glibc, Unknown):
        return
    here, needed = parse_version(host.glibc), parse_version(floor)
    if needed is not None and (here is None or here < needed):
        yield found(
            "glibc-too-old",
            "this host",
            what=f"glibc {host.glibc}" if here else "the C library is not glibc",
            expected=f"glibc {floor} or newer on {host.kernel.machine}",
            remedy="use a newer release of the distribution: Ubuntu 24.04 is the one NVIDIA tests",
        )


def _disks(host: HostFacts, installation: Installation) -> Iterator[Finding]:
    told: set[str] = set()  # a file system is told once, whatever lies on it
    for disk in host.disks:
        if isinstance(disk, Unknown) or disk.mount in told:
            continue
        if disk.path == layout.UNITS and installation.supervisor != "systemd":
            continue
        told.add(disk.mount)
        if _READ_ONLY in disk.options:
            yield found(
                "disk-read-only",
                disk.path,
                what=f"{disk.words}, and read-only",
                expected="a file system that can be written to",
                remedy=f"sudo mount -o remount,rw {disk.mount} (dmesg says why, if the kernel "
                "made it read-only)",
            )
        elif disk.path in _SMALL_FILES:
            continue
        elif _NO_EXEC in disk.options and disk.path != layout.LOGS:
            yield found(
                "disk-noexec",
                disk.path,
                what=f"{disk.words}, with noexec",
                expected="a file system from which programs run",
                remedy=f"sudo mount -o remount,exec {disk.mount}, and take noexec out of its "
                "line in /etc/fstab",
            )
        elif disk.path != layout.ENGINES and disk.free < STATE_SPACE:
            yield found(
                "disk-space-small",
                disk.path,
                what=f"{disk.free / _GIB:.1f} GiB are free on {disk.words}",
                expected=f"{STATE_SPACE // _GIB} GiB for compiled kernels, journals and logs",
                remedy=f"sudo du -xh --max-depth=2 {disk.mount} | sort -h | tail -n 20 "
                "(what fills it)",
            )


def _engine_space(host: HostFacts, facts: Facts, recipe: Recipe | None) -> Iterator[Finding]:
    """An engine that is yet to be added needs room; one that is there has it."""
    engine = facts.engine
    if recipe is None or not isinstance(engine, EngineFacts) or engine.present:
        return
    disk = next((d for d in host.disks if isinstance(d, FileSystem)), None)
    if disk and disk.path == layout.ENGINES and disk.free < recipe.disk_bytes:
        yield found(
            "engine-disk-too-small",
            recipe.version,
            what=f"{disk.free / _GIB:.1f} GiB are free at {disk.path} ({disk.words})",
            expected=f"{recipe.disk_bytes / _GIB:.0f} GiB",
            remedy=f"make room on {disk.mount}, or mount another disk at {layout.ENGINES}",
        )


def _packages(host: HostFacts) -> Iterator[Finding]:
    if isinstance(host.halfway, Unknown) or not host.halfway:
        return
    shown = ", ".join(host.halfway[:_NAMED])
    more = f" and {len(host.halfway) - _NAMED} more" if len(host.halfway) > _NAMED else ""
    yield found(
        "packages-half-configured",
        "this host",
        what=f"dpkg did not finish with {shown}{more}",
        expected="every package configured",
        remedy="sudo dpkg --configure -a && sudo apt-get install -f",
    )


def _memory(facts: Facts, installation: Installation) -> Iterator[Finding]:
    """Weights pass through the host's memory on their way to a GPU that has its own."""
    system = facts.system
    gpus = facts.gpu.gpus if isinstance(facts.gpu, GpuFacts) else ()
    if not isinstance(system, SystemFacts) or not gpus or all(g.unified for g in gpus):
        return
    names = {instance.name for instance in installation.instances}
    sizes = [
        (seen.size, name)
        for name, seen in facts.weights
        if name in names and isinstance(seen, WeightsFacts)
    ]
    size, name = max(sizes, default=(0, ""))
    if system.memory_available < size:
        yield found(
            "host-memory-small",
            name,
            what=f"{system.memory_available / _GIB:.1f} GiB of the host's memory are available, "
            f"and its weights have {size / _GIB:.1f} GiB",
            expected="as much memory as the weights of one instance have",
            remedy="ps -eo rss,pid,comm --sort=-rss | head (what holds it: stop that, or add "
            "memory)",
        )


def _shared_memory(host: HostFacts) -> Iterator[Finding]:
    seen = host.shared_memory
    if isinstance(seen, Unknown):
        return
    what = ""
    if seen is None:
        what = "it is not there"
    elif seen.kind != "tmpfs":
        what = f"it is no tmpfs, but {seen.words}"
    elif seen.free < SHARED_SPACE:
        what = f"{seen.free / 2**20:.0f} MiB are free"
    if what:
        yield found(
            "shared-memory-small",
            SHARED_MEMORY,
            what=what,
            expected="a tmpfs with 1 GiB free",
            remedy="sudo mount -t tmpfs -o size=50% tmpfs /dev/shm"
            if seen is None or seen.kind != "tmpfs"
            else "sudo mount -o remount,size=50% /dev/shm",
        )


def _locked_memory(host: HostFacts, installation: Installation) -> Iterator[Finding]:
    """Units lift the limit themselves; supervisord hands on its own."""
    limit = host.locked_memory
    if installation.supervisor == "supervisord" and isinstance(limit, int):
        yield found(
            "locked-memory-limited",
            "this host",
            what=f"a process may lock {limit // 2**20} MiB; one GPU needs no more, RDMA between "
            "several does: ulimit -l unlimited before supervisord starts",
        )


def _guards(host: HostFacts, installation: Installation) -> Iterator[Finding]:
    if not isinstance(host.guards, Guards):
        return
    if host.guards.selinux == "enforcing":
        yield found(
            "selinux-enforcing",
            "this host",
            what="SELinux is enforcing",
            expected="a policy that lets systemd start programs of /opt/trtllm",
            remedy="sudo restorecon -R /opt/trtllm /etc/trtllm, and after the install "
            "sudo ausearch -m avc -ts recent",
        )
    if host.guards.confined and installation.proxy:
        profiles = ", ".join(host.guards.confined)
        yield found(
            "apparmor-confines-proxy",
            "the proxy",
            what=f"AppArmor enforces {profiles}",
            expected="a profile that allows /etc/trtllm/proxy, /run/trtllm and /var/lib/trtllm",
            remedy=f"sudo aa-complain {host.guards.confined[0]}, or add these paths in "
            "/etc/apparmor.d/local",
        )


def _sleep(host: HostFacts) -> Iterator[Finding]:
    if isinstance(host.sleeps, str) and host.sleeps:
        yield found(
            "host-may-sleep",
            "this host",
            what=host.sleeps,
            expected="a host that stays awake while nobody types",
            remedy="sudo systemctl mask sleep.target suspend.target hibernate.target "
            "hybrid-sleep.target",
        )
