"""Profile + site + command line = what is wanted on this host."""

from dataclasses import dataclass

from trtllm_install.config.peers import peers_of, refuse_lonely
from trtllm_install.config.schemas import (
    InstanceShape,
    LimitsShape,
    ProfileShape,
    SiteInstanceShape,
    SiteShape,
    TlsShape,
)
from trtllm_install.model import layout
from trtllm_install.model.errors import ConfigError
from trtllm_install.model.installation import (
    Installation,
    Instance,
    Limits,
    Proxy,
    Route,
    Tls,
)

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What was decided outside the files."""

    profile: str
    engine_version: str
    checked_as: str
    weights_dir: str
    supervisor: str
    simulate: bool


def combine(profile: ProfileShape, site: SiteShape, choices: Choices) -> Installation:
    """Return the installation; raises ConfigError for ports that collide and peers in vain."""
    listen = site.listen or LOOPBACK
    # Without a proxy the only instance holds the public address and port itself.
    host, port = (LOOPBACK, None) if profile.proxy else (listen, site.port)
    instances = tuple(
        _instance(shape, site, choices, host=host, public_port=port) for shape in profile.instances
    )
    proxy = None
    if profile.proxy:
        proxy = Proxy(
            host=listen,
            port=site.port or profile.proxy.port,
            first_byte_s=site.proxy.first_byte_s or profile.proxy.first_byte_s,
            between_chunks_s=site.proxy.between_chunks_s or profile.proxy.between_chunks_s,
            body_limit_mib=site.proxy.body_limit_mib or profile.proxy.body_limit_mib,
            workers=site.proxy.workers,
            page=site.proxy.page,
            tls=_tls(site.proxy.tls, listen),
            peer_authority=site.proxy.peer_authority or layout.SYSTEM_AUTHORITIES,
            access_log=site.proxy.access_log,
            engine_metrics=site.proxy.engine_metrics,
            limits=_limits(profile.proxy.limits, site.proxy.limits),
            peers=peers_of(site),
        )
    refuse_lonely(choices.profile, site, proxy, len(instances))
    _refuse_shared_ports(instances, proxy)
    return Installation(
        profile=choices.profile,
        engine_version=choices.engine_version,
        checked_as=choices.checked_as,
        weights_dir=choices.weights_dir,
        instances=instances,
        proxy=proxy,
        supervisor=choices.supervisor,
        simulate=choices.simulate,
    )


def _tls(shape: TlsShape | None, listen: str) -> Tls | None:
    if shape is None:
        return None
    if listen in {LOOPBACK, "::1", "localhost"}:
        raise ConfigError(
            f"cannot use proxy.tls: the proxy listens on {listen}, where it speaks plain HTTP",
            hint="set listen to an address of this host in the site file, or remove proxy.tls",
        )
    return Tls(certificate=shape.certificate, key=shape.key)


def _instance(
    shape: InstanceShape,
    site: SiteShape,
    choices: Choices,
    *,
    host: str,
    public_port: int | None,
) -> Instance:
    here = site.instances.get(shape.name, SiteInstanceShape.model_construct())
    return Instance(
        name=shape.name,
        model=shape.model,
        weights=here.weights or f"{choices.weights_dir}/{shape.folder or shape.model}",
        host=host,
        port=here.port or public_port or shape.port,
        backend=shape.backend,
        engine_config=shape.engine_config or "",
        engine_overrides=here.engine_overrides(),
        arguments=tuple(shape.arguments if here.arguments is None else here.arguments),
        gpus=tuple(shape.gpus if here.gpus is None else here.gpus),
        after=tuple(shape.after),
        in_flight=here.in_flight or shape.in_flight,
        after_failed=shape.after_failed,
        after_limit_s=shape.after_limit_s,
        route=Route(
            ids=(shape.model, *shape.aliases),
            contains=tuple(part.lower() for part in shape.route),
        ),
    )


def _limits(profile: LimitsShape, site: LimitsShape) -> Limits:
    given = profile.model_dump(exclude_none=True) | site.model_dump(exclude_none=True)
    return Limits(**given)


def _refuse_shared_ports(instances: tuple[Instance, ...], proxy: Proxy | None) -> None:
    taken: dict[int, str] = {proxy.port: "the proxy"} if proxy else {}
    for instance in instances:
        if other := taken.get(instance.port):
            raise ConfigError(
                f"cannot give {instance.name} port {instance.port}: it is the port of {other}",
                hint="change port or instances.<name>.port in the site file",
            )
        taken[instance.port] = instance.name
