"""A compose setup as our profiles and site file, with a note for whatever has no counterpart."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from posixpath import basename, relpath

import yaml

from trtllm_install.config.compose_file import ComposeService
from trtllm_install.model.contract import Contract
from trtllm_install.model.errors import ConfigError

_PROGRAM = "trtllm-serve"
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_PUBLIC_PORT = 8000
# What the installer sets itself, from fields of the profile.
_OURS = frozenset({"host", "port", "backend", "extra_llm_api_options", "config"})
_QUIET = ("CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES", "NVIDIA_DRIVER_CAPABILITIES")


@dataclass(frozen=True, slots=True, kw_only=True)
class FromCompose:
    """What a compose file comes to."""

    profiles: Mapping[str, str] = field(default_factory=dict)  # name → YAML
    site: str = ""  # YAML; empty where the defaults do
    engine: Mapping[str, str] = field(default_factory=dict)  # name in the engine folder → source
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class _Told:
    """What is gathered on the way."""

    weights: str = ""
    listen: str = ""
    engine: dict[str, str] = field(default_factory=dict)
    site_instances: dict[str, dict[str, object]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)


def translate_compose(
    services: Sequence[ComposeService], contract: Contract, *, default_weights: str
) -> FromCompose:
    """Return our files for every profile of a compose file that serves a model.

    ``default_weights`` is the folder that needs no site file. Raises ConfigError when none
    of the services runs ``trtllm-serve``.
    """
    engines = [s for s in services if _serve_words(s) is not None]
    if not engines:
        raise ConfigError(
            f"cannot find an engine: no service runs {_PROGRAM}",
            hint="name the compose.yml whose services run trtllm-serve",
        )
    told = _Told()
    # A service without a profile is started with every one.
    names = list(dict.fromkeys(p for s in engines for p in s.profiles)) or ["compose"]
    profiles = {
        name: _profile(
            name, [s for s in services if not s.profiles or name in s.profiles], contract, told
        )
        for name in names
    }
    _note_versions(engines, contract, told)
    return FromCompose(
        profiles=profiles,
        site=_site(told, default_weights),
        engine=told.engine,
        notes=tuple(told.notes),
    )


def _profile(name: str, services: Sequence[ComposeService], contract: Contract, told: _Told) -> str:
    engines = [s for s in services if _serve_words(s) is not None]
    fronts = [s for s in services if s not in engines and s.published]
    short = _short_names(name, engines)
    alone = len(engines) == 1 and not fronts
    instances = []
    for i, service in enumerate(_in_start_order(engines)):
        port = _PUBLIC_PORT if alone else _PUBLIC_PORT + 1 + i
        if alone and service.published:
            port = service.published[0].port
            _take_address(service, told)
        instances.append(_instance(service, short, port, contract, told))
    profile: dict[str, object] = {
        "description": f"profile {name} of the compose file",
        "instances": instances,
    }
    if not alone:
        profile["proxy"] = {"port": _front_port(name, fronts, told)}
    return yaml.safe_dump(profile, sort_keys=False, width=100)


def _front_port(name: str, fronts: Sequence[ComposeService], told: _Told) -> int:
    if not fronts:
        told.note(
            f"profile {name}: its engines get one proxy in front, on port {_PUBLIC_PORT}; "
            "each had a port of its own"
        )
        return _PUBLIC_PORT
    _take_address(fronts[0], told)
    told.note(
        f"service {fronts[0].name}: our proxy takes its place; what its configuration says "
        "beyond routing by model is not carried over"
    )
    return fronts[0].published[0].port


def _instance(
    service: ComposeService,
    short: Mapping[str, str],
    port: int,
    contract: Contract,
    told: _Told,
) -> dict[str, object]:
    words = _serve_words(service) or ()
    reading = contract.command.read(words)
    name = short[service.name]
    inside = reading.positional[0] if reading.positional else ""
    result: dict[str, object] = {"name": name, **_model(service, name, inside, told), "port": port}
    result["backend"] = str(reading.values.get("backend") or "pytorch")
    config = reading.values.get("extra_llm_api_options") or reading.values.get("config")
    if config:
        result |= _engine_config(service, str(config), told)
    if arguments := list(_others(words, inside, contract)):
        result["arguments"] = arguments
    if gpus := _gpus(service):
        result["gpus"] = gpus
    if after := [short[a] for a in service.after if a in short]:
        result["after"] = after
    result["route"] = [name if name in inside.lower() else basename(inside).lower()]
    for variable in service.environment:
        if variable not in _QUIET:
            told.note(f"service {service.name}: variable {variable} is not carried over")
    return result


def _model(service: ComposeService, name: str, inside: str, told: _Told) -> dict[str, object]:
    host = service.host_path(inside)
    if host is None:
        told.note(
            f"service {service.name}: the model {inside} is not on a mounted folder; "
            f"put its files below the weights folder, in {inside.strip('/')}"
        )
        return {"model": inside.strip("/")}
    mount = next(h for h, c in service.volumes if inside == c or inside.startswith(f"{c}/"))
    below = relpath(host, mount)
    if below == ".":  # the checkpoint itself is mounted
        told.site_instances.setdefault(name, {})["weights"] = host
        return {"model": basename(host)}
    if not told.weights:
        told.weights = mount
    elif told.weights != mount:
        told.site_instances.setdefault(name, {})["weights"] = host
    return {"model": below}


def _engine_config(service: ComposeService, config: str, told: _Told) -> dict[str, object]:
    host = service.host_path(config)
    if host is None:
        told.note(
            f"service {service.name}: {config} is inside the image; copy it to /etc/trtllm/engine"
        )
    file = basename(host or config)
    if host and told.engine.setdefault(file, host) != host:
        file = f"{service.name}-{file}"
        told.engine[file] = host
    return {"engine_config": file}


def _others(words: Sequence[str], model: str, contract: Contract) -> Iterator[str]:
    """Every argument that the installer does not set itself, in its order."""
    rest = list(words)
    while rest:
        word = rest.pop(0)
        name, equals, _ = word.partition("=")
        option = contract.command.find_option(name) if word.startswith("-") else None
        takes = [rest.pop(0)] if option and not option.flag and not equals and rest else []
        ours = option and _OURS.intersection(n.lstrip("-") for n in option.names)
        if not ours and word not in {model, "serve"}:
            yield word
            yield from takes


def _gpus(service: ComposeService) -> list[str]:
    if service.gpus is not None:
        return list(service.gpus)
    return [str(i) for i in range(service.gpu_count or 0)]


def _serve_words(service: ComposeService) -> tuple[str, ...] | None:
    """What follows ``trtllm-serve`` in a service's command, None if it runs something else."""
    for i, word in enumerate(service.command):
        if basename(word) == _PROGRAM:
            return service.command[i + 1 :]
    return None


def _in_start_order(engines: Sequence[ComposeService]) -> Iterator[ComposeService]:
    """Predecessors first: an instance of ours can only wait for one that stands above it."""
    left, known = list(engines), {s.name for s in engines}
    done: set[str] = set()
    while left:
        free = [s for s in left if all(a in done or a not in known for a in s.after)]
        chosen = free[0] if free else replace(left[0], after=())  # a circle: compose refuses it too
        left = [s for s in left if s.name != chosen.name]
        done.add(chosen.name)
        yield chosen


def _short_names(profile: str, engines: Sequence[ComposeService]) -> dict[str, str]:
    """``trtllm-multi-qwen`` of profile ``multi`` is ``qwen`` here; else the name as it is."""
    short: dict[str, str] = {}
    for service in engines:
        name = service.name.lower().replace("_", "-").removeprefix("trtllm-")
        trimmed = name.removeprefix(f"{profile}-")
        fits = trimmed[:1].isalpha() and trimmed not in short.values() and trimmed != "proxy"
        short[service.name] = trimmed if fits else f"engine-{name}"[:31]
    return short


def _take_address(service: ComposeService, told: _Told) -> None:
    address = service.published[0].address
    if address in _LOOPBACK:
        return
    told.listen = address or "0.0.0.0"  # noqa: S104 (what the compose file says)
    told.note(
        f"service {service.name} listened on {told.listen}: so will this host; "
        "listen: 127.0.0.1 in site.yaml keeps it to itself"
    )


def _note_versions(engines: Sequence[ComposeService], contract: Contract, told: _Told) -> None:
    for image in dict.fromkeys(s.image for s in engines if ":" in basename(s.image)):
        version = image.rpartition(":")[2]
        if version != contract.version:
            told.note(
                f"the image holds TensorRT-LLM {version}; this tool is made for "
                f"{contract.version}. To keep {version}: trtllm-install engine add {version}"
            )


def _site(told: _Told, default_weights: str) -> str:
    site: dict[str, object] = {}
    if told.weights.startswith("~") and told.weights != default_weights:
        told.note(f"weights_dir in site.yaml must be absolute: write what {told.weights} is")
    elif told.weights and told.weights != default_weights:
        site["weights_dir"] = told.weights
    if told.listen:
        site["listen"] = told.listen
    if told.site_instances:
        site["instances"] = told.site_instances
    return yaml.safe_dump(site, sort_keys=False) if site else ""
