"""The shapes of a profile and of the site file; their JSON Schemas are shipped."""

from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

_NAME = r"^[a-z][a-z0-9-]{0,30}$"
_FILE = r"^[A-Za-z0-9][A-Za-z0-9._-]*\.ya?ml$"
_TEXT = r"^[^\x00-\x1f\x7f]+$"
_ABSOLUTE = r"^/[^\x00-\x1f\x7f]*$"
_GPU = r"^(\d+|(GPU|MIG)-[0-9a-f-]+)$"
_URL = r"^https?://(\d+(\.\d+){3}|\[[0-9a-fA-F:.]+\]):\d{1,5}/?$"
_LABEL = "[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOST_NAME = rf"^({_LABEL}\.)*[A-Za-z]([A-Za-z0-9-]{{0,61}}[A-Za-z0-9])?$"
# What people are told that a form is.
FORMS: Final = {
    _NAME: "small letters, digits and hyphens, a letter first, 31 at most",
    _FILE: "the name of a YAML file, without a folder",
    _TEXT: "one line of text",
    _ABSOLUTE: "an absolute path",
    _GPU: "a number, or what begins with GPU- or MIG- in nvidia-smi -L",
    _URL: "http://ADDRESS:PORT or https://ADDRESS:PORT, by IP address",
    _HOST_NAME: "a host name as a certificate has it, and no IP address",
}
Name = Annotated[str, Field(pattern=_NAME)]
Port = Annotated[int, Field(ge=1, le=65535, strict=True)]
FileName = Annotated[str, Field(pattern=_FILE)]
Fraction = Annotated[float, Field(gt=0, lt=1)]
Positive = Annotated[int, Field(ge=1, strict=True)]
Text = Annotated[str, Field(min_length=1, pattern=_TEXT)]
AbsolutePath = Annotated[str, Field(pattern=_ABSOLUTE)]
# YAML reads 0 as a number, and that is how people write it: editors must not mind.
Gpu = Annotated[
    str,
    Field(pattern=_GPU),
    WithJsonSchema(
        {"anyOf": [{"type": "string", "pattern": _GPU}, {"type": "integer", "minimum": 0}]}
    ),
]
Url = Annotated[Text, Field(pattern=_URL)]
HostName = Annotated[str, Field(pattern=_HOST_NAME, max_length=253)]
Argument = Annotated[Text, WithJsonSchema({"type": ["string", "number"]})]


class _Strict(BaseModel):
    """An unknown key is a mistake, not a wish."""

    # Built when a file is read: a host without a site file does without its shape.
    model_config = ConfigDict(extra="forbid", coerce_numbers_to_str=True, defer_build=True)


class InstanceShape(_Strict):
    """One ``trtllm-serve`` process of a profile."""

    name: Name = Field(description="short name; its unit is trtllm-<name>.service")
    model: Text = Field(description='id that clients send, e.g. "nvidia/Qwen3-30B-A3B-FP4"')
    folder: Text | None = Field(
        default=None, description="folder of the checkpoint under weights_dir; default: the model"
    )
    port: Port
    backend: Text = Field(default="pytorch", description="trtllm-serve --backend")
    engine_config: FileName | None = Field(
        default=None, description="YAML file in /etc/trtllm/engine, passed as --config"
    )
    arguments: list[Argument] = Field(default=[], description="further trtllm-serve arguments")
    gpus: list[Gpu] = Field(default=[], description="indices or UUIDs; empty: every GPU")
    after: list[Name] = Field(default=[], description="instances that must be healthy first")
    after_failed: Literal["continue", "hold"] = Field(
        default="continue", description="when one of `after` has failed for good"
    )
    after_limit_s: Positive | None = Field(
        default=None,
        description="longest wait for `after` while none of it loads, s; default: for ever",
    )
    route: list[Text] = Field(
        default=[], description="parts of a request's model that select this instance"
    )
    aliases: list[Text] = Field(default=[], description="further exact model names")
    in_flight: Positive | None = Field(default=None, description="requests at once")


class LimitsShape(_Strict):
    """How many requests at once, and what becomes of the others."""

    in_flight: Positive | None = Field(
        default=None, description="requests that each server may have at once; none: any number"
    )
    queue: Annotated[int, Field(ge=0, strict=True)] | None = Field(
        default=None, description="requests that may wait for each model"
    )
    wait_s: Positive | None = Field(default=None, description="how long one waits, s")


class ProxyShape(_Strict):
    """The one port in front of several instances."""

    port: Port = 8000
    first_byte_s: Positive = Field(default=1800, description="longest silence of an engine, s")
    between_chunks_s: Positive | None = Field(
        default=None, description="longest silence within an answer, s; default: first_byte_s"
    )
    body_limit_mib: Positive = Field(default=64, description="largest request body, MiB")
    limits: LimitsShape = LimitsShape.model_construct()


class ProfileShape(_Strict):
    """A named set of instances."""

    description: Text
    instances: list[InstanceShape] = Field(
        default=[],
        min_length=1,
        description="left out: only a proxy, in front of the peers of the site file",
    )
    proxy: ProxyShape | None = None


class SiteInstanceShape(_Strict):
    """What this host changes in one instance."""

    port: Port | None = None
    gpus: list[Gpu] | None = None
    weights: Text | None = Field(default=None, description="absolute folder of the checkpoint")
    arguments: list[Argument] | None = Field(default=None, description="replaces the profile's")
    free_gpu_memory_fraction: Fraction | None = None
    max_batch_size: Positive | None = None
    max_seq_len: Positive | None = None
    in_flight: Positive | None = None
    engine: dict[Text, Any] = Field(
        default={}, description="further keys of the engine's YAML; mappings are merged"
    )

    def engine_overrides(self) -> dict[str, object]:
        """Return the engine YAML keys that this host changes."""
        overrides: dict[str, object] = {
            key: value
            for key in ("max_batch_size", "max_seq_len")
            if (value := getattr(self, key)) is not None
        }
        if self.free_gpu_memory_fraction is not None:
            overrides["kv_cache_config"] = {
                "free_gpu_memory_fraction": self.free_gpu_memory_fraction
            }
        for key, value in self.engine.items():
            inner = overrides.get(key)
            if isinstance(inner, dict) and isinstance(value, dict):
                overrides[key] = {**inner, **value}
            else:
                overrides[key] = value
        return overrides


class TlsShape(_Strict):
    """The certificate that the proxy shows beyond this host."""

    certificate: AbsolutePath = Field(description="PEM file, the chain behind the certificate")
    key: AbsolutePath = Field(description="PEM file, readable by user trtllm and not by others")


class SiteProxyShape(_Strict):
    """What this host changes in the proxy."""

    first_byte_s: Positive | None = None
    between_chunks_s: Positive | None = None
    body_limit_mib: Positive | None = None
    workers: int = Field(
        default=2, ge=1, le=64, strict=True, description="processes that share its work"
    )
    access_log: bool = Field(default=False, description="write a line for each request")
    engine_metrics: bool = Field(
        default=False,
        description="pass on the engines' own metrics; return_perf_metrics makes them",
    )
    limits: LimitsShape = LimitsShape.model_construct()
    page: bool = Field(default=True, description="serve the web page at /")
    tls: TlsShape | None = Field(default=None, description="HTTPS beyond loopback")
    peer_authority: AbsolutePath | None = Field(
        default=None,
        description="PEM file of who vouches for the peers' certificates; default: the system's",
    )


class PeerShape(_Strict):
    """A server elsewhere that serves models too: a proxy like ours, or an engine."""

    name: Name = Field(description="what it is drained by")
    url: Url = Field(description="http://ADDRESS:PORT or https://ADDRESS:PORT, an IP address")
    tls_name: HostName | None = Field(
        default=None, description="name that its certificate has to have; with https, and only then"
    )
    models: list[Text] = Field(min_length=1, description="ids that it serves")
    in_flight: Positive | None = Field(default=None, description="requests at once, each model")


class SiteShape(_Strict):
    """What this host changes in a profile."""

    profile: Name | None = Field(default=None, description="used where --profile is not given")
    weights_dir: AbsolutePath | None = None
    listen: Text | None = Field(default=None, description="address of the public port")
    port: Port | None = Field(default=None, description="the public port")
    instances: dict[Name, SiteInstanceShape] = {}
    proxy: SiteProxyShape = SiteProxyShape.model_construct()
    peers: list[PeerShape] = Field(default=[], description="servers elsewhere, behind the proxy")


def json_schema(shape: type[BaseModel], title: str) -> dict[str, Any]:
    """Return the JSON Schema that editors use for a file of this shape."""
    schema = shape.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": title}
