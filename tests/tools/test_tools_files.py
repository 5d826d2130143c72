"""What install writes and keeps is what files.md says."""

import re
from collections.abc import Iterator
from functools import cache
from itertools import product
from pathlib import Path

import pytest

from fakes.fake_systemd import FakeSystemd, debian
from fakes.healthy import FACTS, WEIGHTS
from fakes.heard import Heard
from lab.reference import code_of, document, rows, sections
from trtllm_install.app.desired import desired_tree
from trtllm_install.app.install import install
from trtllm_install.app.options import Options
from trtllm_install.app.prepare import prepare
from trtllm_install.apply.journal import Journal
from trtllm_install.cli.runlog import RunLog
from trtllm_install.host.local import LocalHost
from trtllm_install.model import layout
from trtllm_install.model.desired import Desired
from trtllm_install.model.tree import Action, Change

WRITTEN = "Written by `install`"
_WORDS = {"NAME": r"[a-z][a-z0-9-]*", "MODEL": r".+", "FILE": r"[^/]+"}
VARIANTS = [
    dict(zip(("profile", "supervisor", "simulate"), chosen, strict=True))
    for chosen in product(("qwen", "nemotron", "multi"), ("systemd", "supervisord"), (True, False))
]
_CONDITIONS = {
    "always": lambda _: True,
    "each service": lambda _: True,
    "the shipped ones that the profile uses": lambda _: True,
    "`site.yaml` changes the engine settings of an instance": lambda _: True,
    "with a proxy": lambda v: v["profile"] == "multi",
    "`site.yaml` says `access_log`": lambda v: v["profile"] == "multi",
    "with `--simulate`": lambda v: v["simulate"],
    "an engine was named or added": lambda _: True,
    "supervisord": lambda v: v["supervisor"] == "supervisord",
    "supervisord, or `access_log`": lambda v: (
        v["supervisor"] == "supervisord" or v["profile"] == "multi"
    ),
    "systemd": lambda v: v["supervisor"] == "systemd",
    "systemd, each service": lambda v: v["supervisor"] == "systemd",
}


@cache
def desired(profile: str, supervisor: str, *, simulate: bool) -> Desired:
    """What install writes on a host whose site file changes every engine's settings."""
    host = debian()
    host.add_directory(layout.ETC)
    changes = "".join(f"  {name}: {{max_seq_len: 4096}}\n" for name in ("qwen", "nemotron"))
    host.add_file(layout.SITE_FILE, f"instances:\n{changes}proxy: {{access_log: true}}\n")
    options = Options(
        profile=profile,
        weights_dir=None if simulate else WEIGHTS,
        init="systemd" if supervisor == "systemd" else "supervisord",
        simulate=simulate,
        engine_path=None if simulate else "/srv/engine/bin/trtllm-serve",
    )
    return desired_tree(prepare(host, options, None), FACTS)


def documented(columns: set[str]) -> list[dict[str, str]]:
    """Rows of "Written by install" in the table that has exactly these columns."""
    return [r for r in rows(sections(document("files.md"))[WRITTEN]) if set(r) == columns]


FOLDERS = documented({"Path", "Mode", "Owner", "When", "What"})
FILES = documented({"Path", "Mode", "Owner", "When", "Who edits"})
LINKS = documented({"Path", "When", "To"})


def row_for(path: str, table: list[dict[str, str]]) -> dict[str, str]:
    """The row that speaks of ``path``: the fewest placeholders, then the longest text."""
    fitting = [row for row in table if re.fullmatch(pattern_of(row["Path"]), path)]
    assert fitting, f"files.md does not know {path}"
    return min(fitting, key=lambda row: (_placeholders(row["Path"]), -len(row["Path"])))


def _placeholders(cell: str) -> int:
    return sum(word in cell for word in _WORDS)


def pattern_of(cell: str) -> str:
    pattern = re.escape(code_of(cell))
    for word, form in _WORDS.items():
        pattern = re.sub(rf"\b{word}\b", lambda _, form=form: form, pattern)
    return pattern


def entries(tree: Desired) -> Iterator[tuple[list[dict[str, str]], str, str, str]]:
    """Table, path, mode and owner of everything in a tree."""
    for directory in tree.directories:
        yield FOLDERS, directory.path, f"{directory.mode:04o}", directory.owner
    for file in tree.files:
        yield FILES, file.path, f"{file.mode:04o}", file.owner
    for link in tree.links:
        yield LINKS, link.path, "", ""


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda v: "-".join(map(str, v.values())))
def test_every_path_of_install_has_its_row(variant: dict[str, str]) -> None:
    for table, path, mode, owner in entries(desired(**variant)):  # type: ignore[arg-type]
        row = row_for(path, table)
        assert (row.get("Mode", ""), row.get("Owner", "")) == (mode, owner), path
        assert _CONDITIONS[row["When"]](variant), f"{path} is written although {row['When']}"


def test_every_row_is_a_path_that_install_writes_when_it_says() -> None:
    assert FOLDERS
    assert FILES
    assert LINKS
    for table, row in [(t, row) for t in (FOLDERS, FILES, LINKS) for row in t]:
        due = [v for v in VARIANTS if _CONDITIONS[row["When"]](v)]
        assert due, row
        for variant in due:
            mine = {
                row_for(path, table)["Path"]
                for seen, path, _, _ in entries(desired(**variant))  # type: ignore[arg-type]
                if seen is table
            }
            assert row["Path"] in mine, (row["Path"], variant)


def test_every_path_of_the_layout_is_in_files() -> None:
    text = document("files.md")
    paths = {
        name: value
        for name, value in vars(layout).items()
        if name.isupper() and isinstance(value, str) and value.startswith("/")
    }
    assert paths
    missing = {name: path for name, path in paths.items() if f"`{path}" not in text}
    assert missing == {}


def test_what_the_installer_keeps_has_the_modes_that_files_says(tmp_path: Path) -> None:
    machine = FakeSystemd(debian())
    install(machine.host, Options(profile="multi", simulate=True), Heard())
    change = Change(action=Action.CREATE, kind="file", path="/etc/trtllm/x", reason="new")
    Journal(machine.host).announce(change)
    modes = {
        path: machine.host.look(path).mode
        for path in (layout.RECEIPT, layout.JOURNAL, layout.GENERATIONS)
    }  # type: ignore[union-attr]
    local = LocalHost(str(tmp_path))
    with local.lock(layout.LOCK):
        modes[layout.LOCK] = local.look(layout.LOCK).mode  # type: ignore[union-attr]
    machine.host.add_directory("/var/log")
    RunLog(machine.host, "install", [], complain=print).open()
    modes[layout.TOOL_LOGS] = machine.host.look(layout.TOOL_LOGS).mode  # type: ignore[union-attr]
    said = rows(sections(document("files.md"))["Kept by the installer"])
    assert {code_of(r["Path"]): int(r["Mode"], 8) for r in said} == modes
