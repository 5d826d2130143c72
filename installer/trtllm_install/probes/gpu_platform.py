"""Reads what bus, firmware, kernel and /dev say of NVIDIA hardware, without the driver's help."""

import re
from collections.abc import Iterator
from typing import Final

from trtllm_install.host.protocol import Host
from trtllm_install.model import layout
from trtllm_install.model.errors import HostError
from trtllm_install.model.facts.gpu import DeviceNode, GpuPlatform
from trtllm_install.model.facts.unknown import Unknown
from trtllm_install.probes.access import may
from trtllm_install.probes.kernel_log import probe_xids

KERNEL_MODULE: Final = "/proc/driver/nvidia/version"
PCI: Final = "/sys/bus/pci/devices"
PRODUCT: Final = "/sys/class/dmi/id/product_name"
NVIDIA: Final = "0x10de"
# PCI classes: VGA and 3D controllers; bridges of the class "other" are NVSwitches.
_DISPLAY: Final = ("0x0300", "0x0302")
_SWITCH: Final = "0x0680"
_CONTROL: Final = "/dev/nvidiactl"
_UVM: Final = "/dev/nvidia-uvm"
_READ_WRITE: Final = 6


def probe_platform(host: Host) -> GpuPlatform:
    """Return what there is; a part that cannot be read is Unknown, empty or None by itself."""
    module, is_open = kernel_module(host)
    gpus, switches = probe_bus(host)
    unread = tuple(_unread(host, gpus))
    # A module that may not be looked at may well be loaded.
    ran = bool(module or unread)
    return GpuPlatform(
        product=_text(host, PRODUCT).strip(),
        on_bus=gpus,
        switches=switches,
        module=module,
        open_module=is_open,
        xids=probe_xids(host) if ran else (),
        nodes=_nodes(host) if ran else (),
        unread=unread,
    )


def _unread(host: Host, gpus: tuple[str, ...] | Unknown) -> Iterator[tuple[str, Unknown]]:
    if isinstance(gpus, Unknown):
        yield "the PCI bus", gpus
    try:
        host.read(KERNEL_MODULE, limit=1)
    except HostError as error:
        yield "the NVIDIA kernel module", Unknown(reason=error.message)


def kernel_module(host: Host) -> tuple[str, bool | None]:
    """Return the loaded module's version, and whether it is the open one; "", None without it."""
    text = _text(host, KERNEL_MODULE)
    stated = re.search(r"^NVRM version:(.*?)\s(\d+\.\d[\d.]*)\s", text, re.MULTILINE)
    if not stated:
        return "", None
    return stated[2], "open kernel module" in stated[1].lower()


def probe_bus(host: Host) -> tuple[tuple[str, ...] | Unknown, int]:
    """Return the addresses of NVIDIA's GPUs, and how many NVSwitches there are."""
    gpus: list[str] = []
    switches = 0
    try:
        for address in host.names_in(PCI):
            if _required(host, f"{PCI}/{address}/vendor").strip() != NVIDIA:
                continue
            kind = _required(host, f"{PCI}/{address}/class").strip()
            if kind.startswith(_DISPLAY):
                gpus.append(address.lower())
            switches += kind.startswith(_SWITCH)
    except HostError as error:
        return Unknown(reason=error.message), 0
    return tuple(gpus), switches


def _nodes(host: Host) -> tuple[DeviceNode, ...] | Unknown:
    """Return the nodes that every CUDA process opens, and those of the GPUs there are."""
    try:
        devices = _required(host, "/proc/devices")
        listed = re.findall(r"^\s*(\d+) (\S+)$", devices, re.MULTILINE)
        majors = {name: int(number) for number, name in listed}
        gpus = [n for n in host.names_in("/dev") if re.fullmatch(r"nvidia\d+", n)]
        # Older drivers register as nvidia-frontend, newer as nvidia or nvidiactl too.
        control = next((majors[n] for n in ("nvidia", "nvidia-frontend") if n in majors), None)
        wanted = [(_CONTROL, control), *((f"/dev/{n}", control) for n in gpus)]
        wanted.append((_UVM, majors.get("nvidia-uvm")))
        return tuple(_node(host, path, major) for path, major in wanted)
    except HostError as error:
        return Unknown(reason=error.message)


def _node(host: Host, path: str, kernel_major: int | None) -> DeviceNode:
    entry = host.look(path)
    if entry is None:
        return DeviceNode(path=path, present=False, kernel_major=kernel_major)
    return DeviceNode(
        path=path,
        present=True,
        mode=entry.mode,
        owner=entry.owner,
        group=entry.group,
        open_to_us=may(entry, layout.USER, _READ_WRITE),
        major=entry.major,
        kernel_major=kernel_major,
    )


def _text(host: Host, path: str) -> str:
    """Return a short file as text, empty where it is absent or hidden."""
    try:
        return _required(host, path)
    except HostError:
        return ""


def _required(host: Host, path: str) -> str:
    """Return a short file as text, empty where it is absent; raises HostError where hidden."""
    return (host.read(path, limit=65536) or b"").decode(errors="replace")
