"""Clients that ask a proxy as fast as they can, and know what became of each request."""

import http.client
import itertools
import json
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from fakes.nginx_rig import connect

# How a kept connection looks that the server has closed while it was idle: nothing of an
# answer has come, so the request was not read, and every HTTP client sends it again.
CLOSED = (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError)


@dataclass(slots=True)
class Traffic:
    """Requests of several clients, each on a connection that it keeps."""

    port: int
    model: str
    headers: Mapping[str, str] = field(default_factory=dict)
    outcomes: Counter[str] = field(default_factory=Counter)
    _ids: "itertools.count[int]" = field(default_factory=itertools.count)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self, requests: int, clients: int) -> None:
        """Make so many requests; return when the last is answered."""
        threads = [
            threading.Thread(target=self._client, args=(requests // clients,))
            for _ in range(clients)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def run_until(self, ended: threading.Event) -> None:
        """Ask as one client until ``ended`` is set."""
        connection = connect(self.port, timeout=60)
        while not ended.is_set():
            self._count(connection)
        connection.close()

    def _client(self, requests: int) -> None:
        connection = connect(self.port, timeout=60)
        for _ in range(requests):
            self._count(connection)
        connection.close()

    def _count(self, connection: http.client.HTTPConnection) -> None:
        with self._lock:
            number = next(self._ids)
        outcome = self._ask(connection, number)
        with self._lock:
            self.outcomes[outcome] += 1

    def _ask(self, connection: http.client.HTTPConnection, number: int) -> str:
        body = json.dumps({"model": self.model, "number": number})
        for again in range(3):
            kept = connection.sock is not None
            try:
                connection.request("POST", "/v1/chat/completions", body, self.headers)
                response = connection.getresponse()
                response.read()
            except CLOSED:
                connection.close()
                if not kept:
                    return "lost on a new connection"
                continue
            except (http.client.HTTPException, OSError) as error:
                connection.close()
                return f"lost: {error!r}"
            if response.status != 200:
                return f"HTTP {response.status}"
            return "answered" if not again else "answered on a new connection"
        return "lost again and again"
