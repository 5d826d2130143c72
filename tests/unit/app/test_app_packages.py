"""Packages of the distribution: planned, fetched, brought, undone, and taken away."""

from dataclasses import replace
from threading import Event

import pytest

from fakes.fake_apt import FILES, PROXY, FakeApt
from fakes.fake_host import FakeHost, KilledError
from fakes.fake_systemd import FakeSystemd, Fate
from fakes.heard import Heard
from fakes.lacking import MULTI, REAL, codes, lacking_host, looked
from trtllm_install.app.install import install
from trtllm_install.app.rollback import rollback
from trtllm_install.app.uninstall import plan_uninstall, uninstall
from trtllm_install.apply.packages import POLICY
from trtllm_install.host.protocol import Completed
from trtllm_install.model import layout
from trtllm_install.model.errors import ApplyFailed, GateFailed, PreflightFailed
from trtllm_install.receipts.store import read_receipt


@pytest.fixture
def apt() -> FakeApt:
    return lacking_host()


def test_install_brings_what_lacks_and_a_second_asks_nobody(apt: FakeApt) -> None:
    done = install(apt.host, MULTI, Heard())
    brought = [c.path for c in done.step.plan.packages]
    assert brought == list(PROXY)
    assert apt.told == [("--download-only", *brought), ("install", *brought)]
    assert ("systemctl", "disable", "--quiet", "nginx.service") in apt.host.ran
    receipt = read_receipt(apt.host)
    assert receipt is not None
    assert set(receipt.packages) == set(PROXY)
    assert POLICY not in apt.host.nodes
    apt.host.ran.clear()
    assert install(apt.host, MULTI, Heard()).step.plan.count == 0
    assert not [argv for argv in apt.host.ran if argv[0] == "apt-get"]


def test_apt_is_asked_while_weights_are_read(apt: FakeApt, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, answer, list_names = Event(), apt._apt_get, FakeHost.names_in

    def reply(argv: tuple[str, ...], stdin: str) -> Completed:
        asked.set()
        return answer(argv, stdin)

    def names_in(host: FakeHost, path: str) -> tuple[str, ...]:
        if path.startswith("/models"):
            assert asked.wait(20)
        return list_names(host, path)

    apt.host.answer_command(["apt-get"], by=reply)
    monkeypatch.setattr(FakeHost, "names_in", names_in)
    assert {"packages-absent", "weights-missing"} <= codes(looked(apt, REAL))


def test_a_look_asks_every_program_once(apt: FakeApt) -> None:
    tls = "tls: {certificate: /srv/a.pem, key: /srv/b.pem}"
    apt.host.add_file(layout.SITE_FILE, f"listen: 0.0.0.0\nproxy: {{{tls}}}\n")
    looked(apt, REAL)
    asked = apt.host.ran
    assert {argv[0] for argv in asked} > {"apt-get", "openssl", "systemctl"}
    assert [argv for argv in asked if asked.count(argv) > 1] == []


def test_what_fails_later_takes_its_packages_along(apt: FakeApt) -> None:
    systemd = FakeSystemd(apt.host)
    systemd.fates["qwen"] = Fate(state="failed", code=78, reason="no")
    before = apt.host.snapshot()
    with pytest.raises(GateFailed, match="the host is as it was"):
        install(apt.host, MULTI, Heard())
    assert apt.told[-1] == ("purge", *PROXY)
    assert apt.host.snapshot() == before


@pytest.mark.parametrize("moment", range(1, 12))
def test_a_kill_at_any_early_change_is_undone(apt: FakeApt, moment: int) -> None:
    before = apt.host.snapshot("/usr", "/etc", "/lib")
    apt.host.die_after_change = moment
    with pytest.raises(KilledError):
        install(apt.host, MULTI, Heard())
    apt.host.die_after_change = None
    rollback_or_nothing(apt.host)
    assert apt.host.snapshot("/usr", "/etc", "/lib") == before
    assert apt.installed == set()


def rollback_or_nothing(host: FakeHost) -> None:
    """Undo as the next run does; a kill before the first entry leaves nothing to undo."""
    if host.look("/var/lib/trtllm/journal/0000.json"):
        rollback(host, Heard(), to=None, timeout_s=1)


def test_a_policy_of_somebody_else_is_put_back_as_it_was(apt: FakeApt) -> None:
    apt.host.add_file(POLICY, "#!/bin/sh\nexit 0\n", mode=0o700)
    before = apt.host.snapshot(POLICY)
    install(apt.host, MULTI, Heard())
    assert apt.host.snapshot(POLICY) == before
    assert f"{POLICY}.trtllm-before" not in apt.host.nodes


def test_stale_lists_are_read_and_the_plan_is_made_again(apt: FakeApt) -> None:
    apt.fails = 1
    install(apt.host, MULTI, Heard())
    assert [told[0] for told in apt.told] == [
        "--download-only",
        "update",
        "--download-only",
        "install",
    ]


def test_a_download_that_fails_changes_nothing(apt: FakeApt) -> None:
    apt.fails = 9
    before = apt.host.snapshot()
    with pytest.raises(PreflightFailed, match="404 Not Found; nothing was changed"):
        install(apt.host, MULTI, Heard())
    assert apt.host.snapshot() == before


def test_packages_that_are_not_as_expected_are_undone(apt: FakeApt) -> None:
    apt.host.answer_command(["/usr/sbin/nginx", "-V"], stderr="nginx version: freenginx/1.27.0\n")
    with pytest.raises(ApplyFailed, match=r"expected .*, found .*no usable nginx"):
        install(apt.host, MULTI, Heard())
    assert apt.installed == set()


def test_no_packages_has_the_command_instead(apt: FakeApt) -> None:
    judged = looked(apt, replace(MULTI, packages=False))
    (finding,) = (f for f in judged.findings if f.code == "proxy-binary-missing")
    assert finding.remedy == "sudo apt-get install nginx libnginx-mod-http-lua lua-cjson"


def test_what_apt_refuses_is_the_only_error(apt: FakeApt) -> None:
    apt.refuses = "Unable to locate package nginx"
    judged = looked(apt)
    (error,) = judged.errors
    assert error.code == "packages-unavailable"
    assert "apt-get says: Unable to locate package nginx" in error.message


def test_before_the_lists_were_read_apt_is_not_taken_at_its_word(apt: FakeApt) -> None:
    del apt.host.nodes["/var/lib/apt/lists/deb_main_Packages"]
    apt.refuses = "Unable to locate package nginx"
    judged = looked(apt)
    assert judged.errors == ()
    assert "packages-absent" in codes(judged)


def test_another_distribution_gets_the_command(apt: FakeApt) -> None:
    del apt.host.nodes["/usr/bin/apt-get"]
    apt.host.add_program("/usr/bin/dnf")
    (finding,) = (f for f in looked(apt).findings if f.code == "proxy-binary-missing")
    assert "install OpenResty with dnf" in finding.remedy


def test_openresty_needs_no_package(apt: FakeApt) -> None:
    apt.host.add_program("/usr/bin/openresty")
    said = "nginx version: openresty/1.27.1\n"
    apt.host.answer_command(["/usr/bin/openresty", "-V"], stderr=said)
    assert looked(apt).facts.packages is None


def test_what_goes_with_nginx_may_be_here_already(apt: FakeApt) -> None:
    for path in FILES["lua-cjson"]:
        apt.host.add_program(path)
    seen = looked(apt).facts.packages
    assert seen is not None
    assert seen.can_bring
    assert {p.name for p in seen.brings} == set(PROXY) - {"lua-cjson"}
    done = install(apt.host, MULTI, Heard())
    assert "lua-cjson" not in {c.path for c in done.step.plan.packages}


@pytest.mark.parametrize("hollow", [("nginx",), ("lua-cjson",), PROXY])
def test_what_is_installed_without_its_files_is_not_brought(
    apt: FakeApt, hollow: tuple[str, ...]
) -> None:
    apt.hollow = hollow
    if "nginx" not in hollow:  # which is here then, and says what lacks
        for path in (path for name in ("nginx", "libnginx-mod-http-lua") for path in FILES[name]):
            apt.host.add_program(path)
    (error,) = looked(apt).errors
    assert error.code == "packages-unavailable"
    assert "for installed, and what it holds is not there" in error.message
    assert error.remedy.startswith("sudo apt-get install --reinstall ")
    assert set(error.remedy.split()[4:]) == {*hollow} - {"nginx-common"}


def test_purge_takes_what_nobody_else_needs(apt: FakeApt) -> None:
    install(apt.host, MULTI, Heard())
    apt.needs = {"lua-cjson": "ours"}
    going = {c.path: c.reason for c in plan_uninstall(apt.host, purge=True).changes if c.writes}
    kept = [c for c in plan_uninstall(apt.host, purge=True).changes if not c.writes]
    assert {c.path: c.reason for c in kept} == {"lua-cjson": "ours needs it"}
    assert set(PROXY) - set(going) == {"lua-cjson"}
    uninstall(apt.host, Heard(), purge=True)
    assert apt.installed == {"lua-cjson"}


def test_without_purge_all_of_them_stay(apt: FakeApt) -> None:
    install(apt.host, MULTI, Heard())
    uninstall(apt.host, Heard(), purge=False)
    assert apt.installed == set(PROXY)
