"""What was read of the host itself: kernel, disks, limits, guards, compilers."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from trtllm_install.model.facts.unknown import Unknown

SHARED_MEMORY: Final = "/dev/shm"  # noqa: S108 (looked at, not written to)
SelinuxMode = Literal["enforcing", "permissive", "off"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kernel:
    """What the kernel calls itself."""

    release: str  # "6.8.0-45-generic"
    machine: str  # "x86_64", "aarch64"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSystem:
    """Where a path lies."""

    path: str  # that was asked for, whether or not it is there yet
    mount: str  # mount point
    source: str  # "/dev/nvme0n1p2", "nas:/models"
    kind: str  # "ext4", "tmpfs", "nfs4"
    free: int  # bytes that root may still write
    options: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """Return where it is: "/dev/sda2, ext4, mounted at /"."""
        return f"{self.source}, {self.kind}, mounted at {self.mount}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Guards:
    """Mandatory access control."""

    selinux: SelinuxMode = "off"
    confined: tuple[str, ...] = ()  # AppArmor profiles for nginx or OpenResty that are enforced


@dataclass(frozen=True, slots=True, kw_only=True)
class Compilers:
    """What the engine compiles its kernels with while it runs."""

    cc: str | None  # path of a C compiler
    cxx: str | None
    python: str = ""  # the engine's own, empty where there is no engine
    version: str = ""  # of that Python, "3.12"; empty where its name does not say it
    python_gone: str = ""  # where a link of the engine's Python leads, and nothing is
    headers: str | None = ""  # Python.h of it; None = looked for and not there, "" = not looked for


@dataclass(frozen=True, slots=True, kw_only=True)
class HostFacts:
    """The host around driver, weights and programs; each part by itself."""

    kernel: Kernel | Unknown
    glibc: str | Unknown  # version; empty = another C library
    disks: tuple[FileSystem | Unknown, ...]  # of engines, state and logs
    shared_memory: FileSystem | Unknown | None  # /dev/shm; None = there is none
    locked_memory: int | Unknown | None  # bytes a process may lock; None = no limit
    halfway: tuple[str, ...] | Unknown  # packages that dpkg left half configured
    guards: Guards | Unknown
    sleeps: str | Unknown  # what may put the host to sleep; empty = nothing that was found
    compilers: Compilers | Unknown
    dgx: str = ""  # name in /etc/dgx-release
    os_release: str = ""  # /etc/os-release, as it is

    def unread(self) -> Iterator[tuple[str, Unknown]]:
        """Yield what could not be read, as a subject and its reason."""
        parts: tuple[tuple[str, object], ...] = (
            ("the kernel's version", self.kernel),
            ("the C library", self.glibc),
            ("the disks", next((d for d in self.disks if isinstance(d, Unknown)), None)),
            (SHARED_MEMORY, self.shared_memory),
            ("the limit of locked memory", self.locked_memory),
            ("the state of the packages", self.halfway),
            ("SELinux and AppArmor", self.guards),
            ("whether the host sleeps", self.sleeps),
            ("the compilers", self.compilers),
        )
        for subject, part in parts:
            if isinstance(part, Unknown):
                yield subject, part
