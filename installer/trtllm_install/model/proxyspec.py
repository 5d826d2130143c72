"""What the proxy is rendered from: addresses, paths and the routes to the backends."""

from dataclasses import dataclass
from typing import Literal

from trtllm_install.model.installation import Tls


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """One model server behind the proxy; servers of one model share its id."""

    name: str
    peer: str = ""  # the host elsewhere that it is on; empty = this one
    host: str  # an IP address; "localhost" and "any" addresses are dialled by loopback
    port: int
    ids: tuple[str, ...]  # exact model ids, the one that is listed first
    contains: tuple[str, ...]  # substrings, tried after every exact id
    tls_name: str = ""  # what its certificate has to be for; empty = plain HTTP
    limit: int | None = None  # requests at once; None = any number
    state_file: str = ""  # live state its launcher writes; may be absent


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxySpec:
    """One nginx: where it listens, what it may write, what it sends where."""

    host: str
    port: int
    upstreams: tuple[Upstream, ...]  # in the order of the profile: the first match wins
    first_byte_s: int  # seconds that a backend may be silent and still count as working
    body_limit_mib: int
    queue: int = 64  # requests that may wait for each model whose servers have limits
    wait_s: int = 60  # how long one waits
    between_chunks_s: int | None = None  # longest pause within an answer; None = first_byte_s
    engine_metrics: bool = False  # pass on what the engines say at /prometheus/metrics
    binary: Literal["openresty", "nginx"]
    modules: tuple[str, ...]  # absolute paths for load_module; none for OpenResty
    lua_path: str  # searched after our own modules, before the built-in path
    lua_cpath: str
    conf_dir: str  # where the rendered files are put
    run_dir: str  # holds nginx.pid
    temp_dir: str  # large bodies are put here; must exist and be writable
    error_log: str  # a path or "stderr"
    access_log: str  # a path or "off"
    admin_socket: str
    keys_file: str  # SHA-256 of the clients' keys; where it is absent nobody needs one
    peer_keys_file: str  # keys that peers ask us for; may be absent
    workers: int
    tls: Tls | None = None
    peer_authority: str = ""  # PEM: who vouches for certificates of peers; empty without one
    http2: Literal["listen", "directive", ""] = ""  # how this nginx is told, if it can
    page: bool = True  # serve the web page at /
