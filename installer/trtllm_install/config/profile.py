"""A profile file and the site file as values, each checked on its own."""

from trtllm_install.config.document import Document, parse_document
from trtllm_install.config.nearest import nearest
from trtllm_install.config.peers import speaks_tls, split_url
from trtllm_install.config.reading import parse_shape, refused
from trtllm_install.config.schemas import ProfileShape, SiteShape
from trtllm_install.model.problems import Problem

# What the installer sets itself; a second value would contradict the proxy and the gate.
_OURS = {
    "--host": "listen in the site file",
    "--port": "port",
    "--backend": "backend",
    "--config": "engine_config",
    "--extra_llm_api_options": "engine_config",
}
_RESERVED_NAMES = ("proxy", "gpu-ready", "target")


def parse_profile(text: str, source: str) -> ProfileShape:
    """Return the profile in ``text``; raises ConfigError that lists every problem with its line."""
    document = parse_document(text, source)
    profile = parse_shape(document, ProfileShape)
    problems = [
        *_repeated(document, profile),
        *_order_problems(document, profile),
        *_argument_problems(document, profile),
    ]
    if not profile.instances and profile.proxy is None:
        problems.append(document.problem(("instances",), "at least one, or a proxy section"))
    if len(profile.instances) > 1 and profile.proxy is None:
        problems.append(document.problem(("instances",), "several instances need a proxy section"))
    if problems:
        raise refused(problems)
    return profile


def parse_site(text: str, source: str, known_instances: frozenset[str]) -> SiteShape:
    """Return the site file in ``text``; raises ConfigError that lists every problem with its line.

    ``known_instances`` are the instance names of all profiles: the same site file
    may serve several of them, but a name that none has is a mistake.
    """
    document = parse_document(text, source)
    site = parse_shape(document, SiteShape)
    problems = [
        document.problem(
            ("instances", name),
            f"no profile has this instance; {nearest(name, sorted(known_instances))}",
        )
        for name in site.instances
        if name not in known_instances
    ]
    for name, instance in site.instances.items():
        problems.extend(_reserved(document, ("instances", name), instance.arguments or []))
        if instance.weights is not None and not instance.weights.startswith("/"):
            problems.append(
                document.problem(("instances", name, "weights"), "must be an absolute path")
            )
    problems += _peer_problems(document, site, known_instances)
    if problems:
        raise refused(problems)
    return site


def _peer_problems(
    document: Document, site: SiteShape, known_instances: frozenset[str]
) -> list[Problem]:
    """Names that are drained by, so each must mean one thing; addresses that are none."""
    problems = []
    taken = {*known_instances, *_RESERVED_NAMES}
    for i, peer in enumerate(site.peers):
        if peer.name in taken:
            problems.append(document.problem(("peers", i, "name"), f"already taken: {peer.name}"))
        taken.add(peer.name)
        if split_url(peer.url) is None:
            problems.append(
                document.problem(("peers", i, "url"), f"not an IP address and a port: {peer.url}")
            )
        if speaks_tls(peer.url) and peer.tls_name is None:
            # nginx compares names only: an address in a certificate proves nothing to it.
            problems.append(
                document.problem(
                    ("peers", i), "https needs tls_name, the host name in the peer's certificate"
                )
            )
        if peer.tls_name is not None and not speaks_tls(peer.url):
            problems.append(
                document.problem(("peers", i, "tls_name"), f"only with https: {peer.url}")
            )
    return problems


def _repeated(document: Document, profile: ProfileShape) -> list[Problem]:
    """Names and ports that two instances, or an instance and the proxy, both want."""
    problems = []
    names: set[str] = set()
    ports: dict[int, str] = {}
    for i, instance in enumerate(profile.instances):
        if instance.name in names or instance.name in _RESERVED_NAMES:
            problems.append(
                document.problem(("instances", i, "name"), f"already taken: {instance.name}")
            )
        if instance.port in ports:
            problems.append(
                document.problem(
                    ("instances", i, "port"),
                    f"already the port of {ports[instance.port]}: {instance.port}",
                )
            )
        names.add(instance.name)
        ports[instance.port] = instance.name
    if profile.proxy and profile.proxy.port in ports:
        problems.append(
            document.problem(
                ("proxy", "port"),
                f"already the port of {ports[profile.proxy.port]}: {profile.proxy.port}",
            )
        )
    return problems


def _order_problems(document: Document, profile: ProfileShape) -> list[Problem]:
    """An instance can only wait for one that stands above it, so there are no circles."""
    problems: list[Problem] = []
    above: list[str] = []
    for i, instance in enumerate(profile.instances):
        problems.extend(
            document.problem(
                ("instances", i, "after", k),
                f"must be an instance listed above {instance.name}: {name}"
                + (f" (above: {', '.join(above)})" if above else " (it is the first)"),
            )
            for k, name in enumerate(instance.after)
            if name not in above
        )
        above.append(instance.name)
    return problems


def _argument_problems(document: Document, profile: ProfileShape) -> list[Problem]:
    return [
        problem
        for i, instance in enumerate(profile.instances)
        for problem in _reserved(document, ("instances", i), instance.arguments)
    ]


def _reserved(
    document: Document, path: tuple[str | int, ...], arguments: list[str]
) -> list[Problem]:
    return [
        document.problem(
            (*path, "arguments", k), f"{option} is set by the installer; use {_OURS[option]}"
        )
        for k, argument in enumerate(arguments)
        if (option := argument.split("=", 1)[0]) in _OURS
    ]
