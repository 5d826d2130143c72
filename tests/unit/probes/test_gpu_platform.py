"""What bus, firmware, kernel and /dev say of NVIDIA hardware."""

from fakes.fake_host import FakeHost
from trtllm_install.model.facts import Unknown
from trtllm_install.probes.gpu_platform import kernel_module, probe_platform

OPEN = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.159.04  Release Build\n"
CLOSED = (
    "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.183.01  Sun May 12 19:39:15 UTC 2024\n"
)


def host(version: str = OPEN) -> FakeHost:
    made = FakeHost()
    made.add_file("/proc/driver/nvidia/version", version)
    for address, vendor, kind in (
        ("0000:65:00.0", "0x10de", "0x030200"),
        ("0000:05:00.0", "0x10de", "0x068000"),
        ("0000:65:00.1", "0x10de", "0x040300"),  # its sound
        ("0000:02:00.0", "0x1a03", "0x030000"),  # the board's own screen
    ):
        made.add_file(f"/sys/bus/pci/devices/{address}/vendor", vendor + "\n")
        made.add_file(f"/sys/bus/pci/devices/{address}/class", kind + "\n")
    return made


def test_kind_of_the_kernel_module_is_read_from_its_own_words() -> None:
    assert kernel_module(host()) == ("580.159.04", True)
    assert kernel_module(host(CLOSED)) == ("535.183.01", False)
    assert kernel_module(host("something else\n")) == ("", None)
    assert kernel_module(FakeHost()) == ("", None)


def test_gpus_and_switches_are_told_from_everything_else_on_the_bus() -> None:
    platform = probe_platform(host())
    assert platform.on_bus == ("0000:65:00.0",)
    assert platform.switches == 1


def test_spark_is_known_by_its_firmware() -> None:
    spark = host()
    spark.add_file("/sys/class/dmi/id/product_name", "NVIDIA_DGX_Spark\n")
    assert probe_platform(spark).spark
    assert not probe_platform(host()).spark


def test_nodes_are_judged_against_what_the_kernel_registered() -> None:
    made = host()
    made.add_file("/proc/devices", "Character devices:\n195 nvidia-frontend\n508 nvidia-uvm\n")
    made.add_file("/dev/nvidia0", mode=0o660)
    made.add_file("/dev/nvidia-uvm-tools")
    nodes = probe_platform(made).nodes
    assert not isinstance(nodes, Unknown)
    assert [(n.path, n.present, n.kernel_major) for n in nodes] == [
        ("/dev/nvidiactl", False, 195),
        ("/dev/nvidia0", True, 195),
        ("/dev/nvidia-uvm", False, 508),
    ]
    assert not nodes[1].open_to_us


def test_part_that_is_closed_is_unknown_by_itself() -> None:
    made = host()
    made.forbid("/sys/bus/pci/devices")
    made.forbid("/dev")
    platform = probe_platform(made)
    assert isinstance(platform.on_bus, Unknown)
    assert isinstance(platform.nodes, Unknown)
    assert platform.module == "580.159.04"


def test_what_is_hidden_is_unknown_and_its_neighbours_are_read() -> None:
    made = host()
    made.forbid("/proc/driver/nvidia/version")
    platform = probe_platform(made)
    assert [subject for subject, _ in platform.unread] == ["the NVIDIA kernel module"]
    assert isinstance(platform.xids, Unknown)  # asked for, since a module may well have run
    assert platform.on_bus == ("0000:65:00.0",)
    bus = host()
    bus.forbid("/sys/bus/pci/devices/0000:65:00.0/class")
    hidden = probe_platform(bus)
    assert isinstance(hidden.on_bus, Unknown)
    assert [subject for subject, _ in hidden.unread] == ["the PCI bus"]
    nodes = host()
    nodes.add_file("/proc/devices", "195 nvidia\n")
    nodes.forbid("/proc/devices")
    assert isinstance(probe_platform(nodes).nodes, Unknown)
