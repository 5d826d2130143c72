"""A document against its shape: every problem at once, each with path, line and nearest key."""

from typing import TypeVar

from pydantic import BaseModel, ValidationError

from trtllm_install.config.document import Document, Path
from trtllm_install.config.nearest import nearest
from trtllm_install.config.refusal import refused
from trtllm_install.config.schemas import FORMS
from trtllm_install.model.problems import Problem

Shape = TypeVar("Shape", bound=BaseModel)


def parse_shape(document: Document, shape: type[Shape]) -> Shape:
    """Return the document as ``shape``; raises ConfigError that lists every problem."""
    problems = list(document.problems)
    value = {} if document.value is None and not problems else document.value
    parsed: Shape | None = None
    if not (problems and value is None):  # text that is no YAML has nothing more to say
        try:
            parsed = shape.model_validate(value)
        except ValidationError as error:
            problems.extend(_retold(document, shape, error))
    if problems or parsed is None:
        raise refused(problems)
    return parsed


def _retold(document: Document, shape: type[BaseModel], error: ValidationError) -> list[Problem]:
    """Pydantic's findings in our grammar."""
    problems = []
    for item in error.errors(include_url=False, include_input=True):
        path: Path = tuple(part for part in item["loc"] if part != "[key]")
        match item["type"]:
            case "extra_forbidden":
                known = _keys_at(shape, path[:-1])
                message = f"unknown key; {nearest(str(path[-1]), known)}"
            case "missing":
                message = "missing"
            case "model_type" | "dict_type":
                message = "must be a mapping of keys to values"
            case "string_pattern_mismatch":
                pattern = str(item["ctx"]["pattern"])
                words = f"must be {FORMS[pattern]}" if pattern in FORMS else f"must match {pattern}"
                message = f"{words}: {item['input']!r}"
            case _:
                # "List should have at least 1 item after validation, not 0"
                said = str(item["msg"]).removeprefix("Value error, ")
                text = said.partition(" should ")[2].replace(" after validation", "") or said
                message = f"must {text}: {item['input']!r}"
        problems.append(document.problem(path, message))
    return problems


def _keys_at(shape: type[BaseModel], path: Path) -> list[str]:
    """The keys that the shape knows at ``path``."""
    current: type[BaseModel] = shape
    for part in path:
        field = current.model_fields.get(str(part))
        inner = _model_in(field.annotation) if field else None
        current = inner or current
    return list(current.model_fields)


def _model_in(annotation: object) -> type[BaseModel] | None:
    """The model class inside list[Model], dict[str, Model], Model | None."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for part in getattr(annotation, "__args__", ()):
        if found := _model_in(part):
            return found
    return None


__all__ = ["nearest", "parse_shape", "refused"]
