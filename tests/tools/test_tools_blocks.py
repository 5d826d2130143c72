"""Blocks of other languages than the shell are what their readers take."""

import ast
import configparser
import json
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from lab import checkout, documents, needs, shell
from lab.commands import demand
from lab.documents import Block
from trtllm_install import resources
from trtllm_install.config.profile import parse_profile, parse_site
from trtllm_install.model import layout

BLOCKS: Final = documents.all_blocks()
PROMETHEUS: Final = {"scrape_configs", "rule_files"}


@pytest.mark.parametrize("block", [b for b in BLOCKS if b.kind == "yaml"], ids=str)
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
    elif all(name.startswith("vault_") for name in value):  # named in an inventory's templates
        shown = {b.text for b in BLOCKS if b.document == block.document and b.kind == "yaml"}
        assert [name for name in value if not any(f"{{{{ {name} }}}}" in s for s in shown)] == []
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
        is_elsewhere = isinstance(given, str) and given.startswith("{{")
        assert is_elsewhere or isinstance(given, kinds[spec["type"]]), name
        assert given in spec.get("choices", [given]), name
    parse_site(yaml.safe_dump(value.get("host_site", {})), "host_site", frozenset())


def demand_inventory(value: dict[str, Any]) -> None:
    assert {"trtllm_gpu", "trtllm_front"} < set(value)
    for group in value.values():
        demand_role_variables(group.get("vars", {}))
    capacity = value["all"]["vars"]["rollout_capacity"]
    assert set(capacity) <= set(value["trtllm_gpu"]["vars"]["rollout_models"])


@pytest.mark.parametrize("block", [b for b in BLOCKS if b.kind == "python"], ids=str)
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
