"""A host without a model of its own: only the proxy, in front of peers."""

import dataclasses

import pytest

from fakes.fake_host import FakeHost
from fakes.fake_systemd import FakeSystemd, debian
from fakes.heard import Heard
from trtllm_install.app.install import install
from trtllm_install.app.options import Options
from trtllm_install.app.uninstall import uninstall
from trtllm_install.host.protocol import Answer
from trtllm_install.model import layout
from trtllm_install.model.errors import ConfigError, PreflightFailed

MODEL = "nvidia/Qwen3-30B-A3B-FP4"
SITE = f"peers: [{{name: gpu2, url: 'http://127.0.0.1:8123', models: [{MODEL}]}}]\n"
BY_TLS = SITE.replace("http:", "https:").replace("models", "tls_name: gpu2.example, models")
FRONT = Options(profile="front")  # not simulated: there is nothing to simulate
READY = "/readyz?model=nvidia%2FQwen3-30B-A3B-FP4"


@pytest.fixture(name="host")
def front_host() -> FakeHost:
    host = FakeSystemd(debian()).host
    host.add_file(layout.SITE_FILE, SITE)
    for base in ("http://127.0.0.1:8123", "http://127.0.0.1:8000"):
        host.answer_http("GET", f"{base}{READY}", Answer(status=200, body=b"{}"))
    return host


def test_front_tier_installs_without_gpu_weights_or_engine(host: FakeHost) -> None:
    done = install(host, FRONT, Heard())
    assert {f.subject.split()[0] for f in done.judged.findings} <= {"nginx"}
    assert [live.name for live in done.outcome.services] == ["proxy"]
    assert [proof.model for proof in done.outcome.proofs] == [MODEL]
    routes = (host.read(f"{layout.PROXY}/routes.lua") or b"").decode()
    assert 'peer = "gpu2"' in routes
    assert not [path for path in host.nodes if path.startswith(layout.ENGINES)]
    assert host.read(f"{layout.UNITS}/trtllm-gpu-ready.service") is None
    assert b"in front of gpu2" in (host.read(f"{layout.UNITS}/trtllm-proxy.service") or b"")
    assert install(host, FRONT, Heard()).step.plan.count == 0


def test_peer_that_is_down_is_a_warning_and_no_obstacle(host: FakeHost) -> None:
    for base in ("http://127.0.0.1:8123", "http://127.0.0.1:8000"):
        host.answer_http("GET", f"{base}{READY}", Answer(status=503, body=b'{"state":"loading"}'))
    heard = Heard()
    done = install(host, FRONT, heard)
    assert [(f.code, f.found) for f in done.judged.findings if f.subject == "gpu2"] == [
        ("peer-not-ready", f"{MODEL}: it is loading")
    ]
    assert done.outcome.proofs == ()
    assert any("none of its peers serves it now" in line for line in heard.lines)


def test_peers_with_certificates_are_verified_by_the_systems_authorities(host: FakeHost) -> None:
    host.add_file(layout.SITE_FILE, BY_TLS)
    host.add_file(layout.SYSTEM_AUTHORITIES, "PEM", owner="root", mode=0o644)
    host.answer_http("GET", f"https://127.0.0.1:8123{READY}", Answer(status=200, body=b"{}"))
    done = install(host, FRONT, Heard())
    assert not [f for f in done.judged.findings if f.code.startswith("peer-")]
    conf = (host.read(f"{layout.PROXY}/nginx.conf") or b"").decode()
    assert f"proxy_ssl_trusted_certificate {layout.SYSTEM_AUTHORITIES};" in conf
    assert install(host, FRONT, Heard()).step.plan.count == 0


def test_a_missing_authority_ends_the_install(host: FakeHost) -> None:
    host.add_file(layout.SITE_FILE, BY_TLS + "proxy: {peer_authority: /t/ca.pem}\n")
    with pytest.raises(PreflightFailed):
        install(host, FRONT, Heard())


def test_front_tier_is_removed_again(host: FakeHost) -> None:
    before = set(host.nodes)
    install(host, FRONT, Heard())
    uninstall(host, Heard(), purge=True)
    assert set(host.nodes) - before <= {layout.LOCK}


@pytest.mark.parametrize(
    ("profile", "site", "words"),
    [
        ("front", "port: 8000\n", "no instances, and the site file no peers"),
        ("qwen", SITE, "profile qwen has no proxy"),
        ("front", SITE.replace("8123", "8000"), "is this proxy itself"),
        ("front", SITE.replace("127.0.0.1", "gpu2.example"), "url"),
        ("front", SITE.replace("http:", "https:"), "peers.0: https needs tls_name"),
        ("front", SITE.replace("models", "tls_name: g.example, models"), "only with https"),
        ("front", BY_TLS.replace("gpu2.example", "10.0.0.2"), "a host name as a certificate has"),
        ("front", BY_TLS + "proxy: {peer_authority: ca.pem}\n", "must be an absolute path"),
        ("front", SITE.replace(":8123", ":99999"), "not an IP address and a port"),
        ("front", SITE.replace("gpu2", "qwen"), "already taken: qwen"),
        ("front", SITE.replace(f"[{MODEL}]", "[]"), "models"),
    ],
)
def test_peers_that_cannot_be_meant_are_refused(
    host: FakeHost, profile: str, site: str, words: str
) -> None:
    host.add_file(layout.SITE_FILE, site)
    with pytest.raises(ConfigError) as caught:
        install(host, dataclasses.replace(FRONT, profile=profile, weights_dir="/w"), Heard())
    assert words in caught.value.message
