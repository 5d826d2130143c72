"""The checkers of style, types and scripts, each as one test."""

import os
import subprocess

import pytest

from lab import checkout, needs


def assert_quiet(*argv: str, **environment: str) -> None:
    """Run a checker in the checkout; demand that it ends 0, show what it found."""
    ended = subprocess.run(
        [needs.program(argv[0]), *argv[1:]],
        cwd=checkout.ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, f"{' '.join(argv[:3])}:\n{ended.stdout}{ended.stderr}"


def test_python_is_clean() -> None:
    assert_quiet("ruff", "check", "--no-cache", ".")


def test_python_is_formatted() -> None:
    assert_quiet("ruff", "format", "--no-cache", "--check", ".")


@pytest.mark.timeout(300)
def test_types_hold() -> None:
    assert_quiet("mypy")


def test_floors_hold() -> None:
    assert_quiet("lint-imports", "--no-cache", PYTHONPATH="installer")


def test_nginx_configuration_has_no_known_hole() -> None:
    conf = "tests/golden/systemd/etc/trtllm/proxy/nginx.conf"
    skipped = (
        "try_files_is_evil_too",  # about speed: three small files, which are in memory
        "proxy_pass_normalized",  # the one path that is not a constant is letters and digits
    )
    assert_quiet("gixy", "--skips", ",".join(skipped), conf)


def test_shell_scripts_are_clean() -> None:
    scripts = [
        path
        for path in checkout.files()
        if path.suffix == ".sh" or path.read_bytes()[:64].splitlines()[:1] in SHEBANGS
    ]
    assert checkout.ROOT / "scripts/bootstrap.sh" in scripts
    assert_quiet("shellcheck", "--external-sources", *checkout.relative(scripts))


SHEBANGS = ([b"#!/bin/sh"], [b"#!/bin/bash"], [b"#!/usr/bin/env bash"])


def test_bootstrap_keeps_to_the_portable_shell() -> None:
    scripts = ("scripts/bootstrap.sh", "scripts/packages.sh", "scripts/test.sh")
    assert_quiet("shellcheck", "--external-sources", "--shell=sh", *scripts)
    for script in scripts:
        assert_quiet("sh", "-n", script)


def test_lua_is_clean() -> None:
    assert_quiet("luacheck", "--no-cache", "--no-color", "--quiet", *lua_files())


def lua_files() -> list[str]:
    found = checkout.relative(path for path in checkout.files() if path.suffix == ".lua")
    assert found
    return found


def test_yaml_is_clean() -> None:
    found = [path for path in checkout.files() if path.suffix in {".yaml", ".yml"}]
    assert_quiet("yamllint", "--strict", ".yamllint", *checkout.relative(found))
