"""Asks beyond loopback, with a key and without, and listens to all that the host says meanwhile.

A program of its own: it runs on the network of a lab root, where the test is not. Prints
one JSON document.
"""

import argparse
import contextlib
import hashlib
import http.client
import json
import socket
import ssl

OUTSIDE = "127.0.0.2"  # the host itself, at an address that is not the plain one
PROMPT = "What nobody but the engine may read."
ALL_PROTOCOLS = 0x0003  # ETH_P_ALL


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("certificate")
    options.add_argument("name")
    options.add_argument("key")
    options.add_argument("model")
    chosen = options.parse_args()
    with socket.socket(
        socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ALL_PROTOCOLS)
    ) as everything:
        everything.bind(("lo", 0))
        with trusted(chosen.certificate, chosen.name) as server:
            certificate = server.getpeercert(binary_form=True) or b""
        statuses = [chat(chosen, key) for key in ("", "wrong", chosen.key)]
        said = heard(everything)
    print(  # noqa: T201 (the document is what this program is for)
        json.dumps(
            {
                "certificate": hashlib.sha256(certificate).hexdigest(),
                "statuses": statuses,
                "prompt_was_heard": PROMPT.encode() in said,
                "key_was_heard": chosen.key.encode() in said,
            }
        )
    )


def trusted(certificate: str, name: str) -> ssl.SSLSocket:
    """Return a connection whose other side has shown a certificate that this one signs."""
    plain = socket.create_connection((OUTSIDE, 8000), 10)
    context = ssl.create_default_context(cafile=certificate)
    return context.wrap_socket(plain, server_hostname=name)


def chat(chosen: argparse.Namespace, key: str) -> int:
    """Return the status of one question."""
    with contextlib.closing(http.client.HTTPConnection(OUTSIDE, 8000)) as connection:
        connection.sock = trusted(chosen.certificate, chosen.name)
        asked = {"model": chosen.model, "messages": [{"role": "user", "content": PROMPT}]}
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        headers["Content-Type"] = "application/json"
        body = json.dumps({**asked, "max_tokens": 4})
        connection.request("POST", "/v1/chat/completions", body, headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status


def heard(everything: socket.socket) -> bytes:
    """Return what has come by, packet by packet."""
    everything.setblocking(False)
    packets = []
    with contextlib.suppress(BlockingIOError):
        while True:
            packets.append(everything.recv(70_000))
    return b"\n".join(packets)


if __name__ == "__main__":
    main()
