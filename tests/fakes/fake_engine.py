"""A tiny HTTP server with faults: what the launcher's own tests put in the engine's place.

Standard library only, so that it starts fast. Faults are options, or switched
while it runs by ``POST /fault?health=503`` and the like.
"""

import argparse
import os
import signal
import socket
import sys
import threading
import time
from urllib.parse import parse_qs, urlsplit

IDLE = threading.Event()


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--load-s", type=float, default=0.0, help="refuse connections this long")
    parser.add_argument("--log-every", type=float, default=0.0, help="a line this often, loading")
    parser.add_argument("--read", default="", help="read this file again and again while loading")
    parser.add_argument("--say", action="append", default=[], help="print this line at the start")
    parser.add_argument("--say-pid-to", default="", help="append own and grandchild's pid here")
    parser.add_argument("--exit-after", type=float, default=-1.0, help="end after loading and this")
    parser.add_argument("--exit-code", type=int, default=0)
    parser.add_argument("--kill-self", type=int, default=0, help="... by this signal instead")
    parser.add_argument("--health", default="200", help="status, or hang")
    parser.add_argument("--generate", default="200", help="status, hang, spin or log")
    parser.add_argument("--ignore-term", action="store_true")
    parser.add_argument("--daemon", action="store_true", help="a grandchild in its own session")
    parser.add_argument("--reload", action="store_true", help="say so on SIGHUP, as nginx acts")
    parser.add_argument("--print-environment", action="store_true")
    return parser.parse_args()


def say(text: str) -> None:
    os.write(1, f"{text}\n".encode())


def start_daemon() -> int:
    """Start a process that leaves the session and whose parent ends, as Open MPI's orted does."""
    reader, writer = os.pipe()
    middle = os.fork()
    if not middle:
        os.setsid()
        daemon = os.fork()
        if daemon:
            os.write(writer, str(daemon).encode())
            os._exit(0)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        while True:
            IDLE.wait(60)
    os.waitpid(middle, 0)
    return int(os.read(reader, 32))


def load(options: argparse.Namespace) -> None:
    until = time.monotonic() + options.load_s
    while (left := until - time.monotonic()) > 0:
        IDLE.wait(min(left, options.log_every or 0.05))
        if options.log_every:
            say("Loading weights: one more shard")
        if options.read:
            with open(options.read, "rb", buffering=0) as file:  # noqa: PTH123 (as an engine does)
                while file.read(1 << 20):
                    pass


def answer(connection: socket.socket, options: argparse.Namespace) -> None:
    with connection:
        data = b""
        while b"\r\n\r\n" not in data:
            chunk = connection.recv(65536)
            if not chunk:
                return
            data += chunk
        target = urlsplit(data.split(b" ")[1].decode())
        outcome = "404"
        if target.path == "/health":
            outcome = options.health
        elif target.path == "/health_generate":
            outcome = options.generate
        elif target.path == "/fault":
            vars(options).update({k: v[0] for k, v in parse_qs(target.query).items()})
            outcome = "200"
        if outcome == "spin":
            while options.generate == "spin":
                pass
            outcome = options.generate
        while outcome in {"hang", "log"}:
            if outcome == "log":
                say("step 1 of many")
            IDLE.wait(0.05)
            outcome = options.health if target.path == "/health" else options.generate
        say(f'INFO: 127.0.0.1 - "GET {target.path} HTTP/1.1" {outcome}')
        body = b"{}"
        head = f"HTTP/1.1 {outcome} Some\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.sendall(head.encode() + body)
        connection.recv(1)  # keep-alive: the client closes


def end_later(options: argparse.Namespace) -> None:
    IDLE.wait(options.exit_after)
    if options.kill_self:
        os.kill(os.getpid(), options.kill_self)
    os._exit(options.exit_code)


def introduce(options: argparse.Namespace) -> None:
    if options.ignore_term:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if options.reload:
        signal.signal(signal.SIGHUP, lambda *_: say("reloaded"))
        signal.signal(signal.SIGQUIT, lambda *_: (say("quit"), os._exit(0)))
    pids = [os.getpid()]
    if options.daemon:
        pids.append(start_daemon())
    if options.say_pid_to:
        with open(options.say_pid_to, "a", encoding="utf-8") as file:  # noqa: PTH123 (small)
            file.write(f"{' '.join(map(str, pids))}\n")
    if options.print_environment:
        for name, value in sorted(os.environ.items()):
            say(f"environment {name}={value}")


def main() -> None:
    options = parse_options()
    introduce(options)
    server = socket.socket()
    try:
        server.bind(("127.0.0.1", options.port))  # first, without SO_REUSEADDR, like the real one
    except OSError:
        say(f"RuntimeError: Failed to bind socket to 127.0.0.1:{options.port}")
        sys.exit(1)
    for line in options.say:
        say(line)
    if options.exit_after >= 0 and not options.load_s:
        end_later(options)
    load(options)
    server.listen(64)
    if options.exit_after >= 0:
        threading.Thread(target=end_later, args=(options,), daemon=True).start()
    while True:
        connection, _ = server.accept()
        threading.Thread(target=answer, args=(connection, options), daemon=True).start()


if __name__ == "__main__":
    main()
