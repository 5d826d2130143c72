"""Asks the endpoint again and again; prints the longest time without an answer.

A program of its own: it runs on the network of a lab root. It ends when its standard
input is closed, and prints one JSON document: what was asked -> seconds.
"""

import http.client
import json
import sys
import threading
import time
from collections.abc import Callable

PAUSE_S = 0.01
PORT = 8000


def answered(method: str, path: str, body: str = "") -> int:
    """Return the status of one answer, 0 when none came."""
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=2)
    try:
        connection.request(method, path, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        answer.read()
    except OSError:
        return 0
    finally:
        connection.close()
    return answer.status


def completed(model: str) -> bool:
    """Tell whether a model gave a token."""
    question = {"model": model, "max_tokens": 1, "messages": [{"role": "user", "content": "x"}]}
    return answered("POST", "/v1/chat/completions", json.dumps(question)) == 200


def watch(what: str, ask: Callable[[], bool], longest: dict[str, float]) -> None:
    """Keep the longest time from one good answer to the next."""
    last = time.monotonic()
    while not ended.wait(PAUSE_S):
        good = ask()
        now = time.monotonic()
        longest[what] = max(longest.get(what, 0.0), now - last)
        if good:
            last = now


ended = threading.Event()


def main() -> None:
    longest: dict[str, float] = {}
    asks: dict[str, Callable[[], bool]] = {"port": lambda: answered("GET", "/v1/models") > 0}
    for model in sys.argv[1:]:
        asks[model] = lambda model=model: completed(model)  # type: ignore[misc]
    threads = [threading.Thread(target=watch, args=(w, a, longest)) for w, a in asks.items()]
    for thread in threads:
        thread.start()
    sys.stdin.read()
    ended.set()
    for thread in threads:
        thread.join()
    print(json.dumps(longest))  # noqa: T201 (the document is what this program is for)


if __name__ == "__main__":
    main()
