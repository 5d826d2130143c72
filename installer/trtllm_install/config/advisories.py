"""The file of advisories: its shape, and the values that judging needs of it."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from trtllm_install.config.document import parse_document
from trtllm_install.config.reading import parse_shape
from trtllm_install.model.advisories import Advisory, Setting, When
from trtllm_install.model.versions import problem_in_condition


def _condition(text: str) -> str:
    if problem := problem_in_condition(text):
        raise ValueError(problem)
    return text


Condition = Annotated[str, AfterValidator(_condition)]
Capability = Annotated[str, Field(pattern=r"^\d{1,2}\.\d$")]
Sentence = Annotated[str, Field(min_length=1, pattern=r"^[^\x00-\x1f\x7f]*[^\x00-\x1f\x7f. ]$")]
Source = Annotated[str, Field(pattern=r"^https://\S+$")]
Key = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*$")]
Word = Annotated[str, Field(min_length=1)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SettingShape(_Strict):
    """A condition on one key of the engine's YAML; exactly one of the last three."""

    key: Key = Field(description="dots lead into mappings: kv_cache_config.host_cache_size")
    default: Any = Field(default=None, description="value of a key that is absent")
    equals: Any = None
    differs: Any = None
    above: float | None = None

    @model_validator(mode="after")
    def _one(self) -> "SettingShape":
        said = self.model_fields_set & {"equals", "differs", "above"}
        if len(said) != 1:
            raise ValueError("have exactly one of equals, differs, above")
        return self


class WhenShape(_Strict):
    """What has to be so: every part that is given, and of each any one value."""

    engine: list[Condition] = Field(default=[], description="versions of TensorRT-LLM")
    driver: list[Condition] = Field(default=[], description="versions of the NVIDIA driver")
    toolkit: list[Condition] = Field(default=[], description="versions of the CUDA toolkit")
    nginx: list[Condition] = []
    openresty: list[Condition] = []
    capability: list[Capability] = Field(default=[], description="compute capability of a GPU")
    profile: list[Word] = []
    model_type: list[Word] = Field(default=[], description="as in config.json")
    quantization: list[Word] = Field(default=[], description="as the checkpoint states it")
    backend: list[Word] = []
    settings: list[SettingShape] = Field(default=[], description="every one of them")


class AdvisoryShape(_Strict):
    """Something that is known to go wrong."""

    id: Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)+$")]
    about: Literal["instance", "host", "proxy"]
    severity: Literal["error", "warning", "info"]
    when: WhenShape
    what: Sentence = Field(description="what happens, a phrase without a full stop")
    expected: str = Field(default="", description="version or setting without it")
    remedy: str = Field(default="", description="command or sentence; not needed beside change")
    sources: list[Source] = Field(min_length=1)
    change: dict[Word, Any] = Field(default={}, description="keys of the engine's YAML to set")

    @model_validator(mode="after")
    def _whole(self) -> "AdvisoryShape":
        if self.when == WhenShape():
            raise ValueError("have a condition under when: one without would always apply")
        if self.severity != "info" and not (self.remedy or self.change):
            raise ValueError("have a remedy or a change")
        if self.change and self.about != "instance":
            raise ValueError("have a change only where it is about an instance")
        if self.about == "proxy" and not (self.when.nginx or self.when.openresty):
            raise ValueError("name versions of nginx or openresty: it is about the proxy")
        if self.about != "proxy" and (self.when.nginx or self.when.openresty):
            raise ValueError("be about the proxy: it names versions of nginx or openresty")
        return self


class AdvisoriesShape(_Strict):
    """Everything that is known to go wrong, in the order in which it is told."""

    advisories: list[AdvisoryShape]

    @model_validator(mode="after")
    def _unique(self) -> "AdvisoriesShape":
        ids = [advisory.id for advisory in self.advisories]
        if twice := sorted({i for i in ids if ids.count(i) > 1}):
            raise ValueError(f"have each id once: {', '.join(twice)}")
        return self


def parse_advisories(text: str, source: str) -> tuple[Advisory, ...]:
    """Return the advisories of a file; raises ConfigError that lists every problem."""
    shape = parse_shape(parse_document(text, source), AdvisoriesShape)
    return tuple(_advisory(entry) for entry in shape.advisories)


def _advisory(entry: AdvisoryShape) -> Advisory:
    when = {
        name: tuple(getattr(entry.when, name))
        for name in WhenShape.model_fields
        if name != "settings"
    }
    settings = tuple(Setting(**setting.model_dump()) for setting in entry.when.settings)
    return Advisory(
        id=entry.id,
        about=entry.about,
        severity=entry.severity,
        when=When(**when, settings=settings),
        what=entry.what,
        expected=entry.expected,
        remedy=entry.remedy,
        sources=tuple(entry.sources),
        change=dict(entry.change),
    )
