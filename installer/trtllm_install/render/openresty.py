"""Renders the proxy: nginx.conf, the routes as data, and our Lua as it is."""

import dataclasses
import hashlib
import ipaddress
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, Literal

from trtllm_install import resources
from trtllm_install.model.errors import ConfigError
from trtllm_install.render.environment import render_template

if TYPE_CHECKING:
    from trtllm_install.model.proxyspec import ProxySpec, Upstream

_LUALIB: Final = "lualib/trtllm"
# Path, file and media type of the web page.
_PAGE: Final = (
    ("/", "index.html", "text/html"),
    ("/page.css", "page.css", "text/css"),
    ("/page.js", "page.js", "text/javascript"),
)
_HTTP2_ON: Final = (1, 25, 1)  # the directive came, and the parameter of listen began to warn
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_PATH: Final = re.compile(r"[^\s\"'\\;{}$*]*")
_GENERATION: Final = re.compile(r'generation = "[0-9a-f]*"')
# A listener on every address is reached by loopback.
_DIALLED: Final = {"localhost": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104


def render_proxy(spec: "ProxySpec") -> dict[str, str]:
    """Return the proxy's files: path below ``spec.conf_dir`` to text.

    Raises ConfigError for what nginx cannot be told: a backend that has no IP
    address, a name or path with characters that mean something to nginx.
    """
    _check(spec)
    models = models_of(spec.upstreams)
    alone = {model.backends[0] for model in models if len(model.backends) == 1}
    values = {f.name: getattr(spec, f.name) for f in dataclasses.fields(spec)}
    values |= {
        "backends": [b for i, b in enumerate(_backends(spec), 1) if i in alone],
        "addresses": list(dict.fromkeys(b["address"] for b in _backends(spec) if not b["tls"])),
        "has_replicas": len(alone) < len(models),
        "has_peers": any(u.peer for u in spec.upstreams),
        "has_tls_peers": any(u.tls_name for u in spec.upstreams),
        "is_mixed": any(_is_mixed(spec, model) for model in models),
        "limited": any(u.limit for u in spec.upstreams),
        "listen": _listen(spec),
        "loopback": f"[::1]:{spec.port}" if ":" in spec.host else f"127.0.0.1:{spec.port}",
        "page_files": _PAGE,
    }
    files = {"nginx.conf": render_template("openresty/nginx.conf.j2", **values)}
    for name in resources.names(f"templates/openresty/{_LUALIB}", ".lua"):
        files[f"{_LUALIB}/{name}"] = resources.read_text(f"templates/openresty/{_LUALIB}/{name}")
    if spec.page:
        files |= {
            f"web/{name}": resources.read_text(f"templates/web/{name}") for _, name, _ in _PAGE
        }
    files["routes.lua"] = _render_routes(spec, generation="")
    files["routes.lua"] = _render_routes(spec, generation=generation(files))
    return files


def _is_mixed(spec: "ProxySpec", model: "RoutedModel") -> bool:
    """Tell whether some of a model's servers are spoken to by TLS and others are not."""
    return len({bool(spec.upstreams[place - 1].tls_name) for place in model.backends}) > 1


def http2_of(version: str) -> Literal["listen", "directive", ""]:
    """Return how an nginx (or OpenResty) of this version is told to speak HTTP/2."""
    numbers = re.match(r"(\d+)\.(\d+)\.(\d+)", version)
    if numbers is None:
        return ""
    return "directive" if tuple(map(int, numbers.groups())) >= _HTTP2_ON else "listen"


def generation(files: Mapping[str, str]) -> str:
    """Return 12 hex digits that stand for the rendered files, whatever generation they name."""
    digest = hashlib.sha256()
    for path in sorted(files):
        text = _GENERATION.sub('generation = ""', files[path], count=1)
        digest.update(f"{path}\0{len(text)}\0{text}\0".encode())
    return digest.hexdigest()[:12]


def _render_routes(spec: "ProxySpec", *, generation: str) -> str:
    return render_template(
        "openresty/routes.lua.j2",
        generation=_lua(generation),
        binary=spec.binary,
        admin_socket=_lua(spec.admin_socket),
        keys_file=_lua(spec.keys_file),
        peer_keys_file=_lua(spec.peer_keys_file),
        tls_files=[_lua(spec.tls.certificate), _lua(spec.tls.key)] if spec.tls else [],
        peer_authority=_lua(spec.peer_authority) if spec.peer_authority else "",
        engine_metrics="true" if spec.engine_metrics else "false",
        between_chunks_s=spec.between_chunks_s,
        access_log=spec.access_log != "off",
        queue=spec.queue,
        wait_s=spec.wait_s,
        backends=[
            {
                "name": _lua(u.name),
                "host": _lua(_bracketed(_address(u))),
                "port": u.port,
                "model": _lua(u.ids[0]),
                "upstream": _lua(_upstream_name(i)),
                "limit": u.limit,
                "peer": _lua(u.peer) if u.peer else "",
                "tls_name": _lua(u.tls_name) if u.tls_name else "",
                "state_file": _lua(u.state_file),
            }
            for i, u in enumerate(spec.upstreams, 1)
        ],
        models=[
            {
                "ids": [_lua(i) for i in model.ids],
                "contains": [_lua(c) for c in model.contains],
                "backends": model.backends,
                "limited": any(spec.upstreams[i - 1].limit for i in model.backends),
            }
            for model in models_of(spec.upstreams)
        ],
    )


@dataclasses.dataclass(slots=True)
class RoutedModel:
    """What a request's model can mean: names, and places (from 1) of the servers."""

    ids: list[str]
    contains: list[str]  # in lower case
    backends: list[int]


def models_of(upstreams: "Sequence[Upstream]") -> list[RoutedModel]:
    """Return the models in the order of the profile, each with every server of it.

    Servers of this host serve one model when their first ids are the same; a peer is
    known by id only and joins whoever has that id, an alias too.
    """
    models: list[RoutedModel] = []
    for place, upstream in enumerate(upstreams, 1):
        first = upstream.ids[0].lower()
        model = next((m for m in models if first in _known_by(m, by_alias=upstream.peer)), None)
        if model is None:
            model = RoutedModel(ids=[], contains=[], backends=[])
            models.append(model)
        known = _known_by(model, by_alias="yes")
        model.ids += [i for i in upstream.ids if i.lower() not in known]
        model.contains += [c.lower() for c in upstream.contains if c.lower() not in model.contains]
        model.backends.append(place)
    return models


def _known_by(model: RoutedModel, *, by_alias: str) -> set[str]:
    return {i.lower() for i in (model.ids if by_alias else model.ids[:1])}


def _backends(spec: "ProxySpec") -> list[dict[str, str]]:
    """What nginx.conf says of each server."""
    return [
        {
            "shown": upstream.peer or upstream.name,
            "peer": upstream.peer,
            "tls": upstream.tls_name,
            "upstream": _upstream_name(i),
            "address": f"{_bracketed(_address(upstream))}:{upstream.port}",
        }
        for i, upstream in enumerate(spec.upstreams, 1)
    ]


def _upstream_name(place: int) -> str:
    """Names of backends may hold what nginx.conf gives a meaning to."""
    return f"backend-{place}"


def _address(upstream: "Upstream") -> str:
    host = _DIALLED.get(upstream.host, upstream.host)
    try:
        return str(ipaddress.ip_address(host))
    except ValueError as error:
        raise ConfigError(
            f"cannot render the proxy: host of {upstream.name} is not an IP address: {host}",
            hint="write the address itself, for example 127.0.0.1, in the site file or the profile",
        ) from error


def _listen(spec: "ProxySpec") -> str:
    if spec.host == "localhost":
        return f"127.0.0.1:{spec.port}"
    try:
        return f"{_bracketed(str(ipaddress.ip_address(spec.host)))}:{spec.port}"
    except ValueError as error:
        raise ConfigError(
            f"cannot render the proxy: its listen address is not an IP address: {spec.host}",
            hint="write 127.0.0.1, 0.0.0.0 or an address of this host in the site file",
        ) from error


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _check(spec: "ProxySpec") -> None:
    for upstream in spec.upstreams:
        if not _NAME.fullmatch(upstream.peer or upstream.name):
            raise ConfigError(
                f"cannot render the proxy: not a usable name of a backend: {upstream.name!r}",
                hint="use letters, digits, dots, dashes and underscores",
            )
    for path in (
        *spec.modules,
        *(spec.conf_dir, spec.run_dir, spec.temp_dir, spec.admin_socket),
        *(spec.error_log, spec.access_log, spec.peer_authority),
        *((spec.tls.certificate, spec.tls.key) if spec.tls else ()),
    ):
        if not _PATH.fullmatch(path):
            raise ConfigError(
                f"cannot render the proxy: path with a character that nginx reads: {path!r}",
                hint="choose a path without spaces, quotes, backslashes and any of ;{}$*",
            )


def _lua(text: str) -> str:
    """Return ``text`` as a Lua string literal, byte for byte the same in UTF-8."""
    out = "".join(
        chr(byte) if 0x20 <= byte < 0x7F and byte not in b'"\\' else f"\\{byte:03d}"  # noqa: PLR2004 (printable ASCII)
        for byte in text.encode()
    )
    return f'"{out}"'
