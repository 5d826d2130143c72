"""The collection, as those check it who would take it: ansible-lint, ansible-doc, a build."""

import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
import yaml

from lab import checkout, collection, documents, needs, shell

# The other tests of ansible-test fetch pip from a server of its own, which CI need not reach.
SANITY = (
    *("action-plugin-docs", "compile", "empty-init", "line-endings", "no-assert"),
    *("no-get-exception", "no-smart-quotes", "replace-urlopen", "shebang", "symlinks"),
    "use-argspec-type-path",
)
HOME = checkout.ROOT / "ansible"
MODULES = sorted(path.stem for path in (HOME / "plugins/modules").glob("*.py"))
FILTERS = sorted(path.stem for path in (HOME / "plugins/filter").glob("*.py"))


@pytest.fixture(scope="module")
def placed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the collection where Ansible finds it."""
    return collection.place(tmp_path_factory.mktemp("collections"), copied=True)


def run(placed: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    """Run a program of Ansible in the collection."""
    top = placed.parents[2]
    return subprocess.run(
        [needs.program(argv[0]), *argv[1:]],
        cwd=placed,
        env={
            **os.environ,
            "ANSIBLE_COLLECTIONS_PATH": str(top),
            "ANSIBLE_HOME": str(top / "home"),
            "ANSIBLE_NOCOLOR": "true",
            "HOME": str(top),
            "XDG_CACHE_HOME": str(top / "cache"),
        },
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.timeout(300)
def test_lint_finds_nothing_by_its_strictest_profile(placed: Path) -> None:
    ended = run(placed, "ansible-lint", "--offline", "--strict", "--nocolor")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "Profile 'production' was required, and it passed" in ended.stderr


@pytest.mark.timeout(300)
def test_ansible_test_finds_nothing(placed: Path) -> None:
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    words = [word for test in SANITY for word in ("--test", test)]
    ended = run(placed, "ansible-test", "sanity", *words, "--python", version)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_every_plugin_is_documented_the_ansible_way(placed: Path) -> None:
    for kind, names in (("module", MODULES), ("filter", FILTERS)):
        ended = run(placed, "ansible-doc", "-t", kind, *(f"trtllm.host.{n}" for n in names))
        assert ended.returncode == 0, ended.stderr
        for name in names:
            assert f"trtllm.host.{name}" in ended.stdout
    roles = run(placed, "ansible-doc", "-t", "role", "trtllm.host.host", "trtllm.host.rollout")
    assert roles.returncode == 0, roles.stderr
    assert "host_tool_source" in roles.stdout


def test_every_variable_of_a_role_has_its_specification() -> None:
    for role in ("host", "rollout"):
        folder = HOME / "roles" / role
        specs = yaml.safe_load((folder / "meta/argument_specs.yml").read_text(encoding="utf-8"))
        entries = specs["argument_specs"].values()
        defaults = yaml.safe_load((folder / "defaults/main.yml").read_text(encoding="utf-8"))
        for entry in entries:
            said = {n: o["default"] for n, o in entry["options"].items() if "default" in o}
            assert said == defaults, role


def test_every_module_is_in_the_readme_and_the_changelog() -> None:
    readme = (HOME / "README.md").read_text(encoding="utf-8")
    changes = yaml.safe_load((HOME / "changelogs/changelog.yaml").read_text(encoding="utf-8"))
    listed = [m["name"] for release in changes["releases"].values() for m in release["modules"]]
    assert sorted(listed) == MODULES
    assert [name for name in MODULES if f"`{name}`" not in readme] == []


def test_commands_of_the_readme_work(tmp_path: Path) -> None:
    """The build and install first, as somebody does who has no collection yet."""
    sources = tmp_path / "checkout"
    shutil.copytree(HOME, sources / "ansible")
    told = [b for b in documents.blocks_of("ansible/README.md") if b.is_run]
    for block in sorted(told, key=lambda b: "build" not in b.text):
        for words in shell.commands_of(block.text):
            ended = subprocess.run(
                [needs.program(words[0]), *words[1:]],
                cwd=sources,
                env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "LANG": "C.UTF-8"},
                capture_output=True,
                text=True,
                check=False,
            )
            assert ended.returncode == 0, f"{block.where}: {words}: {ended.stderr}"


def test_a_built_collection_brings_the_scripts_themselves(placed: Path, tmp_path: Path) -> None:
    """In the checkout they are links to scripts/, which nobody else has."""
    words = ("collection", "build", str(HOME), "--output-path", str(tmp_path))
    ended = run(placed, "ansible-galaxy", *words)
    assert ended.returncode == 0, ended.stderr
    (path,) = tmp_path.glob("trtllm-host-*.tar.gz")
    with tarfile.open(path) as archive:
        for name in ("bootstrap.sh", "packages.sh"):
            member = archive.extractfile(f"roles/host/files/{name}")
            assert member is not None
            assert member.read() == (checkout.ROOT / "scripts" / name).read_bytes()
