"""The host around the GPUs: every part by itself, and unknown where it cannot be read."""

from dataclasses import fields

import pytest

from fakes.fake_host import FakeHost
from fakes.fake_systemd import debian
from trtllm_install.model.facts import Unknown
from trtllm_install.model.facts.host import Compilers, FileSystem, Guards, HostFacts, Kernel
from trtllm_install.probes.compilers import probe_compilers
from trtllm_install.probes.filesystems import mount_of
from trtllm_install.probes.guards import probe_guards, probe_sleep
from trtllm_install.probes.host import probe_host
from trtllm_install.probes.kernel import probe_kernel, probe_locked_memory

MOUNTS = """22 1 259:2 / / rw,relatime shared:1 - ext4 /dev/nvme0n1p2 rw
30 22 0:40 / /srv/my\\040models ro,noexec - nfs4 nas:/models rw,vers=4.2
31 22 8:1 / /var rw,noexec - xfs /dev/sda1 rw
32 31 8:2 / /var rw - ext4 /dev/sdb1 rw
"""


def test_debian_is_read_whole() -> None:
    facts = probe_host(debian())
    assert list(facts.unread()) == []
    assert facts.kernel == Kernel(release="6.1.0-40-amd64", machine="x86_64")
    assert facts.glibc == "2.36"
    assert [disk.path for disk in facts.disks if isinstance(disk, FileSystem)] == [
        "/opt/trtllm/engines",
        "/var/lib/trtllm",
        "/var/log/trtllm",
        "/etc/trtllm",
        "/etc/systemd/system",
    ]
    assert isinstance(facts.shared_memory, FileSystem)
    assert facts.shared_memory.kind == "tmpfs"
    assert (facts.locked_memory, facts.halfway, facts.sleeps) == (None, (), "")
    assert facts.compilers == Compilers(cc="/usr/bin/gcc", cxx="/usr/bin/g++")


def test_host_that_refuses_everything_is_unknown_in_every_part() -> None:
    """No part of it may be taken for good because nothing was read of it."""
    host = FakeHost(root=False)
    for path in ("/proc", "/sys", "/etc", "/var", "/usr", "/opt", "/dev"):
        host.forbid(path)
    facts = probe_host(host)
    only_words = {"dgx", "os_release"}
    assert len({subject for subject, _ in facts.unread()}) == len(fields(HostFacts)) - len(
        only_words
    )
    assert facts.dgx == ""


@pytest.mark.parametrize(
    ("path", "source", "options"),
    [
        ("/opt/x", "/dev/nvme0n1p2", ("rw", "relatime")),
        ("/srv/my models/q", "nas:/models", ("ro", "noexec", "rw", "vers=4.2")),
        ("/srv/my", "/dev/nvme0n1p2", ("rw", "relatime")),
        ("/var", "/dev/sdb1", ("rw",)),
        ("/variant", "/dev/nvme0n1p2", ("rw", "relatime")),
        ("/", "/dev/nvme0n1p2", ("rw", "relatime")),
    ],
)
def test_path_lies_on_the_nearest_mount_and_the_last_one_there(
    path: str, source: str, options: tuple[str, ...]
) -> None:
    mount = mount_of(MOUNTS, path)
    assert mount is not None
    assert (mount[1], mount[3]) == (source, options)


def test_nonsense_instead_of_mounts_is_no_mount() -> None:
    assert mount_of("one two\n- - -\n\n", "/") is None


@pytest.mark.parametrize(
    ("line", "limit"),
    [
        ("Max locked memory         65536                8388608              bytes", 8388608),
        ("Max locked memory         unlimited            unlimited            bytes", None),
    ],
)
def test_hard_limit_of_locked_memory_counts(line: str, limit: int | None) -> None:
    host = FakeHost()
    host.add_file("/proc/self/limits", f"Limit  Soft  Hard  Units\n{line}\n")
    assert probe_locked_memory(host) == limit
    host.add_file("/proc/self/limits", "nothing of that\n")
    assert isinstance(probe_locked_memory(host), Unknown)


def test_selinux_is_what_the_kernel_enforces() -> None:
    host = FakeHost()
    assert probe_guards(host) == Guards(selinux="off")
    host.add_file("/sys/fs/selinux/enforce", "1")
    assert probe_guards(host) == Guards(selinux="enforcing")
    host.add_file("/sys/fs/selinux/enforce", "0")
    assert probe_guards(host) == Guards(selinux="permissive")


def test_apparmor_matters_where_it_enforces_a_profile_of_the_proxy() -> None:
    host = FakeHost()
    loaded = "/sys/kernel/security/apparmor/profiles"
    host.add_file("/sys/module/apparmor/parameters/enabled", "Y\n")
    host.add_file("/etc/apparmor.d/usr.sbin.cupsd", "")
    host.add_file(loaded, "/usr/sbin/cupsd (enforce)\n")
    host.forbid(loaded)
    assert probe_guards(host) == Guards()  # only root may look, and nothing of ours is there
    host.add_file("/etc/apparmor.d/usr.sbin.nginx", "")
    assert isinstance(probe_guards(host), Unknown)
    seen = FakeHost()
    seen.add_file("/sys/module/apparmor/parameters/enabled", "Y\n")
    seen.add_file("/etc/apparmor.d/usr.sbin.nginx", "")
    seen.add_file(loaded, "/usr/sbin/nginx (enforce)\nopenresty (complain)\nfirefox (enforce)\n")
    assert probe_guards(seen) == Guards(confined=("/usr/sbin/nginx",))


def test_host_sleeps_by_logind_or_by_its_desktop_unless_that_is_masked() -> None:
    host = FakeHost()
    assert probe_sleep(host) == ""
    host.add_link(
        "/etc/systemd/system/display-manager.service", "/usr/lib/systemd/system/gdm3.service"
    )
    assert probe_sleep(host) == "the desktop of gdm3.service suspends an idle host"
    host.add_file("/etc/systemd/logind.conf", "[Login]\n#IdleAction=suspend\n")
    host.add_file("/usr/lib/systemd/logind.conf.d/50-x.conf", "[Login]\nIdleAction=ignore\n")
    host.add_file("/etc/systemd/logind.conf.d/60-y.conf", "[Login]\nIdleAction=hibernate\n")
    assert probe_sleep(host) == "logind's IdleAction is hibernate"
    host.add_link("/etc/systemd/system/sleep.target", "/dev/null")
    assert probe_sleep(host) == ""


def engine(python: str) -> FakeHost:
    host = FakeHost()
    host.add_program("/opt/trtllm/engines/1.3.0rc2/bin/trtllm-serve")
    host.add_link("/opt/trtllm/engines/current", "1.3.0rc2")
    host.add_link("/opt/trtllm/engines/1.3.0rc2/bin/python3", python)
    return host


def compilers(host: FakeHost) -> Compilers:
    seen = probe_compilers(host)
    assert isinstance(seen, Compilers)
    return seen


def test_python_of_the_engine_is_followed_to_its_headers() -> None:
    host = engine("/usr/bin/python3.12")
    gone = compilers(host)
    assert (gone.python_gone, gone.headers) == ("/usr/bin/python3.12", "")
    host.add_program("/usr/bin/python3.12")
    bare = compilers(host)
    assert (bare.python_gone, bare.headers, bare.version) == ("", None, "3.12")
    host.add_file("/usr/include/python3.12/Python.h")
    assert compilers(host).headers == "/usr/include/python3.12/Python.h"


def test_without_an_engine_no_python_is_looked_for() -> None:
    seen = compilers(FakeHost())
    assert (seen.cc, seen.cxx, seen.python, seen.headers) == (None, None, "", "")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('DGX_NAME="DGX Spark"\nDGX_PRETTY_NAME="NVIDIA DGX Spark"\n', "DGX Spark"),
        ("DGX_PLATFORM=x\n", ""),
    ],
)
def test_a_system_of_nvidia_says_its_name(text: str, name: str) -> None:
    host = debian()
    host.add_file("/etc/dgx-release", text)
    assert probe_host(host).dgx == name


def test_kernel_is_read_without_a_process_where_it_tells_all_itself() -> None:
    host = FakeHost()
    host.add_file("/proc/sys/kernel/osrelease", "6.8.0-45-generic\n")
    host.answer_command(["uname", "-r", "-m"], "6.8.0-45-generic x86_64\n")
    assert probe_kernel(host) == Kernel(release="6.8.0-45-generic", machine="x86_64")
    host.add_file("/proc/sys/kernel/arch", "aarch64\n")
    assert probe_kernel(host) == Kernel(release="6.8.0-45-generic", machine="aarch64")
    assert host.ran == [("uname", "-r", "-m")]
