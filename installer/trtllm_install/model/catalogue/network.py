"""Ports and addresses."""

from typing import Final

from trtllm_install.model.catalogue.kind import Kind, error, info

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
    "listen-without-keys": error(
        "Listens beyond this host without keys",
        "open {} to the network",
        "Everyone who reaches the address could use the models; there is no authentication.",
    ),
}
