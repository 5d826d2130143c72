"""What is secret in a site file stays out of everything that Ansible prints, by real Ansible."""

import json
from pathlib import Path

import pytest
import yaml

from lab import collection, needs

SECRET = "hunter2-and-a-few-more"
SITE = {"proxy": {"tls": {"certificate": "/etc/trtllm/tls/a.pem", "key": f"/srv/{SECRET}.pem"}}}
TOOL = """#!/bin/sh
[ "$1" != --version ] || { echo trtllm-install 0.1.0; exit 0; }
while [ $# -gt 0 ]; do
  [ "$1" != --site ] || cat "%(root)s$2" >%(planned)s
  shift
done
cat %(answer)s
"""
ANSWER = {
    "apiVersion": "trtllm.install/v1",
    "host": "image",
    "tool_version": "0.1.0",
    "ok": True,
    "exit_code": 0,
    "changed": True,
    "dry_run": False,
    "profile": "multi",
    "findings": [],
    "changes": [],
    "instances": [],
    "installation": {},
    "error": None,
    "log_file": None,
}
PLAY = [{"hosts": "image", "gather_facts": False, "roles": ["trtllm.host.host"]}]


@pytest.mark.parametrize("words", [("--check", "--diff"), ("--diff",)], ids=["check", "run"])
def test_a_secret_of_the_site_file_is_written_and_never_shown(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    needs.require_root()
    collection.place(tmp_path)
    root = tmp_path / "image"
    (root / "etc").mkdir(parents=True)
    planned, answer, tool = (tmp_path / n for n in ("planned", "answer", "trtllm-install"))
    answer.write_text(json.dumps(ANSWER), encoding="utf-8")
    text = TOOL % {"root": root, "planned": planned, "answer": answer}
    tool.write_text(text, encoding="utf-8")
    tool.chmod(0o755)
    variables = {
        "ansible_connection": "local",
        "host_root": str(root),
        "host_executable": str(tool),
        "ansible_python_interpreter": "{{ ansible_playbook_python }}",
        "host_site": SITE,
    }
    inventory = {"all": {"hosts": {"image": variables}}}
    for name, content in (("inventory", inventory), ("play", PLAY)):
        (tmp_path / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
    ended = collection.run_play(tmp_path, "-i", "inventory.json", "play.json", "-vvv", *words)
    assert ended.returncode == 0, ended.stdout[-3000:]
    assert SECRET not in ended.stdout + ended.stderr
    written = planned if "--check" in words else root / "etc/trtllm/site.yaml"
    assert yaml.safe_load(written.read_text(encoding="utf-8")) == SITE
