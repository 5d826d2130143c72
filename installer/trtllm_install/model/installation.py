"""What is to be served on this host: a profile with the site's changes applied."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from trtllm_install.model import layout


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Which values of a request's ``model`` go to an instance; compared without case."""

    ids: tuple[str, ...]  # exact names, the model id first
    contains: tuple[str, ...] = ()  # substrings, tried after every exact name


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """One ``trtllm-serve`` process."""

    name: str
    model: str  # the id clients send, for example "nvidia/Qwen3-30B-A3B-FP4"
    weights: str  # absolute folder of the checkpoint
    host: str
    port: int
    backend: str
    engine_config: str  # file name under /etc/trtllm/engine; empty = none
    engine_overrides: Mapping[str, object] = field(default_factory=dict)  # from the site file
    arguments: tuple[str, ...] = ()  # further arguments for trtllm-serve
    gpus: tuple[str, ...] = ()  # indices or UUIDs; empty = all that the driver shows
    after: tuple[str, ...] = ()  # instances that must be healthy first
    in_flight: int | None = None  # requests at once; None = what the proxy says
    after_failed: str = "continue"  # or "hold": when one of them has failed for good
    after_limit_s: float | None = None  # longest wait for those that do not come; None = for ever
    route: Route

    @property
    def reads_config(self) -> bool:
        """Tell whether the engine is given a YAML file at all."""
        return bool(self.engine_config or self.engine_overrides)

    @property
    def engine_config_path(self) -> str:
        """Where the engine reads its YAML."""
        if self.engine_overrides:
            return f"{layout.ENGINE_CONFIGS}/{self.name}.site.yaml"
        return f"{layout.ENGINE_CONFIGS}/{self.engine_config}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A server elsewhere that serves models too: a proxy like ours, or an engine."""

    name: str
    host: str  # an IP address
    port: int
    models: tuple[str, ...]  # ids, sent to it as they are
    in_flight: int | None = None  # for each of them; None = what the proxy says
    tls_name: str = ""  # what its certificate has to be for; empty = plain HTTP

    @property
    def url(self) -> str:
        """Return how it is reached, without a path."""
        return f"{'https' if self.tls_name else 'http'}://{self.address}"

    @property
    def address(self) -> str:
        """Return host and port as they stand in a URL."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How many requests a server may have at once, and what becomes of the others."""

    in_flight: int | None = None  # for each server; None = no limit
    queue: int = 64  # requests that may wait for each model
    wait_s: int = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """Files that the proxy's user can read; a renewal replaces them in place."""

    certificate: str  # PEM, with the chain behind it
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """The one port in front of several instances."""

    host: str
    port: int
    first_byte_s: int = 1800  # longest silence of an engine that is still working
    between_chunks_s: int | None = None  # the same within an answer; None = first_byte_s
    body_limit_mib: int = 64
    workers: int = 2  # processes; a core each when there is enough to do
    page: bool = True  # the web page at /
    tls: Tls | None = None  # beyond loopback; this host itself always speaks plain HTTP
    access_log: bool = False  # a line of JSON for each request
    engine_metrics: bool = False  # pass on what the engines say at /prometheus/metrics
    limits: Limits = Limits()
    peers: tuple[Peer, ...] = ()
    peer_authority: str = layout.SYSTEM_AUTHORITIES  # PEM: who vouches for their certificates

    @property
    def trusted_authority(self) -> str:
        """Return ``peer_authority`` where a peer has a certificate to be trusted, else ""."""
        return self.peer_authority if any(peer.tls_name for peer in self.peers) else ""

    @property
    def local_host(self) -> str:
        """Address at which this host reaches it without TLS."""
        if self.tls is None:
            return self.host
        return "::1" if ":" in self.host else "127.0.0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """Everything that is wanted on this host."""

    profile: str
    engine_version: str
    checked_as: str  # the version whose contract arguments and YAML were checked against
    weights_dir: str
    instances: tuple[Instance, ...]  # in start order
    proxy: Proxy | None
    supervisor: str  # "systemd" or "supervisord"
    simulate: bool = False

    @property
    def services(self) -> tuple[str, ...]:
        """Names of everything a supervisor starts, in start order."""
        return tuple(i.name for i in self.instances) + (("proxy",) if self.proxy else ())

    @property
    def models(self) -> tuple[str, ...]:
        """The model of each instance, then those that only peers serve."""
        here = tuple(i.model for i in self.instances)
        elsewhere = (m for peer in (self.proxy.peers if self.proxy else ()) for m in peer.models)
        return (*here, *dict.fromkeys(m for m in elsewhere if m not in here))

    @property
    def endpoint(self) -> tuple[str, int]:
        """Address and port that clients use."""
        if self.proxy:
            return self.proxy.local_host, self.proxy.port
        return self.instances[0].host, self.instances[0].port
