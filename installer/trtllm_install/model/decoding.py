"""Dataclasses from what JSON made of them."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from types import UnionType
from typing import Any, TypeVar, cast, get_args, get_origin

T = TypeVar("T")


def decode(kind: type[T], value: object) -> T:
    """Return the ``kind`` that ``dataclasses.asdict`` and JSON made ``value`` of.

    Raises KeyError or TypeError where they did not. Checks no value: for records under a
    checksum.
    """
    return cast("T", _decoded(kind, value))


def _decoded(kind: Any, value: Any) -> Any:  # noqa: ANN401 (whatever a field may be)
    if is_dataclass(kind):
        return kind(**{f.name: _decoded(f.type, value[f.name]) for f in fields(kind)})  # type: ignore[operator]
    origin, of = get_origin(kind), get_args(kind)
    if origin is tuple:
        return tuple(_decoded(of[0], item) for item in value)
    if origin is UnionType:
        return None if value is None else _decoded(of[0], value)
    return dict(value) if origin is Mapping else value
