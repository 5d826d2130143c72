"""Runs every function of tests/lua/spec/*.lua in a real nginx worker."""

import re
from collections.abc import Iterator

import pytest

from lua import lua_runner

SPECS = [
    (path.stem, name)
    for path in sorted((lua_runner.HERE / "spec").glob("*.lua"))
    if path.stem != "runner"
    for name in re.findall(r'^    \["([^"]+)"\] = function', path.read_text(), re.MULTILINE)
]


@pytest.fixture(scope="module", name="runner")
def start_runner() -> Iterator[lua_runner.Runner]:
    with lua_runner.running() as runner:
        yield runner


@pytest.mark.parametrize(("spec", "name"), SPECS)
def test_spec(runner: lua_runner.Runner, spec: str, name: str) -> None:
    assert runner.run(spec, name) == "ok"
