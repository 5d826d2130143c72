"""The rendered tree, byte for byte as it was last looked at.

After an intended change: ``scripts/golden-update.sh``, and read what it prints.
"""

import difflib
from pathlib import Path

import pytest

from golden.rendered import GOLDEN, REPOSITORY, VARIANTS, golden_files, schema_files, write
from golden.share import SHARE, share_files
from trtllm_install import resources

HINT = "\n\nhint: scripts/golden-update.sh, then read the difference"


def shown(path: str, old: bytes, new: bytes) -> str:
    before, after = (text.decode(errors="replace").splitlines() for text in (old, new))
    return "\n".join(difflib.unified_diff(before, after, path, f"{path} (rendered now)", "", "", 3))


def on_disk(folder: Path) -> set[str]:
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("supervisor", VARIANTS)
def test_the_rendered_tree_is_the_golden_one(supervisor: str) -> None:
    folder = GOLDEN / supervisor
    rendered = golden_files(supervisor)
    assert sorted(on_disk(folder)) == sorted(rendered), HINT
    differing = [
        shown(path, old, content)
        for path, content in rendered.items()
        if (old := (folder / path).read_bytes()) != content
    ]
    assert not differing, "\n".join(differing) + HINT


def test_shipped_schemas_are_those_of_the_code() -> None:
    for path, content in schema_files().items():
        old = (REPOSITORY / path).read_bytes()
        assert old == content, shown(path, old, content) + HINT


def test_the_manual_and_the_completions_are_those_of_the_parser() -> None:
    for path, content in share_files().items():
        old = (SHARE / path).read_bytes()
        assert old == content, shown(path, old, content) + HINT


@pytest.mark.parametrize("supervisor", VARIANTS)
def test_a_golden_tree_lists_also_what_is_shipped_as_it_is(supervisor: str) -> None:
    listing = (GOLDEN / supervisor / "tree.txt").read_text()
    for name in resources.names("templates/openresty/lualib/trtllm", ".lua"):
        assert f"/etc/trtllm/proxy/lualib/trtllm/{name}\n" in listing


def test_an_update_writes_what_the_tests_compare_with_and_removes_the_rest(tmp_path: Path) -> None:
    stale = tmp_path / "golden/systemd/etc/old.service"
    stale.parent.mkdir(parents=True)
    stale.touch()
    write(tmp_path / "golden", tmp_path)
    for supervisor in VARIANTS:
        assert on_disk(tmp_path / "golden" / supervisor) == set(golden_files(supervisor))
    assert {str(p.relative_to(tmp_path)) for p in (tmp_path / "configs").rglob("*.json")} == set(
        schema_files()
    )
