"""The host around them."""

from typing import Final

from trtllm_install.model.catalogue.kind import Kind, error, info, warning

KINDS: Final[dict[str, Kind]] = {
    "image-without-tool": error(
        "Tool is not in the image",
        "let {} serve once it is booted",
        "Services of an image begin with the launcher, which bootstrap.sh puts into it.",
    ),
    "image-judged-later": info(
        "Part of an image is judged later",
        "{} is an image",
        "What only the machine knows is left to `check` on the host that boots the image.",
    ),
    "account-absent": info(
        "Service user does not exist yet",
        "user {} does not exist",
        "install makes it.",
    ),
    "file-removed": error(
        "A file that a service needs was removed here",
        "go on without {}",
        "A file of ours under /etc that was removed stays removed, and something needs this one.",
    ),
    "machine-unsupported": error(
        "No engine for this machine",
        "run the engine on {}",
        "TensorRT-LLM is published for x86_64 and aarch64.",
    ),
    "glibc-too-old": error(
        "C library is too old",
        "load the engine on {}",
        "The engine's libraries need a newer glibc than the distribution has.",
        depends_on=("machine-unsupported",),
    ),
    "packages-half-configured": warning(
        "Packages are half configured",
        "{} has packages that are half done",
        "dpkg was interrupted, and apt refuses to install anything before it is finished.",
    ),
    "disk-read-only": error(
        "Disk is read-only",
        "write to {}",
        "A folder that install or the services write to lies on a read-only file system.",
    ),
    "disk-noexec": error(
        "Disk runs no programs",
        "run programs from {}",
        "Programs and compiled kernels lie there, and the file system is mounted with noexec.",
        depends_on=("disk-read-only",),
    ),
    "disk-space-small": warning(
        "Disk is nearly full",
        "{} has little room",
        "Compiled kernels, journals and logs of the services grow there.",
        "disk-read-only",
    ),
    "host-memory-small": warning(
        "Host has little memory",
        "{} loads with little memory to spare",
        "Weights pass through the host's memory on their way to the GPU.",
    ),
    "shared-memory-small": warning(
        "Shared memory is small",
        "{} is small",
        "Processes of one engine exchange data through /dev/shm, and hang when it is full.",
    ),
    "locked-memory-limited": info(
        "Locked memory is limited",
        "locked memory of {} is limited",
        "Under systemd the units lift the limit; supervisord hands on the one it was started with.",
    ),
    "selinux-enforcing": warning(
        "SELinux is enforcing",
        "{} enforces a policy that was not tried",
        "The services were tried without SELinux only.",
    ),
    "apparmor-confines-proxy": warning(
        "AppArmor confines the proxy program",
        "{} may be kept from its files",
        "A profile for nginx or OpenResty is enforced, and it does not know our paths.",
    ),
    "host-may-sleep": warning(
        "Host may go to sleep",
        "{} may suspend",
        "A host that suspends drops every request, and CUDA does not always survive it.",
    ),
    "dgx-system": info(
        "System of NVIDIA's own",
        "this host is a {}",
        "A DGX, such as DGX Spark, comes with its driver and CUDA, and nothing here touches them.",
    ),
}
