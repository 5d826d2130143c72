"""TLS beyond loopback, plain HTTP on it, and a renewal that nobody has to announce."""

import contextlib
import http.client
import json
import os
import shutil
import socket
import ssl
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes.nginx_rig import NOBODY, QWEN, Rig, eventually, running
from trtllm_install.app.tls_set import judge_pair
from trtllm_install.host.local import LocalHost
from trtllm_install.model.installation import Tls
from trtllm_install.model.pem import parse_pair

OUTSIDE = "127.0.0.2"  # this machine, and not the address that is plain


def make_pair(folder: Path, name: str) -> None:
    """Write cert.pem and key.pem as a renewal does: each whole, one after the other."""
    made = {"key": folder / f"{name}.key", "cert": folder / f"{name}.crt"}
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-days", "30", "-subj", f"/CN={name}"),
            *("-addext", f"subjectAltName=DNS:{name}"),
            *("-keyout", made["key"], "-out", made["cert"]),
        ],
        check=True,
        capture_output=True,
    )
    for part, path in made.items():
        path.chmod(0o400)
        if os.geteuid() == 0:
            os.chown(path, NOBODY, NOBODY)
        path.replace(folder / f"{part}.pem")


def test_openssl_itself_tells_a_pair_that_fits_from_one_that_does_not(tmp_path: Path) -> None:
    for name in ("first", "second"):
        make_pair(tmp_path, name)
        for part in ("cert", "key"):
            (tmp_path / f"{part}.pem").rename(tmp_path / f"{name}.{part}")
    first, second, other = (
        (tmp_path / name).read_text() for name in ("first.cert", "second.cert", "second.key")
    )
    own, nothing = (tmp_path / "first.key").read_text(), "MAo="
    damaged = own.replace(own.splitlines()[1], nothing)

    def codes(text: str) -> list[str]:
        tls = Tls(certificate="/c", key="/k")
        return [finding.code for finding in judge_pair(LocalHost(), parse_pair(text), tls)]

    assert codes(first + own) == []
    assert codes(first + second + own) == [], "the chain comes behind it"
    assert codes(second + first + own) == ["tls-key-mismatched"]
    assert codes(first + other) == ["tls-key-mismatched"]
    assert codes(first + damaged) == ["tls-key-mismatched"]
    assert codes(first.replace(first.splitlines()[2], nothing) + own) == ["tls-certificate-damaged"]


@pytest.fixture(scope="module", name="folder")
def make_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="trtllm-tls-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        make_pair(folder, "first.example")
        yield folder


@pytest.fixture(scope="module", name="rig")
def start_rig(folder: Path) -> Iterator[Rig]:
    tls = Tls(certificate=f"{folder}/cert.pem", key=f"{folder}/key.pem")
    with running("qwen", host=OUTSIDE, tls=tls, http2="listen") as rig:
        yield rig


def context(**options: object) -> ssl.SSLContext:
    made = ssl.create_default_context()
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    for name, value in options.items():
        setattr(made, name, value)
    return made


def shown_certificate(rig: Rig) -> bytes:
    with (
        socket.create_connection((OUTSIDE, rig.port), 10) as plain,
        context().wrap_socket(plain) as client,
    ):
        return client.getpeercert(binary_form=True) or b""


def test_a_chat_goes_through_tls(rig: Rig) -> None:
    connection = http.client.HTTPSConnection(OUTSIDE, rig.port, timeout=10, context=context())
    with contextlib.closing(connection):
        connection.request("POST", "/v1/chat/completions", json.dumps({"model": QWEN}))
        answer = connection.getresponse()
        assert (answer.status, json.load(answer)) == (200, {"backend": "qwen"})


def test_this_host_itself_speaks_plain_http(rig: Rig) -> None:
    assert rig.chat(QWEN).status == 200


def test_plain_http_from_outside_is_told_so_in_json(rig: Rig) -> None:
    connection = http.client.HTTPConnection(OUTSIDE, rig.port, timeout=10)
    with contextlib.closing(connection):
        connection.request("POST", "/v1/chat/completions", json.dumps({"model": QWEN}))
        answer = connection.getresponse()
        assert (answer.status, json.load(answer)["error"]["code"]) == (400, "bad_request")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_nothing_older_than_tls_1_2_is_spoken(rig: Rig) -> None:
    old = ssl.TLSVersion.TLSv1_1
    client = context(minimum_version=old, maximum_version=old)
    client.set_ciphers("ALL:@SECLEVEL=0")
    with (
        socket.create_connection((OUTSIDE, rig.port), 10) as plain,
        pytest.raises(ssl.SSLError, match="PROTOCOL_VERSION"),
    ):
        client.wrap_socket(plain)


def test_http_2_is_spoken_to_who_asks_for_it(rig: Rig) -> None:
    curl = shutil.which("curl")
    if (
        curl is None
        or "HTTP2"
        not in subprocess.run(
            [curl, "--version"], capture_output=True, text=True, check=True
        ).stdout
    ):
        pytest.skip("needs curl with HTTP/2")
    base = f"https://{OUTSIDE}:{rig.port}"
    for path, data in (
        ("/v1/chat/completions", json.dumps({"model": QWEN, "x": "y" * 3_000_000})),
        ("/v1/chat/completions", json.dumps({"model": "unknown"})),
        ("/v1/models", ""),
        ("/unknown", ""),
    ):
        sent = ["--data-binary", "@-"] if data else []
        done = subprocess.run(
            [curl, "-sk", "--http2", "-w", "\n%{http_version} %{http_code}", *sent, base + path],
            input=data.encode(),
            capture_output=True,
            check=True,
        )
        body, _, told = done.stdout.decode().rpartition("\n")
        version, status = told.split()
        assert version == "2", path
        assert json.loads(body), path
        assert status == {"/unknown": "404"}.get(path, "404" if "unknown" in data else "200")


def test_a_renewal_is_taken_in_and_half_of_one_is_not(rig: Rig, folder: Path) -> None:
    first = shown_certificate(rig)
    os.link(folder / "key.pem", folder / "kept.key")
    make_pair(folder, "second.example")
    eventually("the second certificate is shown", lambda: shown_certificate(rig) != first)
    # For a moment of the reload the worker before and the new one both answer.
    eventually("the worker before has gone", lambda: len(rig.workers()) == 1)
    second = shown_certificate(rig)
    assert second != first
    # Half of the renewal above may have been refused too, so it is the next refusal that counts.
    refusals = lambda: rig.error_log().count("key values mismatch")  # noqa: E731 (a word)
    before = refusals()
    (folder / "kept.key").replace(folder / "key.pem")  # a key that does not fit
    eventually("nginx refuses it", lambda: refusals() > before)
    assert shown_certificate(rig) == second
    assert rig.chat(QWEN).status == 200
    make_pair(folder, "third.example")
    eventually("the third one is shown", lambda: shown_certificate(rig) != second)
