"""A certificate that an operator brings: judged before it takes the place of one that works."""

import pytest

from fakes.command_line import PEM, answer_openssl
from fakes.fake_host import FakeHost
from fakes.fake_systemd import FakeSystemd, debian
from fakes.heard import Heard
from fakes.installed import installed
from trtllm_install.app.tls_set import Renewal, judge_pair, plan_renewal, renew
from trtllm_install.model import layout
from trtllm_install.model.errors import ConfigError, GateFailed, NeedsRoot, PreflightFailed
from trtllm_install.model.installation import Tls
from trtllm_install.model.pem import Pair, parse_pair

TLS = Tls(certificate=layout.TLS_CERTIFICATE, key=layout.TLS_KEY)
PAIR = parse_pair(PEM)
CONF = f"{layout.PROXY}/nginx.conf"


@pytest.fixture(name="systemd")
def installed_host() -> FakeSystemd:
    systemd = installed()
    answer_openssl(systemd.host)
    return systemd


def opened(systemd: FakeSystemd) -> FakeSystemd:
    """Let the proxy's configuration name both files."""
    words = f"ssl_certificate {TLS.certificate};\nssl_certificate_key {TLS.key};\n"
    systemd.host.add_file(CONF, (systemd.host.read(CONF) or b"") + words.encode())
    return systemd


def renewed(host: FakeHost, pair: Pair = PAIR) -> Renewal:
    return renew(host, pair, TLS, judge_pair(host, pair, TLS), Heard())


def told(renewal: Renewal) -> list[tuple[str, str]]:
    return [(change.action.value, change.path) for change in renewal.changes]


def test_a_pair_is_put_where_the_proxy_alone_reads_it(systemd: FakeSystemd) -> None:
    assert told(renewed(systemd.host)) == [
        ("create", "/etc/trtllm/tls"),
        ("create", TLS.key),
        ("create", TLS.certificate),
    ]
    for path, content in ((TLS.key, PAIR.key), (TLS.certificate, PAIR.certificate)):
        entry = systemd.host.look(path)
        assert entry
        assert (entry.mode, entry.owner, entry.group) == (0o440, "root", layout.USER)
        assert systemd.host.read(path) == content


def test_the_same_again_touches_nothing_and_a_plan_says_what_a_run_does(
    systemd: FakeSystemd,
) -> None:
    planned = plan_renewal(systemd.host, PAIR, TLS, (), Heard())
    assert systemd.host.look(TLS.key) is None
    assert renewed(systemd.host) == planned
    assert renewed(systemd.host).changes == ()
    systemd.host.write(TLS.key, PAIR.key, mode=0o444, owner="root", group=layout.USER)
    assert told(renewed(systemd.host)) == [("chmod", TLS.key)]


def test_openssl_hears_the_key_and_no_command_line_has_it(systemd: FakeSystemd) -> None:
    renewed(systemd.host)
    asked = [argv for argv in systemd.host.ran if argv[0] == "openssl"]
    assert len(asked) == 4
    assert not any("MAo" in word or word == "-in" for argv in asked for word in argv)
    assert "MAo" not in repr(PAIR.__class__(certificate=b"", key=PAIR.key))


@pytest.mark.parametrize(
    ("fault", "says"),
    [({"ended": True}, "it has ended"), ({"fits": False}, "it is not the key of")],
)
def test_what_clients_or_nginx_would_refuse_takes_nobodys_place(
    systemd: FakeSystemd, fault: dict[str, bool], says: str
) -> None:
    renewed(systemd.host)
    other = Pair(certificate=PAIR.certificate + b"\n", key=PAIR.key)
    answer_openssl(systemd.host, **fault)
    with pytest.raises(PreflightFailed, match=says):
        renewed(systemd.host, other)
    assert systemd.host.read(TLS.certificate) == PAIR.certificate


def test_without_openssl_nothing_is_put_in_place() -> None:
    systemd = installed()
    with pytest.raises(ConfigError, match="there is no openssl"):
        renewed(systemd.host)
    assert systemd.host.look(TLS.key) is None


def test_it_returns_when_the_proxy_shows_the_pair_and_fails_where_it_does_not(
    systemd: FakeSystemd, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert renewed(opened(systemd).host).serves
    monkeypatch.setattr("trtllm_install.proxy.generation.serves", lambda *_: False)
    with pytest.raises(GateFailed, match="the proxy does not take it in"):
        renewed(systemd.host)


def test_it_may_come_before_the_first_install() -> None:
    systemd = FakeSystemd(debian())
    answer_openssl(systemd.host)
    done = renewed(systemd.host)
    assert told(done)[:2] == [("create", layout.USER), ("create", "/etc/trtllm")]
    assert not done.serves


def test_it_needs_root(systemd: FakeSystemd) -> None:
    systemd.host.root = False
    with systemd.host.lock(layout.LOCK), pytest.raises(NeedsRoot):  # told before the lock is asked
        renewed(systemd.host)


def block(kind: str, body: str = "MAo=") -> str:
    return f"-----BEGIN {kind}-----\n{body}\n-----END {kind}-----\n"


def test_the_chain_keeps_its_order_and_words_around_the_blocks_go() -> None:
    text = (
        "Bag Attributes\n"
        + block("EC PARAMETERS")
        + block("EC PRIVATE KEY").replace("\n", "\r\n")
        + block("CERTIFICATE", "AAAA")
        + "subject=CN = root\n"
        + block("CERTIFICATE", "BBBB")
    )
    pair = parse_pair(text)
    assert pair.certificate.decode() == block("CERTIFICATE", "AAAA") + block("CERTIFICATE", "BBBB")
    assert pair.key.decode() == block("EC PRIVATE KEY")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no certificate is in it"),
        (block("PRIVATE KEY"), "no certificate is in it"),
        (block("CERTIFICATE"), "0 private keys are in it"),
        (PEM + block("RSA PRIVATE KEY"), "2 private keys are in it"),
        (block("CERTIFICATE") + block("ENCRYPTED PRIVATE KEY"), "encrypted private key is in it"),
        (PEM.replace("-----END PRIVATE", "-----END PUBLIC"), "0 private keys are in it"),
    ],
)
def test_what_is_no_pair_is_refused_and_not_shown(text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says) as caught:
        parse_pair(text)
    assert "MAo" not in caught.value.message
