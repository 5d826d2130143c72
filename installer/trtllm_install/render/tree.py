"""Installation in, everything that has to be on the host out."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from os.path import dirname

from trtllm_install.model import layout
from trtllm_install.model.desired import Account, Desired, Directory, File, Link, Service
from trtllm_install.model.installation import Installation, Proxy
from trtllm_install.model.proxyspec import ProxySpec, Upstream
from trtllm_install.render.instance import Footprint, engine_spec, proxy_spec
from trtllm_install.render.openresty import generation, http2_of, render_proxy
from trtllm_install.render.units import render_logrotate, render_supervisord, render_units


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What rendering needs to know of the host, as values."""

    proxy_binary: str = ""
    proxy_kind: str = "nginx"  # or "openresty"
    proxy_version: str = ""
    proxy_modules: tuple[str, ...] = ()
    lua_path: str = ""
    lua_cpath: str = ""
    cuda_home: str = "/usr/local/cuda"
    engine_target: str = ""  # what /opt/trtllm/engines/current shall point to; empty = as it is
    engine_configs: Mapping[str, str] = field(default_factory=dict)  # path → text
    extra_files: tuple[File, ...] = ()  # the simulated engine and its weights
    links_out: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    footprints: Mapping[str, Footprint] = field(default_factory=dict)  # by instance


def render_tree(installation: Installation, surroundings: Surroundings) -> Desired:
    """Return all that is wanted on the host; the same input gives the same bytes."""
    proxy_texts = _proxy_texts(installation, surroundings)
    files = [
        *_engine_configs(surroundings),
        *_launch_specs(installation, surroundings),
        *(_file(f"{layout.PROXY}/{n}", t, f"openresty/{n}") for n, t in proxy_texts.items()),
        *surroundings.extra_files,
    ]
    if installation.proxy and installation.proxy.access_log:
        files.append(_file(layout.LOGROTATE, render_logrotate(installation), "logrotate"))
    volatile = [Directory(path=layout.RUN, owner=layout.USER)]
    if installation.supervisor == "systemd":
        units = render_units(
            installation, dict(surroundings.links_out), volatile, surroundings.engine_target
        )
        files += [_file(path, text, "systemd") for path, text in units.items()]
    else:
        text = render_supervisord(installation)
        files.append(_file(layout.SUPERVISORD_CONF, text, "supervisord"))
    links: tuple[Link, ...] = ()
    if surroundings.engine_target:
        links = (Link(path=layout.ENGINE_CURRENT, target=surroundings.engine_target),)
    return Desired(
        accounts=(Account(name=layout.USER, home=layout.STATE),),
        directories=(*_directories(installation, (*files, *links)), *volatile),
        files=tuple(files),
        links=links,
        services=_services(installation, files),
        generation=generation(proxy_texts) if proxy_texts else "",
    )


def _engine_configs(surroundings: Surroundings) -> list[File]:
    return [
        _file(path, text, f"engine/{path.rsplit('/', 1)[-1]}")
        for path, text in surroundings.engine_configs.items()
    ]


def _launch_specs(installation: Installation, surroundings: Surroundings) -> list[File]:
    specs = [
        engine_spec(
            i,
            surroundings.cuda_home,
            installation.engine_version,
            proxy=installation.proxy,
            footprint=surroundings.footprints.get(i.name, Footprint()),
            simulate=installation.simulate,
        )
        for i in installation.instances
    ]
    if installation.proxy:
        specs.append(proxy_spec(installation, installation.proxy, surroundings.proxy_binary))
    return [_file(layout.launch_spec(s.name), s.to_json(), "launch spec") for s in specs]


def _proxy_texts(installation: Installation, surroundings: Surroundings) -> dict[str, str]:
    if installation.proxy is None:
        return {}
    return render_proxy(_proxy_spec(installation, installation.proxy, surroundings))


def _proxy_spec(installation: Installation, proxy: Proxy, surroundings: Surroundings) -> ProxySpec:
    return ProxySpec(
        host=proxy.host,
        port=proxy.port,
        upstreams=tuple(
            Upstream(
                name=i.name,
                host=i.host,
                port=i.port,
                ids=i.route.ids,
                contains=i.route.contains,
                state_file=layout.live_state(i.name),
                limit=i.in_flight or proxy.limits.in_flight,
            )
            for i in installation.instances
        )
        + tuple(_elsewhere(proxy)),
        first_byte_s=proxy.first_byte_s,
        between_chunks_s=proxy.between_chunks_s,
        body_limit_mib=proxy.body_limit_mib,
        queue=proxy.limits.queue,
        wait_s=proxy.limits.wait_s,
        page=proxy.page,
        tls=proxy.tls,
        peer_authority=proxy.trusted_authority,
        http2=http2_of(surroundings.proxy_version),
        binary="openresty" if surroundings.proxy_kind == "openresty" else "nginx",
        modules=surroundings.proxy_modules,
        lua_path=surroundings.lua_path,
        lua_cpath=surroundings.lua_cpath,
        conf_dir=layout.PROXY,
        run_dir=layout.RUN,
        temp_dir=layout.instance_state("proxy"),
        error_log="stderr",
        access_log=layout.PROXY_ACCESS_LOG if proxy.access_log else "off",
        engine_metrics=proxy.engine_metrics,
        admin_socket=layout.PROXY_ADMIN_SOCKET,
        keys_file=layout.PROXY_KEYS,
        peer_keys_file=layout.PEER_KEYS,
        workers=proxy.workers,
    )


def _elsewhere(proxy: Proxy) -> Iterator[Upstream]:
    for peer in proxy.peers:
        for model in peer.models:
            yield Upstream(
                name=peer.name if len(peer.models) == 1 else f"{peer.name}/{model}",
                peer=peer.name,
                host=peer.host,
                port=peer.port,
                tls_name=peer.tls_name,
                ids=(model,),
                contains=(),
                limit=peer.in_flight or proxy.limits.in_flight,
            )


def _directories(installation: Installation, placed: tuple[File | Link, ...]) -> list[Directory]:
    """Every folder that files and links of ours need, parents first; state of each service."""
    ours = (layout.ETC, "/opt/trtllm", layout.STATE)
    folders = {layout.ETC, layout.PROFILES, layout.ENGINE_CONFIGS, layout.STATE}
    for item in placed:
        folder = dirname(item.path)  # noqa: PTH120 (plain text, no file system)
        while folder.startswith(ours):
            folders.add(folder)
            folder = dirname(folder)  # noqa: PTH120
    state = [layout.instance_state(name) for name in installation.services]
    result = [Directory(path=path) for path in sorted(folders)]
    result += [Directory(path=path, mode=0o750, owner=layout.USER) for path in state]
    logs_requests = bool(installation.proxy and installation.proxy.access_log)
    if logs_requests:
        result.append(Directory(path=dirname(layout.LOGROTATE)))  # noqa: PTH120
    if logs_requests or installation.supervisor == "supervisord":
        result.append(Directory(path=layout.LOGS, mode=0o750, owner=layout.USER))
    return result


def _services(installation: Installation, files: list[File]) -> tuple[Service, ...]:
    """What each service must be restarted for: nothing that it does not read."""
    present = {file.path for file in files}

    def only(*paths: str) -> tuple[str, ...]:
        return tuple(path for path in paths if path in present)

    services = [
        Service(
            name=i.name,
            inputs=(
                *only(
                    layout.launch_spec(i.name),
                    f"{layout.UNITS}/{layout.unit(i.name)}",
                    i.engine_config_path,
                    f"{layout.ENGINES}/simulated/bin/trtllm-serve",
                ),
                layout.ENGINE_CURRENT,
            ),
        )
        for i in installation.instances
    ]
    if installation.proxy:
        services.append(
            Service(
                name="proxy",
                inputs=only(layout.launch_spec("proxy"), f"{layout.UNITS}/{layout.unit('proxy')}"),
                reload_inputs=tuple(sorted(p for p in present if p.startswith(layout.PROXY))),
                # Without TLS the address is in the launch spec.
                binds=installation.proxy.host if installation.proxy.tls else "",
            )
        )
    return tuple(services)


def _file(path: str, text: str, template: str) -> File:
    return File(path=path, content=text.encode(), template=template)
