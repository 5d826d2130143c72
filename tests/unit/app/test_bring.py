"""Open MPI, which only a warning asks for: brought where it can be, and never in the way."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from fakes.fake_apt import FILES, MPI_4, PROXY, FakeApt, planned
from fakes.fake_host import FakeHost
from fakes.fake_systemd import FakeSystemd, Fate
from fakes.heard import Heard
from fakes.lacking import MISSING, MULTI, REAL, codes, lacking_host, looked
from trtllm_install.app.install import install
from trtllm_install.app.observe import Judged
from trtllm_install.app.options import Options
from trtllm_install.app.uninstall import uninstall
from trtllm_install.apply.packages import POLICY
from trtllm_install.host.protocol import Completed
from trtllm_install.model import layout
from trtllm_install.model.errors import GateFailed, Interrupted, PreflightFailed
from trtllm_install.model.findings import Finding
from trtllm_install.receipts.store import read_receipt


@pytest.fixture
def apt() -> FakeApt:
    return lacking_host()


@pytest.mark.parametrize(
    ("version", "why"),
    [
        ("4.1.4-3", ""),
        ("5.0.7-1", "it is version 5.0.7-1 here"),
        ("", "apt knows no openmpi-bin"),
    ],
)
@pytest.mark.parametrize("proxy_too", [True, False])
def test_open_mpi_comes_for_a_real_engine_unless_it_is_too_new(
    apt: FakeApt, version: str, why: str, proxy_too: bool
) -> None:
    """One question tells of the proxy, too, whatever there is of Open MPI."""
    apt.mpi = version
    for path in (path for name in PROXY for path in FILES[name] if not proxy_too):
        apt.host.add_program(path)
    judged = looked(apt, REAL)
    seen = judged.facts.packages
    assert seen is not None
    assert seen.wanted == (*(MISSING if proxy_too else ()), *(() if why else ("openmpi-bin",)))
    assert seen.can_bring is bool(seen.wanted)
    assert [argv[0] for argv in apt.host.ran].count("apt-get") == 1
    if why:
        assert f"openmpi-bin: {why}" in mpi_finding(judged).message
        assert ("apt-get" in mpi_finding(judged).remedy) == (not version)
    else:
        assert "open-mpi-missing" not in codes(judged)


def test_an_open_mpi_that_apt_prefers_to_ours_is_not_brought(apt: FakeApt) -> None:
    """Such a 4 is in its lists as well, and it would still install the 5."""
    plan, apt.mpi = apt._planned, "4.1.4-3"

    def answer(argv: tuple[str, ...], stdin: str) -> Completed:
        names = [*MISSING, *(["openmpi-bin"] if MPI_4 in argv else [])]
        said = plan(argv, names)
        return replace(said, stdout=said.stdout.replace(apt.mpi, "5.9-1"))

    apt.host.answer_command(["apt-get", "--print-uris"], by=answer)
    judged = looked(apt, REAL)
    assert judged.facts.packages is not None
    assert judged.facts.packages.wanted == MISSING
    assert "openmpi-bin" not in {p.name for p in judged.facts.packages.brings}
    assert "it is version 5.9-1 here" in mpi_finding(judged).message


def mpi_finding(judged: Judged) -> Finding:
    (finding,) = (f for f in judged.findings if f.code == "open-mpi-missing")
    return finding


def accepting_all(apt: FakeApt) -> Options:
    """Return a real install that takes a host without GPUs, engine and weights as it is."""
    return replace(REAL, accept=tuple(f.code for f in looked(apt, REAL).errors))


def test_what_only_a_warning_asks_for_stops_no_install(apt: FakeApt) -> None:
    options, heard = accepting_all(apt), Heard()
    apt.fails = 2  # of everything; then what is necessary can be had
    done = install(apt.host, options, heard)
    assert apt.installed == set(PROXY)
    assert [c.path for c in done.step.plan.packages] == list(PROXY)
    said = "install cannot bring openmpi-bin: cannot run apt-get --download-only: Failed to fetch"
    assert said in mpi_finding(done.judged).message
    assert heard.text.count(said) == 1
    assert mpi_finding(done.judged).remedy.endswith("sudo apt-get install openmpi-bin")


def test_what_is_necessary_is_installed_first_and_advice_by_itself(apt: FakeApt) -> None:
    install(apt.host, accepting_all(apt), Heard())
    everything = (*PROXY, "openmpi-bin")
    assert {*apt.told[0]} == {"--download-only", *everything}
    assert apt.told[1:] == [("install", *PROXY), ("install", "openmpi-bin")]
    assert installed_packages(apt) == {*everything}


def test_an_interrupt_while_dpkg_works_is_heard_once_it_has_ended(
    apt: FakeApt, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python's own half is in host/signals.py; a fake gets no signals."""

    @contextmanager
    def shielded(host: FakeHost, *, heard_after: bool = False) -> Iterator[None]:
        yield
        if heard_after and host.ran[-1][-1] == "lua-cjson":
            raise KeyboardInterrupt

    monkeypatch.setattr(FakeHost, "shielded", shielded)
    before = apt.host.snapshot()
    with pytest.raises(Interrupted, match="the host is as it was"):
        install(apt.host, MULTI, Heard())
    assert apt.told[-2:] == [("install", *PROXY), ("purge", *PROXY)]
    assert apt.host.snapshot() == before
    assert not apt.host.is_settled
    monkeypatch.undo()
    install(apt.host, MULTI, Heard())
    assert apt.host.is_settled


def test_a_bundle_parts_its_files_in_the_same_way(apt: FakeApt) -> None:
    folder = apt.bundle(*PROXY, "openmpi-bin")
    install(apt.host, replace(accepting_all(apt), package_folder=folder), Heard())
    assert [{*told} for told in apt.told] == [{"install", *PROXY}, {"install", "openmpi-bin"}]


def test_where_apt_does_not_part_them_advice_alone_comes_last(apt: FakeApt) -> None:
    """It would bring another package for the necessary ones alone."""
    options, plan = accepting_all(apt), apt._planned

    def answer(argv: tuple[str, ...], stdin: str) -> Completed:
        said = plan(argv, [*MISSING, *(["openmpi-bin"] if MPI_4 in argv else [])])
        return said if MPI_4 in argv else replace(said, stdout=planned({"nginx-light": "1"}))

    apt.host.answer_command(["apt-get", "--print-uris"], by=answer)
    install(apt.host, options, Heard())
    assert apt.told[1:] == [("install", *PROXY), ("install", "openmpi-bin")]


def test_advice_that_dpkg_cannot_configure_is_taken_away_and_undoes_nothing(apt: FakeApt) -> None:
    options, heard = accepting_all(apt), Heard()
    apt.breaks = "openmpi-bin"
    done = install(apt.host, options, heard)
    assert apt.told[-2:] == [("install", "openmpi-bin"), ("purge", "openmpi-bin")]
    assert apt.installed == installed_packages(apt) == set(PROXY)
    assert {c.path for c in done.step.plan.packages} == set(PROXY)
    said = (
        "openmpi-bin: installed openmpi-bin package post-installation script subprocess "
        "returned error exit status 3 (no rank for this host); Sub-process /usr/bin/dpkg"
    )
    assert said in mpi_finding(done.judged).message
    assert mpi_finding(done.judged).remedy.endswith("sudo apt-get install openmpi-bin")
    assert heard.text.count(said) == 2  # when it happens, and at the end
    assert POLICY not in apt.host.nodes


def test_advice_that_cannot_be_taken_away_is_told_and_owned(apt: FakeApt) -> None:
    options = accepting_all(apt)
    apt.breaks = apt.clings = "openmpi-bin"
    done = install(apt.host, options, Heard())
    assert "sudo apt-get purge openmpi-bin" in mpi_finding(done.judged).message
    assert installed_packages(apt) == {*PROXY, "openmpi-bin"}
    apt.clings = ""
    uninstall(apt.host, Heard(), purge=True)
    assert apt.installed == set()


def test_what_fails_after_failed_advice_leaves_nothing(apt: FakeApt) -> None:
    systemd, options = FakeSystemd(apt.host), accepting_all(apt)
    systemd.fates["qwen"] = Fate(state="failed", code=78, reason="no")
    apt.breaks = "openmpi-bin"
    before = apt.host.snapshot()
    with pytest.raises(GateFailed, match="the host is as it was"):
        install(apt.host, options, Heard())
    assert apt.host.snapshot() == before


@pytest.mark.parametrize("trouble", ["dpkg", "download", "version"])
def test_what_was_left_out_is_not_asked_for_again_while_apt_stands_still(
    apt: FakeApt, trouble: str
) -> None:
    options, plain = accepting_all(apt), looked(apt, REAL).findings
    break_open_mpi(apt, trouble)
    first = install(apt.host, options, Heard())
    assert mpi_finding(first.judged) not in plain
    before = apt.host.snapshot()
    apt.host.ran.clear()
    again = install(apt.host, options, Heard())
    assert again.step.plan.count == 0
    assert not [argv for argv in apt.host.ran if argv[0].startswith("apt")]
    assert apt.host.snapshot() == before
    first_says = mpi_finding(first.judged).message.partition(";")[0]
    assert mpi_finding(again.judged).message.startswith(first_says)
    assert "tries again once apt's lists or packages change" in mpi_finding(again.judged).message


@pytest.mark.parametrize("change", ["lists", "sources", "damage"])
def test_what_was_left_out_is_tried_again_once_apt_may_have_it(apt: FakeApt, change: str) -> None:
    options = accepting_all(apt)
    break_open_mpi(apt, "dpkg")
    install(apt.host, options, Heard())
    apt.breaks = ""
    path = {
        "lists": "/var/lib/apt/lists/new_main_Packages",
        "sources": "/etc/apt/sources.list.d/new.list",
        "damage": layout.PACKAGES_LEFT_OUT,
    }[change]
    apt.host.add_file(path, "other")
    done = install(apt.host, options, Heard())
    assert [c.path for c in done.step.plan.packages] == ["openmpi-bin"]
    assert layout.PACKAGES_LEFT_OUT not in apt.host.nodes


def test_a_bundle_is_tried_whatever_was_left_out_before(apt: FakeApt) -> None:
    options = accepting_all(apt)
    break_open_mpi(apt, "download")
    install(apt.host, options, Heard())
    bundled = replace(options, package_folder=apt.bundle("openmpi-bin"))
    assert "openmpi-bin" in {c.path for c in install(apt.host, bundled, Heard()).step.plan.packages}


def test_uninstall_forgets_what_was_left_out(apt: FakeApt) -> None:
    options = accepting_all(apt)
    break_open_mpi(apt, "dpkg")
    install(apt.host, options, Heard())
    assert layout.PACKAGES_LEFT_OUT in apt.host.nodes
    uninstall(apt.host, Heard(), purge=False)
    assert layout.PACKAGES_LEFT_OUT not in apt.host.nodes


def break_open_mpi(apt: FakeApt, trouble: str) -> None:
    """Let Open MPI not come: from dpkg, from the archive, or as the wrong version."""
    if trouble == "dpkg":
        apt.breaks = "openmpi-bin"
    elif trouble == "download":
        apt.fails = 2
    else:
        apt.mpi = "5.0.7-1"


def installed_packages(apt: FakeApt) -> set[str]:
    """Return the packages that the receipt owns."""
    receipt = read_receipt(apt.host)
    return set(receipt.packages) if receipt else set()


@pytest.mark.parametrize("trouble", ["refused", "unreachable", "no lists"])
def test_where_open_mpi_alone_lacks_nothing_of_apt_stops_an_install(
    apt: FakeApt, trouble: str
) -> None:
    options = replace(accepting_all(apt), start=False)
    for path in (path for name in PROXY for path in FILES[name]):
        apt.host.add_program(path)
    if trouble == "refused":
        apt.refuses = "Unable to locate package openmpi-bin"
    elif trouble == "unreachable":
        apt.fails = 9
    else:
        del apt.host.nodes["/var/lib/apt/lists/deb_main_Packages"]
    done = install(apt.host, options, Heard())
    assert done.step.plan.packages == ()
    assert "install cannot bring openmpi-bin: " in mpi_finding(done.judged).message
    assert apt.installed == set(PROXY)


def test_what_is_necessary_and_in_no_list_changes_nothing(apt: FakeApt) -> None:
    options = accepting_all(apt)
    del apt.host.nodes["/var/lib/apt/lists/deb_main_Packages"]
    before = apt.host.snapshot()
    with pytest.raises(PreflightFailed, match="apt has no list of packages") as caught:
        install(apt.host, options, Heard())
    assert "lua-cjson: apt has no list" in caught.value.message  # and nothing of Open MPI
    assert "sudo apt-get update" in caught.value.hint
    assert apt.host.snapshot() == before


def test_a_bundle_says_what_it_does_not_have(apt: FakeApt) -> None:
    bundled = replace(REAL, package_folder=apt.bundle(*PROXY))
    assert "packages-unavailable" not in codes(looked(apt, bundled))
    assert "openmpi-bin: the bundle has no openmpi-bin" in mpi_finding(looked(apt, bundled)).message
    apt.host.remove(f"{bundled.package_folder}/lua-cjson_1_amd64.deb")
    errors = looked(apt, bundled).errors
    (error,) = (f for f in errors if f.code == "packages-unavailable")
    assert "the bundle has no lua-cjson" in error.message
