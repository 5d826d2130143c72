"""What apt says it would do, and which files of a bundle are needed for it."""

import pytest

from fakes.fake_host import FakeHost
from trtllm_install.model.facts import Package, PackageFacts
from trtllm_install.probes.package_manager import probe_debs, probe_packages

FOLDER = "/staging/packages"
FIELDS = {
    "nginx_1_amd64.deb": "Package: nginx\nDepends: nginx-common (= 1), libc6 (>= 2.36)\n",
    "nginx-common_1_all.deb": "Package: nginx-common\nDepends: lsb-base | init-helpers\n",
    "init-helpers_1_all.deb": "Package: init-helpers\n",
    "lua_1_amd64.deb": "Package: lua-mod\nPre-Depends: luajit:any\n",
    "luajit2_1_amd64.deb": "Package: luajit2\nProvides: luajit (= 2.1), other\n",
    "python3-venv_1_amd64.deb": "Package: python3-venv\n",
}


@pytest.fixture
def host() -> FakeHost:
    host = FakeHost()
    for program in ("apt-get", "dpkg"):
        host.add_program(f"/usr/bin/{program}")
    host.add_file("/var/lib/apt/lists/deb_Packages.lz4")
    host.answer_command(["dpkg", "--print-architecture"], "arm64\n")
    host.answer_command(["dpkg-query"], "nginx-common not-installed\ninit-helpers installed\n")
    host.add_directory(FOLDER)
    for name, said in FIELDS.items():
        host.add_file(f"{FOLDER}/{name}")
        host.answer_command(["dpkg-deb", "--field", f"{FOLDER}/{name}"], said)
    host.add_file(f"{FOLDER}/README")
    return host


def answer(host: FakeHost, said: str, *, code: int = 0, errors: str = "") -> PackageFacts:
    """Return what is seen where apt says this."""
    host.answer_command(["apt-get", "--print-uris"], said, code=code, stderr=errors)
    seen = probe_packages(host, ["nginx", "lua-cjson"])
    assert seen is not None
    return seen


PLAN = """\
Reading package lists...
Suggested packages:
   gfortran (4:12.2.0-3)
   | fortran-compiler
   libz-doc (1.2)
Recommended packages:
   libz-extra (1.2)
The following NEW packages will be installed:
   libz:i386 (1:1.2-3)
   nginx (1.22.1-9+deb12u1)
0 upgraded, 2 newly installed, 0 to remove and 90 not upgraded.
1 not fully installed or removed.
Need to get 1522 kB of archives.
'http://mirror.example/nginx_1.22.1.deb' nginx_1.22.1-9_amd64.deb 532468 MD5Sum:42
"""


def test_every_package_that_would_come_is_named_with_its_version(host: FakeHost) -> None:
    seen = answer(host, PLAN)
    assert seen.can_bring
    assert seen.architecture == "arm64"
    assert seen.brings == (
        Package(name="libz:i386", version="1:1.2-3"),
        Package(name="nginx", version="1.22.1-9+deb12u1"),
    )


@pytest.mark.parametrize(
    ("listed", "totals", "names"),
    [
        ("upgraded:\n   a (1 => 2)\n   b (3 => 4)", "2 upgraded, 0 newly installed, 0", "a, b"),
        ("DOWNGRADED:\n   a (2 => 1)", "0 upgraded, 0 newly installed, 1 downgraded, 0", "a"),
        ("REMOVED:\n   a* (1)", "0 upgraded, 0 newly installed, 1", "a"),
    ],
)
@pytest.mark.parametrize("code", [0, 100])
def test_an_upgrade_or_a_removal_is_a_problem(
    host: FakeHost, listed: str, totals: str, names: str, code: int
) -> None:
    said = f"The following packages will be {listed}\n{totals} to remove and 7 not upgraded.\n"
    seen = answer(host, said, code=code, errors="E: Packages need to be removed.\n")
    assert not seen.can_bring
    assert seen.problem == f"it would upgrade or remove {names}"


def test_the_words_of_apt_are_kept(host: FakeHost) -> None:
    errors = "W: old\nE: Unable to locate package x.\nE: Held broken\n"
    seen = answer(host, "", code=100, errors=errors)
    assert seen.problem == "apt-get says: Unable to locate package x; Held broken"


@pytest.mark.parametrize(
    "said",
    [
        "",
        "Inst nginx (1 Debian [amd64])\n",
        PLAN.replace("2 newly", "3 newly"),
        PLAN.replace("nginx (1.22.1-9+deb12u1)", "nginx 1.22.1-9+deb12u1"),
        PLAN.replace("0 upgraded", "1 upgraded"),
        PLAN.replace("0 to remove", "1 to remove"),
        PLAN.replace("NEW packages", "packages"),
        PLAN + "0 upgraded, 2 newly installed, 0 to remove and 0 not upgraded.\n",
    ],
)
def test_an_answer_that_is_not_understood_is_no_pass(host: FakeHost, said: str) -> None:
    seen = answer(host, said)
    assert not seen.can_bring
    assert seen.problem.startswith("the answer of apt-get is not understood, it ends with: ")


def test_only_what_is_needed_and_not_here_is_taken_from_a_folder(host: FakeHost) -> None:
    """Through alternatives, virtual packages and Pre-Depends; python3-venv is nobody's need."""
    assert probe_debs(host, FOLDER, ["nginx", "lua-mod"]) == (
        f"{FOLDER}/nginx_1_amd64.deb",
        f"{FOLDER}/lua_1_amd64.deb",
        f"{FOLDER}/nginx-common_1_all.deb",
        f"{FOLDER}/luajit2_1_amd64.deb",
    )


def test_a_folder_that_brings_nothing_is_left_alone(host: FakeHost) -> None:
    assert probe_debs(host, FOLDER, ["openmpi-bin"]) == ()
