"""What is said of memory, disks, limits, guards, compilers and the like."""

from dataclasses import replace
from typing import Any

import pytest

from fakes.healthy import FACTS, GPU, HOST, INSTALLATION, disk
from trtllm_install.app.engine_choice import read_recipe
from trtllm_install.judge.judge import Known, judge
from trtllm_install.model import facts as f
from trtllm_install.model.facts.host import Compilers, Guards, Kernel
from trtllm_install.model.findings import Finding

RECIPE = read_recipe("1.3.0rc2")
UNKNOWN = f.Unknown(reason="permission denied")


def findings(*, simulate: bool = False, under: str = "systemd", **changed: Any) -> list[Finding]:
    """What is found when these parts of a good host are changed."""
    host = {name: changed.pop(name) for name in list(changed) if hasattr(HOST, name)}
    facts = replace(FACTS, host=replace(HOST, **host), **changed)
    installation = replace(INSTALLATION, simulate=simulate, supervisor=under)
    return list(judge(facts, installation, known=Known(advisories=(), keys={}, recipe=RECIPE)))


def test_good_host_has_no_finding() -> None:
    assert findings() == []


STATE = "/var/lib/trtllm"
CASES: list[tuple[dict[str, Any], str, str]] = [
    ({"kernel": Kernel(release="6", machine="riscv64")}, "machine-unsupported", "riscv64"),
    ({"glibc": "2.27"}, "glibc-too-old", "glibc 2.27"),
    ({"glibc": ""}, "glibc-too-old", "not glibc"),
    (
        {"kernel": Kernel(release="6", machine="aarch64"), "glibc": "2.36"},
        "glibc-too-old",
        "2.38 or newer on aarch64",
    ),
    ({"halfway": ("nvidia-dkms-580",)}, "packages-half-configured", "nvidia-dkms-580"),
    ({"halfway": tuple("abcdefg")}, "packages-half-configured", "a, b, c, d, e and 2 more"),
    ({"disks": (disk(STATE, options="ro"),)}, "disk-read-only", "/dev/sda2, ext4, mounted at /"),
    ({"disks": (disk("/etc/trtllm", options="ro"),)}, "disk-read-only", "/dev/sda2, ext4"),
    ({"disks": (disk(STATE, options="rw,noexec"),)}, "disk-noexec", "with noexec"),
    ({"disks": (disk(STATE, 2**30),)}, "disk-space-small", "1.0 GiB are free on /dev/sda2"),
    ({"shared_memory": None}, "shared-memory-small", "not there"),
    ({"shared_memory": disk("/dev/shm", kind="ext4")}, "shared-memory-small", "no tmpfs"),
    (
        {"shared_memory": disk("/dev/shm", 64 * 2**20, kind="tmpfs")},
        "shared-memory-small",
        "64 MiB are free",
    ),
    ({"guards": Guards(selinux="enforcing")}, "selinux-enforcing", "SELinux is enforcing"),
    ({"guards": Guards(confined=("nginx",))}, "apparmor-confines-proxy", "enforces nginx"),
    ({"sleeps": "the desktop suspends"}, "host-may-sleep", "the desktop suspends"),
    ({"dgx": "DGX Spark"}, "dgx-system", "this host is a DGX Spark"),
    ({"compilers": Compilers(cc=None, cxx="/usr/bin/c++")}, "compiler-missing", "no C compiler"),
    ({"compilers": Compilers(cc=None, cxx=None)}, "compiler-missing", "no C and no C++ compiler"),
    (
        {"compilers": Compilers(cc="c", cxx="c", python="/e/python3", headers=None)},
        "python-headers-missing",
        "/e/python3",
    ),
    (
        {"compilers": Compilers(cc="c", cxx="c", python="/e/python3", python_gone="/usr/bin/p")},
        "engine-python-gone",
        "it leads to /usr/bin/p",
    ),
]


@pytest.mark.parametrize(("changed", "code", "words"), CASES, ids=[c[1] for c in CASES])
def test_each_fault_of_a_host_is_found_by_itself(
    changed: dict[str, Any], code: str, words: str
) -> None:
    (finding,) = findings(**changed)
    assert finding.code == code
    assert words in finding.message
    assert finding.remedy or finding.severity.value == "info"


@pytest.mark.parametrize(
    "part",
    [
        "kernel",
        "glibc",
        "shared_memory",
        "locked_memory",
        "halfway",
        "guards",
        "sleeps",
        "compilers",
    ],
)
def test_part_that_could_not_be_read_is_said_to_be_unknown(part: str) -> None:
    (finding,) = findings(**{part: UNKNOWN})
    assert finding.code == "host-unreadable"
    assert "permission denied" in finding.message
    (hidden,) = findings(**{part: UNKNOWN, "root": False})
    assert hidden.code == "needs-root-to-see"


def test_several_disks_that_could_not_be_read_are_one_part() -> None:
    codes = [finding.subject for finding in findings(disks=(UNKNOWN, UNKNOWN))]
    assert codes == ["the disks"]


def test_simulated_engine_needs_disks_and_packages_alone() -> None:
    """Nothing is compiled and no wheel is installed, and a laptop may sleep."""
    for changed, code, _ in CASES:
        expected = {code} if code.startswith(("disk", "packages")) else set()
        assert {finding.code for finding in findings(simulate=True, **changed)} == expected


def test_locked_memory_matters_only_where_no_unit_lifts_it() -> None:
    assert findings(locked_memory=8 * 2**20) == []
    seen = f.SupervisorFacts(init="x", systemd=False, systemd_version=None, supervisord="/s")
    (finding,) = findings(locked_memory=8 * 2**20, under="supervisord", supervisor=seen)
    assert finding.code == "locked-memory-limited"
    assert "8 MiB" in finding.message


def test_weights_larger_than_the_memory_of_the_host_are_told() -> None:
    assert isinstance(FACTS.system, f.SystemFacts)
    small = replace(FACTS.system, memory_available=16 * 2**30)
    (finding,) = findings(system=small)
    assert (finding.code, "16.0 GiB" in finding.message) == ("host-memory-small", True)
    gb10 = f.GpuFacts(
        driver="580.95.05",
        cuda=(13, 0),
        gpus=(replace(GPU, memory=None, capability=(12, 1)),),
    )
    assert "host-memory-small" not in {x.code for x in findings(system=small, gpu=gb10)}


def test_engine_that_is_yet_to_be_added_needs_room_and_a_python() -> None:
    absent = f.EngineFacts(path="/e/bin/trtllm-serve", present=False, builder=None)
    full = (disk("/opt/trtllm/engines", 2**30), disk(STATE))
    codes = {finding.code for finding in findings(engine=absent, disks=full)}
    assert codes == {"engine-missing", "engine-disk-too-small", "engine-python-missing"}
    ready = replace(absent, builder="/usr/bin/python3.12")
    assert {finding.code for finding in findings(engine=ready)} == {"engine-missing"}


@pytest.mark.parametrize(
    ("version", "code", "words"),
    [
        (252, "", ""),
        (249, "systemd-untried", "knows every line"),
        (244, "systemd-untried", "it ignores ProtectClock"),
        (240, "systemd-untried", "ProtectHostname, RestrictSUIDSGID, OOMPolicy"),
        (237, "systemd-too-old", "lacks what the units are made of"),
        (None, "systemd-untried", "no version that could be read"),
    ],
)
def test_old_systemd_is_told_with_what_is_lost(version: int | None, code: str, words: str) -> None:
    seen = f.SupervisorFacts(
        init="systemd", systemd=True, systemd_version=version, supervisord=None
    )
    found = findings(supervisor=seen)
    assert [finding.code for finding in found] == ([code] if code else [])
    assert all(words in finding.message for finding in found)


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"toolkit": "12.8.1"}, "cuda-toolkit-differs"),
        ({"toolkit": ""}, "cuda-toolkit-differs"),
        ({"cuda_home": None, "toolkit": ""}, "cuda-toolkit-missing"),
        ({"open_mpi": ""}, "open-mpi-version-unknown"),
        ({"open_mpi": "5.0.7"}, "open-mpi-too-new"),
        ({"open_mpi": "4.1"}, ""),
    ],
)
def test_toolkit_and_mpi_are_those_of_the_engine(changed: dict[str, Any], code: str) -> None:
    assert isinstance(FACTS.system, f.SystemFacts)
    found = findings(system=replace(FACTS.system, **changed))
    assert [finding.code for finding in found] == ([code] if code else [])
