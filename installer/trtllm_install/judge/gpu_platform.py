"""Judges what kernel and /dev say of the GPUs: logged errors, device nodes, kernel module."""

from collections.abc import Iterator
from typing import Final

from trtllm_install.judge.gpus import used_gpus
from trtllm_install.model.facts import Facts, GpuFacts, Unknown
from trtllm_install.model.facts.gpu import DeviceNode, Xid
from trtllm_install.model.findings import Finding, found
from trtllm_install.model.installation import Installation
from trtllm_install.model.xids import meaning_of

BLACKWELL: Final = (10, 0)
_UVM: Final = "/dev/nvidia-uvm"


def check_open_module(facts: Facts, installation: Installation) -> Iterator[Finding]:
    """Find Blackwell GPUs under the proprietary kernel module, which does not drive them."""
    platform = facts.platform
    new = [g for g in used_gpus(facts, installation) if g.capability >= BLACKWELL]
    on_bus = platform.on_bus if platform and not isinstance(platform.on_bus, Unknown) else ()
    # It may drive none at all: then NVML answers, and counts no GPU on a bus that has some.
    silent = isinstance(facts.gpu, GpuFacts) and not facts.gpu.gpus and bool(on_bus)
    if platform and platform.open_module is False and (new or silent):
        shown = f"{new[0].name} needs" if new else "Blackwell needs"
        yield found(
            "driver-module-proprietary",
            "this host",
            what=f"the proprietary module {platform.module} is loaded, and {shown} the open one",
            expected="NVIDIA's open kernel module",
            remedy="sudo apt-get install nvidia-open (or your distribution's -open package), "
            "then sudo reboot",
        )


def check_kernel_log(facts: Facts, installation: Installation) -> Iterator[Finding]:
    """Find what the driver wrote into the kernel's log since this boot."""
    platform = facts.platform
    if platform is None or not (platform.module or platform.unread):
        return  # no driver has run, so there is nothing to read
    if isinstance(platform.xids, Unknown):
        yield found(
            "kernel-log-unread",
            "the kernel's log",
            what=platform.xids.reason,
            expected="the NVIDIA errors (Xid) of this boot",
            remedy="sudo journalctl -k -b | grep -i xid",
        )
        return
    used = {g.pci.rpartition(".")[0]: g.index for g in used_gpus(facts, installation)}
    others = isinstance(facts.gpu, GpuFacts) and {
        g.pci.rpartition(".")[0] for g in facts.gpu.gpus
    } - set(used)
    for xid in platform.xids:
        if not others or xid.pci not in others:
            yield _logged(xid, used.get(xid.pci))


def check_device_nodes(facts: Facts, _: Installation) -> Iterator[Finding]:
    """Find nodes of /dev that a service of user trtllm could not open."""
    nodes = facts.platform.nodes if facts.platform else ()
    if isinstance(nodes, Unknown):
        yield found(
            "device-node-missing",
            "/dev/nvidia*",
            what=nodes.reason,
            expected="nodes that can be looked at",
            remedy="ls -l /dev/nvidia* /proc/devices",
        )
        return
    for node in nodes:
        if not node.present or (node.path == _UVM and node.kernel_major is None):
            yield _missing(node)
        elif why := _unusable(node):
            yield found(
                "device-node-unusable",
                node.path,
                what=why,
                expected="a node of this driver that everyone may read and write",
                remedy=f"sudo rm {node.path} && sudo nvidia-modprobe -u -c 0"
                if "major" in why or "no device" in why
                else f"sudo chmod 0666 {node.path} (for good: NVreg_DeviceFileMode=0666 among "
                "the module's options in /etc/modprobe.d)",
            )


def _logged(xid: Xid, index: int | None) -> Finding:
    known = meaning_of(xid.code)
    times = f", {xid.count} times" if xid.count > 1 else ""
    return found(
        "gpu-fault-logged" if known.weight == "fault" else "gpu-event-logged",
        f"the GPU at PCI {xid.pci}" if index is None else f"GPU {index}",
        what=f"Xid {xid.code}{times}: {known.meaning}" + (f" ({xid.text})" if xid.text else ""),
        expected="no such error since the boot" if known.weight == "fault" else "",
        remedy=known.remedy,
    )


def _missing(node: DeviceNode) -> Finding:
    loaded = "" if node.path != _UVM or node.kernel_major else ", for nvidia_uvm is not loaded"
    return found(
        "device-node-missing",
        node.path,
        what=f"no such node{loaded}" if not node.present else "nvidia_uvm is not loaded",
        expected="a node that CUDA can open",
        remedy="sudo modprobe nvidia-uvm && sudo nvidia-modprobe -u -c 0 "
        "(under systemd, trtllm-gpu-ready.service does it before each start)",
    )


def _unusable(node: DeviceNode) -> str:
    if node.major is None:
        return "there is a file and no device"
    if node.kernel_major is not None and node.major != node.kernel_major:
        return f"its major number is {node.major}, the kernel's is {node.kernel_major}"
    if not node.open_to_us:
        return f"its mode is {node.mode:04o} {node.owner}:{node.group}, closed to user trtllm"
    return ""
