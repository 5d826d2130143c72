"""Which process changes the host, told so that another can see whether it still does."""

from trtllm_install.host.protocol import Host

_STARTED = 19  # fields of /proc/PID/stat after the name: when it was started, in ticks


def this_process(host: Host) -> str:
    """Return words by which ``still_runs`` knows this process, also after a reboot."""
    return _told(host, "self")


def still_runs(host: Host, process: str) -> bool:
    """Tell whether the process that ``this_process`` spoke of is still there."""
    return bool(process) and _told(host, process.split(maxsplit=1)[0]) == process


def is_same_boot(host: Host, process: str) -> bool:
    """Tell whether the host has not been booted since that process ran."""
    return process.rpartition(" ")[2] == _boot(host)


def _boot(host: Host) -> str:
    return (host.read("/proc/sys/kernel/random/boot_id") or b"").decode().strip()


def _told(host: Host, pid: str) -> str:
    """Its number, when it was started and in which boot: a number alone is used again."""
    stat = (host.read(f"/proc/{pid}/stat") or b"").decode(errors="replace")
    number, _, rest = stat.partition(" ")
    fields = rest.rpartition(")")[2].split()
    return f"{number} {fields[_STARTED]} {_boot(host)}" if len(fields) > _STARTED else ""
