"""One HTTP request, over TCP or over a unix socket."""

import http.client
import socket
import time
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import urlsplit

from trtllm_install.host.protocol import Answer, Talk, Trust
from trtllm_install.model.errors import HostError, UntrustedServer

_PATIENCE_S: Final = 10.0


def request(
    method: str,
    url: str,
    *,
    body: bytes | None,
    headers: Mapping[str, str] | None = None,
    timeout: float,
    unix_socket: str | None,
) -> Answer:
    """Return the answer, whatever its status; raises HostError when none came."""
    try:
        if unix_socket:
            return _over_socket(method, url, body=body, timeout=timeout, path=unix_socket)
        return _over_tcp(method, url, body=body, headers=headers, timeout=timeout)
    except (OSError, http.client.HTTPException) as error:
        raise HostError(
            f"cannot {method} {url}: {_cause(error, timeout)}", hint="trtllm-install status"
        ) from error


def request_by_tls(method: str, url: str, *, timeout: float, trust: Trust) -> Answer:
    """Return the answer of a server that has proved its name.

    Raises UntrustedServer when it has not, HostError when there is no answer.
    """
    import ssl  # noqa: PLC0415 (only a front tier speaks TLS)

    # No more and no less strict than nginx, which speaks to the same servers: newer Pythons
    # would give a default context flags of their own.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    parts = urlsplit(url)
    address = (parts.hostname or "", parts.port or http.client.HTTPS_PORT)
    connection = http.client.HTTPConnection(*address, timeout=timeout)
    try:
        context.load_verify_locations(cafile=trust.authority)
        plain = socket.create_connection(address, timeout)
        connection.sock = context.wrap_socket(plain, server_hostname=trust.name)
        connection.request(method, f"{parts.path}?{parts.query}" if parts.query else parts.path)
        answer = connection.getresponse()
        return Answer(status=answer.status, body=answer.read())
    except ssl.SSLCertVerificationError as error:
        cause = error.verify_message.rstrip(".")
        raise UntrustedServer(
            f"cannot {method} {url}: its certificate does not hold: {cause}",
            hint="trtllm-install check",
            cause=cause,
        ) from error
    except (OSError, http.client.HTTPException) as error:
        said = getattr(error, "reason", None) if isinstance(error, ssl.SSLError) else None
        words = f"no TLS: {said.replace('_', ' ').lower()}" if said else ""
        cause = words or _cause(error, timeout)
        raise HostError(f"cannot {method} {url}: {cause}", hint="trtllm-install status") from error
    finally:
        connection.close()


def time_requests(
    method: str, urls: Sequence[str], *, body: bytes, headers: Mapping[str, str], times: int
) -> tuple[tuple[float, ...], ...]:
    """Return the seconds of each answer; raises HostError when one did not come."""
    taken: list[list[float]] = [[] for _ in urls]
    parts = [urlsplit(url) for url in urls]
    connections = [http.client.HTTPConnection(p.netloc, timeout=_PATIENCE_S) for p in parts]
    sent = {"Content-Type": "application/json", **headers}
    try:
        for _ in range(times):
            for connection, part, seconds in zip(connections, parts, taken, strict=True):
                begun = time.perf_counter()
                connection.request(method, part.path, body, sent)
                connection.getresponse().read()
                seconds.append(time.perf_counter() - begun)
    except (OSError, http.client.HTTPException) as error:
        raise HostError(
            f"cannot {method} {urls[0]}: {_cause(error, _PATIENCE_S)}",
            hint="trtllm-install status",
        ) from error
    finally:
        for connection in connections:
            connection.close()
    return tuple(map(tuple, taken))


def talk(address: tuple[str, int], sent: bytes, *, drip: bytes, timeout: float) -> Talk:
    """See Host.talk."""
    deadline, heard = time.monotonic() + timeout, b""
    try:
        server = socket.create_connection(address, timeout)
    except OSError as error:
        where = f"{address[0]}:{address[1]}"
        raise HostError(
            f"cannot reach {where}: {_cause(error, timeout)}", hint="trtllm-install status"
        ) from error
    with server:
        try:
            server.sendall(sent)
            while (left := deadline - time.monotonic()) > 0:
                server.settimeout(min(left, 1))
                try:
                    part = server.recv(65536)
                except TimeoutError:
                    server.sendall(drip)
                    continue
                if not part:
                    return Talk(heard, ended=True)
                heard += part
        except TimeoutError:
            pass  # it does not even read
        except OSError:
            return Talk(heard, ended=True)
    return Talk(heard, ended=False)


def _cause(error: BaseException, timeout: float) -> str:
    """The system's own words, which requests buries three exceptions deep."""
    link: BaseException | None = error
    while link is not None:
        if isinstance(link, TimeoutError):
            return f"no answer within {timeout:g} s"
        if isinstance(link, OSError) and link.strerror:
            return link.strerror.lower()
        link = link.__context__
    return str(error).lower() or type(error).__name__


def _over_tcp(
    method: str,
    url: str,
    *,
    body: bytes | None,
    headers: Mapping[str, str] | None,
    timeout: float,
) -> Answer:
    import requests  # noqa: PLC0415 (130 ms that most verbs need not pay)

    kind = {"Content-Type": "application/json"} if body is not None else {}
    with requests.Session() as session:
        session.trust_env = False  # a proxy of the environment must not see loopback traffic
        answer = session.request(
            method,
            url,
            data=body,
            timeout=timeout,
            headers={**kind, **(headers or {})},
        )
        return Answer(status=answer.status_code, body=answer.content)


def _over_socket(method: str, url: str, *, body: bytes | None, timeout: float, path: str) -> Answer:
    connection = http.client.HTTPConnection("localhost", timeout=timeout)
    connection.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.sock.settimeout(timeout)
        connection.sock.connect(path)
        connection.request(method, url, body=body)
        answer = connection.getresponse()
        return Answer(status=answer.status, body=answer.read())
    finally:
        connection.close()
