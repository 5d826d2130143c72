"""An authority of a test's own, and the certificates that it has signed; openssl makes both."""

import os
import socket
import ssl
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from fakes.nginx_rig import NOBODY, Backend
from trtllm_install.model.installation import Tls

_MOMENT: Final = "%Y%m%d%H%M%SZ"
_CONFIG: Final = """
[ca]
default_ca = ours
[ours]
database = {folder}/index
new_certs_dir = {folder}
certificate = {folder}/ca.pem
private_key = {folder}/ca.key
rand_serial = yes
unique_subject = no
default_md = sha256
policy = any
[any]
commonName = supplied
"""
_NEW_KEY: Final = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


def _openssl(*words: object) -> None:
    subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True)


class Authority:
    """Signs for whoever a test wants; ``file`` is what verifies it."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o755, parents=True)
        self.folder = folder
        self.file = folder / "ca.pem"
        self._key = folder / "ca.key"
        subject = ("-days", "30", "-subj", f"/CN={folder.name}")
        _openssl("req", "-x509", *_NEW_KEY, *subject, "-keyout", self._key, "-out", self.file)
        self.file.chmod(0o644)
        self._config = folder / "ca.conf"
        self._config.write_text(_CONFIG.format(folder=folder))
        (folder / "index").touch()

    def sign(self, name: str, *, address: str = "", days: int = 30, into: Tls | None = None) -> Tls:
        """Return a new certificate for a host, at ``into`` as a renewal would put it."""
        made = Tls(certificate=f"{self.folder}/new.crt", key=f"{self.folder}/new.key")
        extension = self.folder / "extension"
        also = f",IP:{address}" if address else ""
        extension.write_text(f"subjectAltName=DNS:{name}{also}\n")
        request = self.folder / "new.csr"
        _openssl("req", "-new", *_NEW_KEY, "-subj", "/CN=x", "-keyout", made.key, "-out", request)
        # Not by x509: of late it signs nothing that has ended already.
        end = datetime.now(UTC) + timedelta(days=days)
        _openssl(
            *("ca", "-batch", "-notext", "-config", self._config, "-in", request),
            *(
                "-startdate",
                f"{end - timedelta(days=60):{_MOMENT}}",
                "-enddate",
                f"{end:{_MOMENT}}",
            ),
            *("-extfile", extension, "-out", made.certificate),
        )
        place = into or Tls(
            certificate=f"{self.folder}/{name}.{days}.crt", key=f"{self.folder}/{name}.{days}.key"
        )
        for draft, path in ((made.key, place.key), (made.certificate, place.certificate)):
            Path(draft).chmod(0o400)
            if os.geteuid() == 0:
                os.chown(draft, NOBODY, NOBODY)
            Path(draft).replace(path)
        return place


class TlsBackend(Backend):
    """A server that shows a certificate."""

    def __init__(self, name: str, port: int, pair: Tls) -> None:
        super().__init__(name, port)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.sni_callback = lambda _, name, __: self.asked_for.add(name)
        self.show(pair)
        self.asked_for: set[str | None] = set()  # names, as clients tell them by SNI

    def dress(self, listening: socket.socket) -> socket.socket:
        """Return a socket that shakes hands before it gives a connection away."""
        return self._context.wrap_socket(listening, server_side=True)

    def show(self, pair: Tls) -> None:
        """Show this certificate to whoever comes from now on."""
        self._context.load_cert_chain(pair.certificate, pair.key)
