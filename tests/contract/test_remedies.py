"""Every remedy is a command, or a sentence that says what to do.

The code is read for what it could say, so that a finding which no test shows is held to it too.
"""

import ast
import json
import re
from collections.abc import Iterator

import pytest

from lab import checkout
from nvml.golden_answers import GOLDEN
from trtllm_install.app.observe import shipped_advisories
from trtllm_install.model.catalogue import CATALOGUE
from trtllm_install.model.xids import XIDS

JUDGES = sorted((checkout.ROOT / "installer/trtllm_install/judge").glob("*.py"))
# With what a remedy may begin. A new word here is a word that a tired operator can act on.
COMMANDS = {
    *("sudo", "trtllm-install", "nvidia-smi", "hf", "df", "ls", "ps", "ldconfig", "mpirun"),
    *("systemctl", "ip", "pip", "--init", "--accept", "sudoedit", "rm", "curl", "cat"),
}
VERBS = {
    *("add", "bring", "check", "give", "have", "install", "keep", "lower", "make", "mend"),
    *("mount", "move", "name", "remove", "run", "serve", "set", "shut", "start", "stop"),
    *("change", "put", "reach", "read", "take", "update", "use", "wait", "write"),
}


class Remedy(ast.NodeVisitor):
    """Collects calls of ``found`` with their codes and what their remedies may begin with."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, list[str] | None, int]] = []

    def visit_Call(self, node: ast.Call) -> None:
        if isinstance(node.func, ast.Name) and node.func.id == "found" and node.args:
            given = {word.arg: word.value for word in node.keywords}
            heads = list(beginnings(given["remedy"])) if "remedy" in given else None
            for code in codes(node.args[0]):
                self.calls.append((code, heads, node.lineno))
        self.generic_visit(node)


def codes(node: ast.expr) -> Iterator[str]:
    """The codes that an expression names itself; one that is looked up is left to its table."""
    for part in ast.walk(node):
        if isinstance(part, ast.Constant) and part.value in CATALOGUE:
            yield str(part.value)


def beginnings(node: ast.expr) -> Iterator[str]:
    """The texts with which an expression can begin, as far as it says them itself."""
    if isinstance(node, ast.Constant):
        yield str(node.value)
    elif isinstance(node, ast.JoinedStr):
        yield from beginnings(node.values[0])
    elif isinstance(node, ast.IfExp):
        yield from beginnings(node.body)
        yield from beginnings(node.orelse)
    elif isinstance(node, ast.BinOp):
        yield from beginnings(node.left)


def calls() -> list[tuple[str, str, list[str] | None]]:
    found = []
    for path in JUDGES:
        reader = Remedy()
        reader.visit(ast.parse(path.read_text(encoding="utf-8")))
        found += [(f"{path.name}:{line} {code}", code, heads) for code, heads, line in reader.calls]
    return found


def demand(remedy: str) -> None:
    assert remedy == remedy.strip()
    assert not remedy.endswith("."), remedy
    assert "\n" not in remedy
    first = re.split(r"[ ;,]", remedy)[0]
    assert not re.match(r"trtllm-install (install|engine (add|use|remove)|start|stop)", remedy)
    assert first in COMMANDS | VERBS, f"begins with {first!r}: {remedy}"


@pytest.mark.parametrize(("where", "code", "heads"), calls(), ids=lambda value: str(value)[:60])
def test_each_finding_says_what_to_do(where: str, code: str, heads: list[str] | None) -> None:
    if CATALOGUE[code].severity != "info":
        assert heads is not None, f"{where} has no remedy"
    for head in heads or ():
        if head.strip():
            demand(head.strip(" ;,."))


def test_every_code_of_the_catalogue_is_found_somewhere() -> None:
    """Also those that are looked up in a table: their names stand in a module of judge/."""
    text = "".join(path.read_text(encoding="utf-8") for path in JUDGES)
    text += (JUDGES[0].parents[1] / "model/advisories.py").read_text(encoding="utf-8")
    assert [code for code in CATALOGUE if f'"{code}"' not in text] == []


def test_described_hosts_are_told_what_to_do() -> None:
    for path in sorted(GOLDEN.glob("*.json")):
        for finding in json.loads(path.read_text(encoding="utf-8"))["findings"]:
            if finding["severity"] != "info" or finding["remedy"]:
                demand(finding["remedy"])


def test_advisories_and_errors_of_the_driver_say_what_to_do() -> None:
    for advisory in shipped_advisories():
        if advisory.remedy:
            demand(advisory.remedy)
    for meaning in XIDS.values():
        if meaning.weight == "fault":
            demand(meaning.remedy)


def test_remedies_name_no_file_that_is_not_ours_to_name() -> None:
    """A path of this repository means nothing on a host that has a wheel."""
    for path in JUDGES:
        assert "docs/" not in path.read_text(encoding="utf-8"), path
