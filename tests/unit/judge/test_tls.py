"""The certificate of the proxy: what is found of it, and what is seen of it."""

from dataclasses import replace

import pytest

from fakes.fake_host import FakeHost
from fakes.healthy import FACTS, INSTALLATION
from trtllm_install.host.protocol import Completed
from trtllm_install.judge.judge import judge
from trtllm_install.judge.tls import judge_tls
from trtllm_install.model import layout
from trtllm_install.model.facts import TlsFacts
from trtllm_install.model.installation import Tls
from trtllm_install.probes.tls import probe_authority, probe_tls
from trtllm_install.render.openresty import http2_of

FINE = TlsFacts(
    certificate="/t/c", key="/t/k", is_certificate=True, expired=False, expiring=False, matches=True
)


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({}, None),
        ({"unreadable": ("/t/k",)}, "tls-file-unreadable"),
        ({"exposed": True}, "tls-key-exposed"),
        ({"is_certificate": False}, "tls-certificate-damaged"),
        ({"matches": False}, "tls-key-mismatched"),
        ({"expired": True, "expiring": True}, "tls-certificate-expired"),
        ({"expiring": True}, "tls-certificate-expiring"),
        (
            {"is_certificate": None, "expired": None, "expiring": None, "matches": None},
            None,
        ),
    ],
)
def test_each_fault_of_the_certificate_has_its_finding(
    changed: dict[str, object], code: str | None
) -> None:
    facts = replace(FACTS, tls=replace(FINE, **changed))  # type: ignore[arg-type]
    found = {finding.code for finding in judge(facts, INSTALLATION)}
    assert {c for c in found if c.startswith("tls-")} == ({code} if code else set())


def test_files_at_our_own_place_are_brought_by_our_own_verb() -> None:
    ours = replace(FINE, certificate=layout.TLS_CERTIFICATE, key=layout.TLS_KEY)
    for tls, verb in ((ours, True), (FINE, False)):
        (found,) = judge_tls(replace(tls, unreadable=(tls.key,)))
        assert found.remedy.endswith("sudo trtllm-install tls set") is verb


def host_with(*, mode: int = 0o440, group: str = layout.USER, matches: bool = True) -> FakeHost:
    host = FakeHost()
    host.add_file("/t/c", "cert", mode=0o644)
    host.add_file("/t/k", "key", mode=mode, owner="root", group=group)

    def openssl(argv: tuple[str, ...], _: str) -> Completed:
        own = "pkey" in argv and not matches
        ending = "-checkend" in argv and argv[argv.index("-checkend") + 1] != "0"
        out = "another" if own else "public"
        return Completed(argv=argv, code=int(ending), stdout=out, stderr="")

    host.answer_command(["openssl"], by=openssl)
    return host


def test_what_openssl_says_is_what_is_seen() -> None:
    seen = probe_tls(host_with(), Tls(certificate="/t/c", key="/t/k"))
    assert seen == replace(FINE, expiring=True)
    assert probe_tls(host_with(matches=False), Tls(certificate="/t/c", key="/t/k")).matches is False


@pytest.mark.parametrize(
    ("mode", "group", "unreadable", "exposed"),
    [
        (0o440, layout.USER, False, False),
        (0o400, layout.USER, True, False),
        (0o440, "ssl-cert", True, False),
        (0o444, "ssl-cert", False, True),
    ],
)
def test_who_may_read_the_key_decides(
    mode: int, group: str, *, unreadable: bool, exposed: bool
) -> None:
    seen = probe_tls(host_with(mode=mode, group=group), Tls(certificate="/t/c", key="/t/k"))
    assert seen.unreadable == (("/t/k",) if unreadable else ())
    assert seen.exposed is exposed


def test_without_openssl_nothing_is_claimed() -> None:
    host = FakeHost()
    host.add_file("/t/c", "cert")
    host.add_file("/t/k", "key", mode=0o440, group=layout.USER)
    seen = probe_tls(host, Tls(certificate="/t/c", key="/t/k"))
    assert (seen.is_certificate, seen.expired, seen.matches) == (None, None, None)


@pytest.mark.parametrize(("mode", "readable"), [(0o644, True), (0o400, False)])
def test_the_authority_of_peers_has_to_be_readable(mode: int, *, readable: bool) -> None:
    host = host_with()
    host.add_file("/t/ca", "cert", mode=mode, owner="root")
    seen = probe_authority(host, "/t/ca")
    assert (seen.readable, seen.is_certificate) == (readable, True if readable else None)
    assert not probe_authority(host, "/t/nowhere").readable


@pytest.mark.parametrize(
    ("version", "how"),
    [
        ("1.22.1", "listen"),
        ("1.25.0", "listen"),
        ("1.25.1", "directive"),
        ("1.27.1.2", "directive"),
        ("", ""),
    ],
)
def test_http_2_is_said_as_the_version_wants_it(version: str, how: str) -> None:
    assert http2_of(version) == how
