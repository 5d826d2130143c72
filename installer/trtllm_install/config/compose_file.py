"""A ``docker compose`` file as plain values: what each service runs, mounts and publishes."""

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from posixpath import join, normpath

import yaml

from trtllm_install.model.errors import ConfigError

# ${NAME}, ${NAME:-default}, ${NAME-default}, $NAME and $$ (docs.docker.com, "Interpolation").
_VARIABLE = re.compile(
    r"\$(?:(?P<escaped>\$)|(?P<bare>[A-Za-z_]\w*)"
    r"|\{(?P<name>[A-Za-z_]\w*)(?:(?P<how>:?[-?+])(?P<word>[^}]*))?\})"
)
_SHELLS = frozenset({"sh", "bash", "/bin/sh", "/bin/bash"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A port of a service on the host."""

    address: str  # empty: every address
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ComposeService:
    """One service, with the values that decide how a model is served."""

    name: str
    profiles: tuple[str, ...]  # empty: in every profile
    image: str
    command: tuple[str, ...]
    volumes: tuple[tuple[str, str], ...]  # host path, path in the container
    published: tuple[Published, ...]
    after: tuple[str, ...]
    gpus: tuple[str, ...] | None  # None: as many as ``gpu_count`` says
    gpu_count: int | None  # None: all of them
    environment: Mapping[str, str]

    def host_path(self, inside: str) -> str | None:
        """Return where a path of the container lies on the host, None if it is in the image."""
        for host, container in sorted(self.volumes, key=lambda v: -len(v[1])):
            if inside == container or inside.startswith(container.rstrip("/") + "/"):
                return normpath(join(host, inside[len(container) :].lstrip("/")))
        return None


def parse_compose(
    text: str, source: str, *, folder: str, home: str, variables: Mapping[str, str]
) -> tuple[ComposeService, ...]:
    """Return the services of a compose file, in its order.

    ``folder`` is what relative paths are relative to, ``home`` what ``~`` means, and
    ``variables`` are those of its ``.env``. Raises ConfigError for text that is no
    compose file.
    """
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{source}:{mark.line + 1}" if mark else source
        problem = getattr(error, "problem", None) or "not YAML"
        raise ConfigError(f"cannot read {where}: {problem}", hint=f"check {source}") from error
    services = _mapping(_mapping(document).get("services"))
    if not services:
        raise ConfigError(
            f"cannot read {source}: it has no services",
            hint="name the compose.yml that serves the models",
        )
    reader = _Reader(folder=folder, home=home, variables=variables)
    return tuple(_read(reader, source, str(name), raw) for name, raw in services.items())


def _read(reader: "_Reader", source: str, name: str, raw: object) -> ComposeService:
    try:
        return reader.service(name, _mapping(raw))
    except ValueError as error:  # of shlex
        raise ConfigError(
            f"cannot read {source}: service {name}: {str(error).lower()} in its command",
            hint=f"docker compose --file {source} config says what compose makes of it",
        ) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reader:
    folder: str
    home: str
    variables: Mapping[str, str]

    def service(self, name: str, raw: Mapping[object, object]) -> ComposeService:
        """Read one service; what it does not have is empty."""
        gpus, count = self._gpus(raw)
        return ComposeService(
            name=name,
            profiles=tuple(self._text(p) for p in _list(raw.get("profiles"))),
            image=self._text(raw.get("image")),
            command=(*self._words(raw.get("entrypoint")), *self._words(raw.get("command"))),
            volumes=tuple(self._volumes(raw)),
            published=tuple(self._published(raw)),
            after=tuple(str(n) for n in _keys_or_items(raw.get("depends_on"))),
            gpus=gpus,
            gpu_count=count,
            environment=self._environment(raw.get("environment")),
        )

    def _text(self, value: object) -> str:
        if value is None:
            return ""
        if isinstance(value, bool):
            return str(value).lower()
        return _VARIABLE.sub(self._value_of, str(value))

    def _value_of(self, found: re.Match[str]) -> str:
        if found["escaped"]:
            return "$"
        value = self.variables.get(found["name"] or found["bare"])
        how, word = found["how"] or "", found["word"] or ""
        if how.endswith("+"):
            return word if value else ""
        if value is None or (not value and how.startswith(":")):
            return word if how.endswith("-") else ""
        return value

    def _words(self, value: object) -> tuple[str, ...]:
        words = (
            tuple(self._text(w) for w in value)
            if isinstance(value, list)
            else tuple(shlex.split(self._text(value)))
        )
        if len(words) > 2 and words[0] in _SHELLS and words[1] in {"-c", "-lc"}:  # noqa: PLR2004
            return tuple(shlex.split(words[2], comments=True))
        return words

    def _volumes(self, raw: Mapping[object, object]) -> Iterator[tuple[str, str]]:
        for volume in _list(raw.get("volumes")):
            if isinstance(volume, Mapping):
                host, inside = self._text(volume.get("source")), self._text(volume.get("target"))
            else:
                host, _, rest = self._text(volume).partition(":")
                inside = rest.partition(":")[0]
            if inside and host.startswith(("/", ".", "~")):  # else a volume of docker's own
                yield self._on_host(host), normpath(inside)

    def _on_host(self, path: str) -> str:
        if path == "~" or path.startswith("~/"):
            return normpath(join(self.home, path[2:]))
        return normpath(join(self.folder, path))

    def _published(self, raw: Mapping[object, object]) -> Iterator[Published]:
        for entry in _list(raw.get("ports")):
            if isinstance(entry, Mapping):
                address, port = self._text(entry.get("host_ip")), self._text(entry.get("published"))
            else:
                text = self._text(entry).partition("/")[0]
                outside, colon, _ = text.rpartition(":")
                if not colon:
                    continue  # a port of the container alone gets any port of the host
                address, _, port = outside.rpartition(":")
            if port.isdecimal():
                yield Published(address=address.strip("[]"), port=int(port))

    def _gpus(self, raw: Mapping[object, object]) -> tuple[tuple[str, ...] | None, int | None]:
        environment = self._environment(raw.get("environment"))
        for name in ("CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES"):
            said = environment.get(name, "")
            if said and said not in {"all", "void", "none"}:
                return tuple(part.strip() for part in said.split(",")), None
        reserved = _mapping(
            _mapping(_mapping(raw.get("deploy")).get("resources")).get("reservations")
        )
        for device in (*_list(reserved.get("devices")), *_list(raw.get("gpus"))):
            values = _mapping(device)
            if ids := _list(values.get("device_ids")):
                return tuple(self._text(i) for i in ids), None
            if self._text(values.get("count")).isdecimal():
                return None, int(self._text(values.get("count")))
        return None, None

    def _environment(self, value: object) -> dict[str, str]:
        if isinstance(value, Mapping):
            return {str(k): self._text(v) for k, v in value.items()}
        pairs = (self._text(item).partition("=") for item in _list(value))
        return {name: text for name, _, text in pairs}


def _mapping(value: object) -> Mapping[object, object]:
    return value if isinstance(value, Mapping) else {}


def _list(value: object) -> Sequence[object]:
    return value if isinstance(value, list) else []


def _keys_or_items(value: object) -> Sequence[object]:
    return list(value) if isinstance(value, Mapping) else _list(value)
