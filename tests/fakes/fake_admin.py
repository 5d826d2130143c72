"""The admin socket of a proxy: its backends, and who of them gets new requests."""

import json
from dataclasses import dataclass, field

from fakes.fake_host import FakeHost
from trtllm_install.host.protocol import Answer
from trtllm_install.model import layout


@dataclass(slots=True)
class FakeAdmin:
    """Answers on the admin socket of ``host``; a test moves the numbers."""

    host: FakeHost
    in_flight: dict[str, int] = field(default_factory=lambda: {"qwen": 0, "nemotron": 0})
    draining: set[str] = field(default_factory=set)
    down: set[str] = field(default_factory=set)
    peers: dict[str, str] = field(default_factory=dict)  # backend -> the peer it is on
    asked: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Take the socket."""
        self._answer("GET", "/-/status", "")
        for verb in ("drain", "undrain"):
            for name in (*self.in_flight, "gpu1"):
                self._answer("POST", f"/-/{verb}?name={name}", name)

    def _answer(self, method: str, path: str, name: str) -> None:
        def reply(_: bytes | None) -> Answer:
            if method == "GET":
                return Answer(status=200, body=json.dumps(self._status()).encode())
            self.asked.append(path)
            for each in [name] if name in self.in_flight else list(self.peers):
                (self.draining.discard if "undrain" in path else self.draining.add)(each)
            return Answer(status=200, body=b"{}")

        self.host.answer_http(method, path, reply, unix_socket=layout.PROXY_ADMIN_SOCKET)

    def _status(self) -> dict[str, object]:
        return {
            "generation": "0",
            "backends": {
                name: {
                    "state": "down" if name in self.down else "healthy",
                    "detail": None,
                    "serving": name not in self.down,
                    "draining": name in self.draining,
                    "in_flight": count,
                    "changed": None,
                    "model": None,
                    "peer": self.peers.get(name),
                }
                for name, count in self.in_flight.items()
            },
        }
