"""Engines as text for people and as values for JSON."""

from collections.abc import Iterator, Sequence

from trtllm_install.cli.present import size_words
from trtllm_install.model.engine import Engine


def engine_lines(engines: Sequence[Engine], generation: int | None) -> Iterator[str]:
    """Yield a line for each engine, the current one marked, and its notes."""
    if not engines:
        yield "no engine is here: sudo trtllm-install engine add VERSION"
    width = max((len(engine.version) for engine in engines), default=0)
    for engine in engines:
        mark = "*" if engine.current else " "
        yield f"{mark} {engine.version:<{width}}  {'  '.join(_facts(engine, generation))}"
        for note in engine.notes:
            yield f"    note: {note}"


def _facts(engine: Engine, generation: int | None) -> Iterator[str]:
    yield engine.origin if engine.usable else f"{engine.origin}, not usable"
    yield engine.home
    if engine.size is not None:
        yield size_words(engine.size)
    if engine.python:
        yield f"Python {engine.python}"
    if engine.torch:
        yield f"torch {engine.torch}"
    if engine.checked:
        yield f"checked {engine.checked}"
    if engine.current:
        yield f"in use by generation {generation}" if generation else "in use"


def engine_values(engines: Sequence[Engine], generation: int | None) -> list[dict[str, object]]:
    """Return engines for JSON."""
    return [
        {
            "version": engine.version,
            "path": engine.path,
            "home": engine.home,
            "origin": engine.origin,
            "usable": engine.usable,
            "current": engine.current,
            "generation": generation if engine.current else None,
            "size": engine.size,
            "python": engine.python or None,
            "torch": engine.torch or None,
            "checked": engine.checked or None,
            "notes": list(engine.notes),
        }
        for engine in engines
    ]
