"""YAML text to plain values that still know their line."""

from collections.abc import Hashable
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeAlias

import yaml

from trtllm_install.model.problems import Problem

Path: TypeAlias = tuple[str | int, ...]
# The same grammar ten times as fast, where PyYAML was built with libyaml.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A parsed file: its value, the line of every path, and what was wrong with the text."""

    source: str
    value: object
    lines: dict[Path, int]
    problems: tuple[Problem, ...]

    def problem(self, path: Path, message: str) -> Problem:
        """Return a problem at ``path``, or at its nearest parent that has a line."""
        known = path
        while known and known not in self.lines:
            known = known[:-1]
        dotted = ".".join(str(part) for part in path)
        return Problem(
            source=self.source, line=self.lines.get(known, 0), path=dotted, message=message
        )


def parse_document(text: str, source: str) -> Document:
    """Parse one YAML document; malformed text and repeated keys become problems, never raise."""
    try:
        node = _compose(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = Problem(
            source=source,
            line=mark.line + 1 if mark else 0,
            path="",
            message=f"cannot parse YAML: {error.problem or error.context}",
        )
        return Document(source=source, value=None, lines={}, problems=(problem,))
    except yaml.YAMLError as error:  # a character that YAML does not allow has no mark
        problem = Problem(source=source, line=0, path="", message=f"cannot parse YAML: {error}")
        return Document(source=source, value=None, lines={}, problems=(problem,))
    if node is None:
        return Document(source=source, value=None, lines={}, problems=())
    return _Reader(source).read(node)


def _compose(text: str) -> yaml.Node | None:
    """Parse with libyaml; what it refuses is told by PyYAML, whose marks are exact at the end."""
    with suppress(yaml.YAMLError):
        node: yaml.Node | None = yaml.compose(text, Loader=_LOADER)
        return node
    return yaml.compose(text, Loader=yaml.SafeLoader)


class _Reader:
    """Walks the node tree once, noting lines and repeated keys."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._lines: dict[Path, int] = {}
        self._problems: list[Problem] = []
        self._constructor = yaml.constructor.SafeConstructor()

    def read(self, node: yaml.Node) -> Document:
        value = self._value(node, ())
        return Document(
            source=self._source,
            value=value,
            lines=self._lines,
            problems=tuple(self._problems),
        )

    def _value(self, node: yaml.Node, path: Path) -> object:
        self._lines.setdefault(path, node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self._value(item, (*path, i)) for i, item in enumerate(node.value)]
        try:
            value: object = self._constructor.construct_object(node, deep=True)
        except (yaml.YAMLError, ValueError) as error:
            self._note(path, node, f"cannot read value: {getattr(error, 'problem', error)}")
            return None
        return value

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, object]:
        result: dict[str, object] = {}
        for key_node, value_node in node.value:
            key = self._value(key_node, (*path, "<key>"))
            if not isinstance(key, Hashable) or not isinstance(key, str):
                self._note(path, key_node, f"keys must be text: {key!r}")
                continue
            inner = (*path, key)
            if key in result:
                self._note(inner, key_node, f"given twice, first on line {self._lines[inner]}")
            self._lines[inner] = key_node.start_mark.line + 1
            result[key] = self._value(value_node, inner)
        return result

    def _note(self, path: Path, node: yaml.Node, message: str) -> None:
        self._problems.append(
            Problem(
                source=self._source,
                line=node.start_mark.line + 1,
                path=".".join(str(part) for part in path),
                message=message,
            )
        )
