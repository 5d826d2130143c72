"""A host for the modules of the collection, whose tool answers as the real command line did."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.testing import patch_module_args

from fakes.command_line import CommandLine
from lab import collection

SCRIPT = """#!/bin/sh
[ "$1" != --version ] || { cat "%(here)s/version"; exit 0; }
echo "$@" >>"%(here)s/asked"
verb=$1
case $1 in engine | keys | tls) verb="$1 $2" ;; esac
[ "$2" != set ] || cat >"%(here)s/given"
case " $* " in *" --list "*) verb="$verb --list" ;; esac
cat "%(here)s/$verb"
"""


@dataclass(slots=True)
class Controlled:
    """A host with a tool that answers what the real one answered on a fake host."""

    home: Path
    folder: Path
    line: CommandLine
    capsys: pytest.CaptureFixture[str]
    asked: list[str] = field(default_factory=list)
    warned: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Put the tool there, and hear what would be shown to the operator."""
        warn = lambda _, text: self.warned.append(text)  # noqa: E731 (a method for one object)
        self.line.monkeypatch.setattr(AnsibleModule, "warn", warn)
        self.version("0.1.0")
        tool = self.folder / "trtllm-install"
        tool.write_text(SCRIPT % {"here": self.folder}, encoding="utf-8")
        tool.chmod(0o755)

    def version(self, text: str) -> None:
        (self.folder / "version").write_text(f"trtllm-install {text}\n", encoding="utf-8")

    def answers(self, *argv: str, verb: str = "") -> dict[str, Any]:
        """Let the tool answer a verb with what the real command line says to ``argv``."""
        ran = self.line.run(*argv, "--output", "json")
        name = verb or argv[0]
        (self.folder / name).write_text(ran.out, encoding="utf-8")
        return ran.document

    def run(
        self, module: str, parameters: Mapping[str, object], *, check: bool = False
    ) -> dict[str, Any]:
        """Run a module as Ansible does and return its result."""
        loaded = collection.load(self.home, f"modules.{module}")
        arguments = {"executable": str(self.folder / "trtllm-install"), **parameters}
        self.capsys.readouterr()
        wrapped = {**arguments, "_ansible_check_mode": check, "_ansible_diff": True}
        self.warned.clear()
        with patch_module_args(wrapped), pytest.raises(SystemExit):
            loaded.main()
        asked = self.folder / "asked"
        self.asked = asked.read_text(encoding="utf-8").splitlines() if asked.exists() else []
        result: dict[str, Any] = json.loads(self.capsys.readouterr().out)
        return result
