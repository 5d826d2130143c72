"""What peers answered."""

from dataclasses import dataclass

from trtllm_install.model.installation import Peer


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerFacts:
    """What one peer said about its models."""

    peer: Peer
    unreachable: str = ""  # why it could not be asked; empty = it answered
    untrusted: str = ""  # why its certificate does not hold, in OpenSSL's words
    troubles: tuple[tuple[str, str], ...] = ()  # model, and why it is not served now


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorityFacts:
    """The file of those who vouch for the certificates of peers."""

    path: str
    readable: bool  # by user trtllm, as whom nginx reads it
    is_certificate: bool | None = None  # None = openssl could not be asked

    @property
    def usable(self) -> bool:
        """Tell whether nginx can start with it, as far as is known."""
        return self.readable and self.is_certificate is not False
