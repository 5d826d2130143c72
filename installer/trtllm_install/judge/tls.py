"""Judges the certificate of the proxy."""

from collections.abc import Iterator

from trtllm_install.model import layout
from trtllm_install.model.facts import Facts, TlsFacts
from trtllm_install.model.findings import Finding, found
from trtllm_install.model.installation import Installation


def check_tls(facts: Facts, _: Installation) -> Iterator[Finding]:
    """Find a certificate that clients would refuse, and a key that others can take."""
    if facts.tls is not None:
        yield from judge_tls(facts.tls)


def judge_tls(tls: TlsFacts) -> Iterator[Finding]:
    """Find the same in a certificate and a key, wherever they are."""
    at_our_place = (tls.certificate, tls.key) == (layout.TLS_CERTIFICATE, layout.TLS_KEY)
    for path in tls.unreadable:
        yield found(
            "tls-file-unreadable",
            path,
            what="user trtllm cannot read it, or it is not there",
            expected="a file that user trtllm may read, in folders that it may enter",
            remedy="cat fullchain.pem privkey.pem | sudo trtllm-install tls set"
            if at_our_place
            else f"sudo install -D -m 0440 -g trtllm FILE {path}",
        )
    if tls.exposed:
        yield found(
            "tls-key-exposed",
            tls.key,
            what="every user of this host may read it",
            expected="mode 0440, group trtllm",
            remedy=f"sudo chgrp trtllm {tls.key} && sudo chmod 0440 {tls.key}",
        )
    if tls.is_certificate is False:
        yield found(
            "tls-certificate-damaged",
            tls.certificate,
            what="openssl finds no certificate in it",
            expected="a PEM file, the certificate first and its chain behind it",
            remedy=f"check it with openssl x509 -noout -text -in {tls.certificate}",
        )
    if tls.matches is False:
        yield found(
            "tls-key-mismatched",
            tls.key,
            what=f"it is not the key of {tls.certificate}",
            expected="the two files of one certificate",
            remedy="set proxy.tls in /etc/trtllm/site.yaml to files that belong together",
        )
    if tls.expired or tls.expiring:
        yield found(
            "tls-certificate-expired" if tls.expired else "tls-certificate-expiring",
            tls.certificate,
            what="it has ended" if tls.expired else "it ends within two weeks",
            expected="a certificate that is valid for longer",
            remedy="have it renewed; the proxy takes the new files in by itself",
        )
