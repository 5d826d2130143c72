"""The certificate that the proxy shows, and when it does."""

from typing import Final

from trtllm_install.host.protocol import Host
from trtllm_install.model import layout
from trtllm_install.model.errors import GateFailed
from trtllm_install.model.pem import Pair
from trtllm_install.proxy.generation import HINT, comes_to_serve

_WITHIN_S: Final = 20.0  # the proxy looks at its files every two seconds


def names_certificate(host: Host, certificate: str, key: str) -> bool:
    """Tell whether the configuration of the proxy has these two files."""
    raw = host.read(f"{layout.PROXY}/nginx.conf") or b""
    words = (f"ssl_certificate {certificate};", f"ssl_certificate_key {key};")
    return all(word.encode() in raw for word in words)


def await_pair(host: Host, pair: Pair) -> None:
    """Return once every new connection gets this certificate; GateFailed after 20 s."""
    if not comes_to_serve(host, "certificate", pair.mark, within_s=_WITHIN_S):
        raise GateFailed("cannot renew the certificate: the proxy does not take it in", hint=HINT)
