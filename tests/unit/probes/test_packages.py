"""What dpkg records, and which package a program came in."""

from fakes.fake_host import FakeHost
from trtllm_install.model.errors import HostError
from trtllm_install.probes.packages import DPKG, halfway, package_version

STATUS = """Package: nginx-common
Status: install ok installed
Version: 9

Package: nginx
Status: install ok installed
Priority: optional
Version: 1:1.22.1-9+deb12u9

Package: gone
Status: deinstall ok config-files
Version: 1

Package: nvidia-dkms-580
Status: install ok half-configured
Version: 580.95.05-1

Package: libc-bin
Status: install ok triggers-pending
Version: 2.36
"""


def test_packages_that_are_half_done_are_named_and_no_others() -> None:
    assert halfway(STATUS.encode()) == ("nvidia-dkms-580", "libc-bin")
    assert halfway(b"") == ()


def test_program_of_a_package_has_the_version_without_its_epoch() -> None:
    host = FakeHost()
    host.add_file(DPKG, STATUS)
    assert package_version(host, "/usr/sbin/nginx", "nginx") == "1.22.1-9+deb12u9"
    assert package_version(host, "/usr/local/sbin/nginx", "nginx") == ""
    assert package_version(host, "/usr/bin/gone", "gone") == ""
    assert package_version(host, "/usr/bin/other", "other") == ""


def test_rpm_is_asked_where_there_is_no_dpkg() -> None:
    host = FakeHost()
    host.add_program("/usr/bin/rpm")
    host.answer_command(["/usr/bin/rpm", "-qf"], "1.26.3-16.el10_3")
    assert package_version(host, "/usr/sbin/nginx", "nginx") == "1.26.3-16.el10_3"
    host.answer_command(["/usr/bin/rpm", "-qf"], "file is not owned by any package", code=1)
    assert package_version(host, "/usr/sbin/nginx", "nginx") == ""
    host.answer_command(["/usr/bin/rpm", "-qf"], by=HostError("cannot run rpm", hint="rpm"))
    assert package_version(host, "/usr/sbin/nginx", "nginx") == ""
