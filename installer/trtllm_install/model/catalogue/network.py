"""Ports and addresses."""

from typing import Final

from trtllm_install.model.catalogue.kind import Kind, error, info, warning

KINDS: Final[dict[str, Kind]] = {
    "port-taken": error(
        "Port is taken",
        "listen on {}",
        "Another program listens there.",
    ),
    "port-lingering": info(
        "Port is closing",
        "port {} is not free yet",
        "Nobody listens; old connections keep the port for about a minute, and the launcher waits.",
    ),
    "address-unusable": error(
        "Address cannot be used",
        "listen on {}",
        "The address is not one of this host's, or the port needs a privilege.",
    ),
    "tls-file-unreadable": error(
        "Certificate or key cannot be read",
        "serve TLS with {}",
        "nginx runs as user trtllm and reads both files when it starts and when they change.",
    ),
    "tls-key-exposed": error(
        "Key can be read by everybody",
        "trust {}",
        "Who has the key can pretend to be this host.",
    ),
    "tls-certificate-damaged": error(
        "Not a certificate",
        "serve TLS with {}",
        "nginx does not start with it.",
        depends_on=("tls-file-unreadable",),
    ),
    "tls-key-mismatched": error(
        "Key of another certificate",
        "serve TLS with {}",
        "nginx does not start with it.",
        depends_on=("tls-certificate-damaged",),
    ),
    "tls-certificate-expired": error(
        "Certificate has ended",
        "serve TLS with {}",
        "Clients refuse it.",
    ),
    "tls-certificate-expiring": warning(
        "Certificate ends soon",
        "{} ends within two weeks",
        "Clients refuse it once it has ended.",
    ),
    "listen-without-keys": error(
        "Listens beyond this host without keys",
        "open {} to the network",
        "Everyone who reaches the address could use the models: nobody is asked for a key.",
    ),
    "nobody-let-in": warning(
        "Nobody is let in",
        "serve clients of {}",
        "The proxy asks for a key, and none is set: it answers every client with 401.",
    ),
    "peer-unreachable": warning(
        "Peer cannot be reached",
        "peer {} does not answer",
        "Requests for its models go to other backends, or are answered with 503 until it does.",
    ),
    "peer-not-ready": warning(
        "Peer does not serve a model now",
        "peer {} does not serve all that the site file says",
        "The proxy takes it up by itself once the peer is ready.",
    ),
    "peer-untrusted": warning(
        "Peer's certificate does not hold",
        "peer {} does not prove who it is",
        "No request goes to it, and no key, until its certificate holds.",
    ),
    "peer-authority-unusable": error(
        "Authority of the peers cannot be used",
        "verify the certificates of peers by {}",
        "nginx runs as user trtllm and does not start without the file.",
    ),
    "peer-in-the-clear": warning(
        "Peer is reached without encryption",
        "prompts, answers and the key of peer {} cross the network in the clear",
        "Plain HTTP beyond this host can be read and changed on the way.",
    ),
    "route-ambiguous": warning(
        "Two routes fit the same model",
        "requests for {} fit two instances",
        "The first in the order of the profile gets them.",
    ),
}
