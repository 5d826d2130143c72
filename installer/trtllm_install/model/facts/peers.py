"""What peers answered."""

from dataclasses import dataclass

from trtllm_install.model.installation import Peer


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerFacts:
    """What one peer said about its models."""

    peer: Peer
    unreachable: str = ""  # why it could not be asked; empty = it answered
    troubles: tuple[tuple[str, str], ...] = ()  # model, and why it is not served now
