"""Every command that a document shows exists: verbs, options, paths, units, addresses, files.

Most of them are run as well (test_documents*.py); this is for those that cannot be, and for
those within a line, of which nobody makes a story.
"""

import ast
import configparser
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from functools import cache
from io import StringIO
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from lab import checkout, documents, needs, shell, stories
from lab.documents import Block
from trtllm_install import resources
from trtllm_install.cli.arguments import UsageError, parse_arguments
from trtllm_install.config.profile import parse_profile, parse_site
from trtllm_install.model import layout
from trtllm_install.model.catalogue import AREA_OF, CATALOGUE

GOLDEN: Final = checkout.ROOT / "tests/golden/systemd"
# Words that stand for something of the reader's own.
PLACEHOLDER: Final = re.compile(r"[A-Z][A-Z_.]*|\$\w+|\$@|0")
# What a document may ask for besides our own: ordinary programs, which are not ours to check.
ORDINARY: Final = {
    *("aa-complain", "alias", "apt-get", "apt-mark", "ausearch", "cat", "chgrp", "chmod", "cp"),
    *("dmesg", "docker", "dpkg", "echo", "exec", "exit", "grep", "hf", "install", "jq", "kill"),
    *("ls", "mkdir", "mmdebstrap", "modprobe", "mount", "nvidia-modprobe", "nvidia-smi", "pip"),
    *("printf", "promtool", "python3", "python3.11", "reboot", "restorecon", "sed", "set"),
    *("setenforce", "ssh", "sudoedit", "supervisord", "systemd-nspawn", "tar", "tctl", "tee"),
    *("test", "update-alternatives", "uv", "[", "0"),
}
BLOCKS: Final = [b for name in documents.names() for b in documents.blocks_of(name)]
SHELL: Final = [b for b in BLOCKS if b.kind == "sh" and b.document not in documents.TRANSLATIONS]


def show(block: object) -> str:
    return block.where if isinstance(block, Block) else str(block)


def is_ours(program: str) -> bool:
    return program.rpartition("/")[2] == "trtllm-install"


# what is run, and what is not -----------------------------------------------------------------


def test_every_block_says_what_it_is() -> None:
    kinds = {"sh", "text", "yaml", "json", "ini", "python", "dockerfile"}
    assert [b.where for b in BLOCKS if b.kind not in kinds] == []


def test_every_block_that_can_be_run_belongs_to_one_story() -> None:
    """A new document, or a block in one that nobody runs, fails here."""
    told = [name for story in stories.STORIES.values() for name in story]
    tests = {path.name for path in checkout.below("tests", suffix=".py")}
    assert set(stories.STORIES) <= tests
    assert sorted(told) == sorted(set(told))
    run = {b.document for b in BLOCKS if b.is_run}
    assert run == set(told), "tell it in lab/stories.py, or say above the block why not"


def test_each_reason_is_known_and_needed() -> None:
    marks = {b.mark for b in BLOCKS if b.kind == "sh" and b.mark}
    assert marks == set(documents.NOT_RUN)
    for name in (*documents.UNRUN_DOCUMENTS, *documents.TRANSLATIONS):
        assert [b for b in documents.blocks_of(name) if b.kind == "sh"], name


def test_translations_have_the_same_blocks() -> None:
    for translated, name in documents.TRANSLATIONS.items():
        theirs, ours = (
            [(b.kind, b.text, b.mark) for b in documents.blocks_of(n)] for n in (translated, name)
        )
        assert theirs == ours, translated


def test_no_command_hides_in_a_block_of_text() -> None:
    """Text is what is printed, or a picture; the synopses are compared with the parser."""
    ours = {"sudo", "trtllm-install", "curl", "systemctl", "ansible", "ansible-playbook", "tar"}
    for block in BLOCKS:
        if block.kind == "text" and block.document != "docs/reference/command-line.md":
            for line in block.text.splitlines():
                assert line.split(" ")[0] not in ours, f"{block.where}: {line}"


# the shell ------------------------------------------------------------------------------------


@pytest.mark.parametrize("block", SHELL, ids=show)
def test_block_is_what_a_shell_understands(block: Block) -> None:
    for name in ("sh", "bash"):
        ended = subprocess.run(
            [name, "-n"], input=block.text, capture_output=True, text=True, check=False
        )
        assert (ended.returncode, ended.stderr) == (0, ""), name


@pytest.mark.parametrize("block", SHELL, ids=show)
def test_every_command_of_a_block_exists(block: Block) -> None:
    commands = shell.commands_of(block.text)
    assert commands
    for words in commands:
        demand(shell.program_of(words), written=written_by(block.document))


def test_every_command_within_a_line_exists() -> None:
    wrong, asked = [], 0
    for name in documents.names():
        for code in documents.inline_of(name):
            text = code.text.replace("…", "").replace(" VERB ", " install ")
            first = shell.program_of(text.split())[:1]
            if not first or not (is_ours(first[0]) or first[0] in CHECKS):
                continue
            for words in shell.commands_of(text):
                asked += 1
                try:
                    demand(shell.program_of(words), written=None, whole=False)
                except (AssertionError, UsageError) as error:
                    wrong.append(f"{name}:{code.line}: {code.text}: {str(error)[:200]}")
    assert wrong == []
    assert asked > 100


def written_by(document: str) -> frozenset[str]:
    """Return the names of the profiles that a document has its reader write."""
    text = (checkout.ROOT / document).read_text(encoding="utf-8")
    return frozenset(re.findall(r"/etc/trtllm/profiles/([a-z-]+)\.yaml", text))


def demand(words: list[str], *, written: frozenset[str] | None, whole: bool = True) -> None:
    """Fail unless a command is one that its reader can give; ``written`` are profiles of theirs."""
    if not words:
        return
    program = words[0].rpartition("/")[2] if "/" in words[0] else words[0]
    for word in words:
        demand_path(word)
    if is_ours(program):
        demand_ours(words[1:], written, whole=whole)
    elif program in CHECKS:
        CHECKS[program](words[1:])
    elif words[0].startswith("scripts/"):
        assert (checkout.ROOT / words[0]).exists(), words[0]
    else:
        assert program in ORDINARY, f"a program that nobody looked at: {words}"


def demand_ours(words: list[str], written: frozenset[str] | None, *, whole: bool) -> None:
    try:
        with redirect_stdout(StringIO()):
            said = parse_arguments([re.sub(r"^[A-Z]$", "1", w) for w in words if w != "$@"])
    except SystemExit:  # --help
        return
    except UsageError as error:
        # Within a line a verb may stand alone, as its own name.
        if not whole and re.search("are required|takes one of|expected one argument", str(error)):
            return
        raise
    profile = getattr(said, "profile", None)
    if profile and written is not None and not PLACEHOLDER.fullmatch(profile):
        assert profile in {*shipped_profiles(), *written}, f"no profile {profile}"
    codes = [
        c for o in ("accept", "only") for v in getattr(said, o, None) or () for c in v.split(",")
    ]
    areas = set(AREA_OF.values())
    for code in codes:
        assert code in {*CATALOGUE, *areas} or PLACEHOLDER.fullmatch(code), f"no finding {code}"
    for service in (*getattr(said, "services", ()), getattr(said, "service", None) or "qwen"):
        assert service in {"qwen", "nemotron", "proxy"} or PLACEHOLDER.fullmatch(service), service


def shipped_profiles() -> set[str]:
    return {name.removesuffix(".yaml") for name in resources.names("configs/profiles", ".yaml")}


# what is around our command -----------------------------------------------------------------


def demand_path(word: str) -> None:
    """A path of ours must be one that files.md knows, or lie in a folder of the operator's."""
    for path in re.findall(
        r"(?<![\w.])/(?:etc|opt|var/lib|run|var/log)/trtllm[^\s\"':;,|&]*", word
    ):
        if not any(re.fullmatch(known, path.rstrip("/")) for known in known_paths()):
            raise AssertionError(f"no path of ours: {path}")


@cache
def known_paths() -> tuple[str, ...]:
    return tuple(_known_paths())


def _known_paths() -> Iterator[str]:
    text = (checkout.ROOT / "docs/reference/files.md").read_text(encoding="utf-8")
    folders = (layout.PROFILES, layout.ENGINE_CONFIGS, "/etc/trtllm/tls", layout.ENGINES)
    for path in {*re.findall(r"`(/[^` ]*trtllm[^` ]*)`", text), *folders, layout.TOOL}:
        form = re.escape(path.rstrip("/"))
        form = re.sub(r"NAME|MODEL|FILE|VERSION|<[a-z]+>|<hash>|\\\*", r"[^/]+", form)
        below = path.rstrip("/") in folders or path.startswith(f"{layout.TOOL}")
        yield form + (r"(/.*)?" if below else "")
    yield from (r"/etc/trtllm", r"/opt/trtllm/tool(/.*)?", r"/opt/trtllm/python(/.*)?")


def demand_units(words: list[str]) -> None:
    """Units of ours are those that are rendered; others are their owners'."""
    ours = {path.stem for path in (GOLDEN / "etc/systemd/system").glob("trtllm*")}
    for word in words:
        if word.startswith("trtllm"):
            name = re.sub(r"\.(service|target)$", "", word)
            assert name in ours or PLACEHOLDER.fullmatch(name.removeprefix("trtllm-")), word


def demand_address(words: list[str]) -> None:
    """A path of ours is on the proxy's list, or on the simulated engine's."""
    servers = (GOLDEN / "etc/trtllm/proxy/nginx.conf").read_text(encoding="utf-8").split("server {")
    public, admin = (
        {p for p in re.findall(r"location =? ?(/\S*) \{", part) if p != "/"} | {"/"}
        for part in (servers[-2], servers[-1])
    )
    for word in words:
        found = re.match(r"https?://([^/:]+)(:\d+)?(/[^?]*)?", word)
        if not found or found[1].endswith("mirror.example"):
            continue
        path = found[3] or "/"
        if found[2] == ":8001":
            assert path.startswith("/simulated/"), word
        else:
            assert path in (admin if "--unix-socket" in words else public), word


def demand_bootstrap(words: list[str]) -> None:
    script = (checkout.ROOT / "scripts/bootstrap.sh").read_text(encoding="utf-8")
    if words[:1] in (["--remove"], ["--only-tool"], ["--help"]):
        for option in words:
            assert option in script
    else:
        demand_ours(words, None, whole=False)


def demand_plays(words: list[str]) -> None:
    for word in words:
        if word.startswith("trtllm.host."):
            name = word.removeprefix("trtllm.host.")
            assert (checkout.ROOT / f"ansible/playbooks/{name}.yml").exists(), word


def demand_plugins(words: list[str]) -> None:
    folders = ("roles/{}", "plugins/modules/{}.py", "plugins/filter/{}.py")
    for word in words:
        if word.startswith("trtllm.host."):
            name = word.removeprefix("trtllm.host.")
            paths = [checkout.ROOT / "ansible" / folder.format(name) for folder in folders]
            assert any(path.exists() for path in paths), word


def demand_collection(words: list[str]) -> None:
    assert words[:2] in (["collection", "build"], ["collection", "install"]), words
    galaxy = yaml.safe_load((checkout.ROOT / "ansible/galaxy.yml").read_text(encoding="utf-8"))
    made = "{namespace}-{name}-{version}.tar.gz".format(**galaxy)
    assert words[2:] in (["ansible"], [made]), words


def demand_serve(words: list[str]) -> None:
    contract = resources.read_text(
        f"configs/contract/{resources.read_text('configs/engine/VERSION').strip()}.json"
    )
    for word in words:
        if word.startswith("--") and word != "--help":
            assert f'"{word.partition("=")[0]}"' in contract, word


def demand_tests(words: list[str]) -> None:
    files = [checkout.ROOT / word for word in words if word.startswith("tests/")]
    assert files
    assert [str(f) for f in files if not f.exists()] == []
    if "-k" in words:
        chosen = words[words.index("-k") + 1]
        assert any(chosen in file.read_text(encoding="utf-8") for file in files), chosen


def demand_benchmark(words: list[str]) -> None:
    """A benchmark finds what it imports, and knows its words."""
    if not words or words[0].startswith("-"):  # a module of somebody else's
        return
    program = checkout.ROOT / words[0]
    assert words[0].startswith("benchmarks/"), words
    load = "import runpy, sys; runpy.run_path(sys.argv[1], run_name='looked at')"
    ended = subprocess.run(
        [sys.executable, "-c", load, str(program)],
        env={**os.environ, "PYTHONPATH": str(program.parent)},  # as for a script that is started
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    files = sorted(program.glob("*.py")) if program.is_dir() else [program]
    text = "".join(file.read_text(encoding="utf-8") for file in files)
    for word in words[1:]:
        if re.fullmatch("--[a-z-]+|[a-z]+", word):
            assert f'"{word}"' in text, word


CHECKS: Final[dict[str, Callable[[list[str]], None]]] = {
    "systemctl": demand_units,
    "journalctl": demand_units,
    "systemd-analyze": lambda _: None,
    "curl": demand_address,
    "bootstrap.sh": demand_bootstrap,
    "scripts/bootstrap.sh": demand_bootstrap,
    "ansible-playbook": demand_plays,
    "ansible": demand_plugins,
    "ansible-doc": demand_plugins,
    "ansible-galaxy": demand_collection,
    "trtllm-serve": demand_serve,
    "pytest": demand_tests,
    "python": demand_benchmark,
}


# blocks of other languages --------------------------------------------------------------------

PROMETHEUS: Final = {"scrape_configs", "rule_files"}


@pytest.mark.parametrize("block", [b for b in BLOCKS if b.kind == "yaml"], ids=show)
def test_yaml_is_what_its_reader_takes(block: Block) -> None:
    value = yaml.safe_load(block.text)
    if value is None:  # a comment for editors
        assert "yaml-language-server: $schema=" in block.text
        schema = block.text.strip().rpartition("=")[2]
        assert schema in resources.names("configs/schema", ".json")
    elif block.text.startswith("#cloud-config"):
        demand_cloud_config(value)
    elif isinstance(value.get("instances"), list):
        parse_profile(block.text, block.where)
    elif set(value) <= PROMETHEUS:
        return  # promtool takes all of them together, below
    elif set(value) <= set(role_variables()):
        demand_role_variables(value)
    elif "all" in value:
        demand_inventory(value)
    else:
        parse_site(block.text, block.where, frozenset({"qwen", "nemotron"}))


def test_prometheus_takes_the_configuration_that_is_shown(tmp_path: Path) -> None:
    shown: dict[str, Any] = {"scrape_configs": []}
    for block in documents.blocks_of("docs/howto/monitoring.md"):
        if block.kind == "yaml":
            value = yaml.safe_load(block.text)
            shown["scrape_configs"] += value.pop("scrape_configs", [])
            shown |= value
    assert len(shown["scrape_configs"]) == 2
    shown["scrape_configs"][1]["job_name"] = "elsewhere"  # the text has one or the other
    alerts = tmp_path / "trtllm-alerts.yaml"
    alerts.write_bytes((checkout.ROOT / "configs/observability/alerts.yaml").read_bytes())
    (tmp_path / "trtllm-key").write_text("key", encoding="utf-8")
    text = yaml.safe_dump(shown).replace("/etc/prometheus", str(tmp_path))
    (tmp_path / "prometheus.yml").write_text(text, encoding="utf-8")
    argv = [needs.program("promtool"), "check", "config", str(tmp_path / "prometheus.yml")]
    ended = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "rules found" in ended.stdout


def demand_cloud_config(value: dict[str, Any]) -> None:
    (site,) = (file for file in value["write_files"] if file["path"] == layout.SITE_FILE)
    parse_site(site["content"], "site.yaml", frozenset({"qwen", "nemotron"}))
    for words in value["runcmd"]:
        demand(words, written=frozenset())


def role_variables() -> dict[str, dict[str, Any]]:
    known: dict[str, dict[str, Any]] = {}
    for role in ("host", "rollout"):
        path = checkout.ROOT / "ansible/roles" / role / "meta/argument_specs.yml"
        for entry in yaml.safe_load(path.read_text(encoding="utf-8"))["argument_specs"].values():
            known |= entry["options"]
    return known


def demand_role_variables(value: dict[str, Any]) -> None:
    kinds = {"str": str, "path": str, "dict": dict, "list": list, "bool": bool, "int": int}
    for name, given in value.items():
        spec = role_variables()[name]
        assert isinstance(given, kinds[spec["type"]]), name
        assert given in spec.get("choices", [given]), name
    parse_site(yaml.safe_dump(value.get("host_site", {})), "host_site", frozenset())


def demand_inventory(value: dict[str, Any]) -> None:
    assert {"trtllm_gpu", "trtllm_front"} < set(value)
    for group in value.values():
        demand_role_variables(group.get("vars", {}))
    capacity = value["all"]["vars"]["rollout_capacity"]
    assert set(capacity) <= set(value["trtllm_gpu"]["vars"]["rollout_models"])


@pytest.mark.parametrize("block", [b for b in BLOCKS if b.kind == "python"], ids=show)
def test_commands_within_python_exist(block: Block) -> None:
    for node in ast.walk(ast.parse(block.text)):
        if isinstance(node, ast.Constant) and str(node.value).startswith("trtllm-install"):
            for words in shell.commands_of(str(node.value)):
                demand(words, written=frozenset())


def test_other_blocks_can_be_read() -> None:
    for block in BLOCKS:
        if block.kind == "json":
            json.loads(block.text)
        elif block.kind == "ini":
            configparser.ConfigParser().read_string(block.text)
        elif block.kind == "dockerfile":
            for line in block.text.splitlines():
                name, words = line.split(" ", 1)
                assert name in {"COPY", "RUN", "ENTRYPOINT"}, line
                if name == "RUN":
                    demand(words.split(), written=frozenset())
