"""What apt says it would do, and which files of a bundle are needed for it."""

import pytest

from fakes.fake_host import FakeHost
from trtllm_install.model.facts import Package
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


def simulate(host: FakeHost, said: str, *, code: int = 0, errors: str = "") -> None:
    host.answer_command(["apt-get", "--simulate"], said, code=code, stderr=errors)


def test_every_package_that_would_come_is_named_with_its_version(host: FakeHost) -> None:
    simulate(
        host,
        "Inst libz (1:1.2-3 Debian:12/stable, Debian-Security:12/x [arm64]) []\n"
        "Inst nginx (1.22.1-9+deb12u1 Debian:12.1/stable [arm64])\n"
        "Conf nginx (1.22.1-9+deb12u1 Debian:12.1/stable [arm64])\n",
    )
    seen = probe_packages(host, ["nginx"])
    assert seen is not None
    assert seen.can_bring
    assert seen.architecture == "arm64"
    assert seen.brings == (
        Package(name="libz", version="1:1.2-3"),
        Package(name="nginx", version="1.22.1-9+deb12u1"),
    )


@pytest.mark.parametrize(
    ("said", "names"),
    [
        ("Inst nginx [1.22.1-9] (1.22.1-10 Debian:12/stable [amd64])\n", "nginx"),
        ("Remv apache2 [2.4]\nInst nginx (1 Debian [amd64])\n", "apache2"),
    ],
)
def test_an_upgrade_or_a_removal_is_a_problem(host: FakeHost, said: str, names: str) -> None:
    simulate(host, said)
    seen = probe_packages(host, ["lua-cjson"])
    assert seen is not None
    assert not seen.can_bring
    assert seen.problem == f"it would upgrade or remove {names}"


def test_the_words_of_apt_are_kept(host: FakeHost) -> None:
    simulate(host, "", code=100, errors="W: old\nE: Unable to locate package x.\nE: Held broken\n")
    seen = probe_packages(host, ["x"])
    assert seen is not None
    assert seen.problem == "apt-get says: Unable to locate package x; Held broken"


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
