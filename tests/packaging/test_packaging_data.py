"""Templates and configs are found however the package is installed."""

import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from lab import checkout

pytestmark = pytest.mark.timeout(300)

# Prints the folder of the data and every file in it, as an installed package sees them.
LIST_DATA = """
from trtllm_install import resources
root = resources.root()
print(root)
for name in ("templates", "configs", "scripts/bootstrap.sh", "scripts/packages.sh"):
    for path in (root / name, *sorted((root / name).rglob("*"))):
        if path.is_file():
            print(path.relative_to(root))
"""

# What a bundle brings to a host beside the tool.
SCRIPTS = ["scripts/bootstrap.sh", "scripts/packages.sh"]
TRACKED = sorted(
    [*checkout.relative([*checkout.below("templates"), *checkout.below("configs")]), *SCRIPTS]
)


def run(*argv: str, cwd: Path | None = None, **environment: str) -> str:
    ended = subprocess.run(
        argv,
        cwd=cwd,
        env={"PATH": "/usr/bin:/bin", **environment} if environment else None,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, f"{argv}:\n{ended.stdout}{ended.stderr}"
    return ended.stdout


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the checkout: a build must never leave anything in the real one."""
    folder = tmp_path_factory.mktemp("source")
    for path in checkout.files():
        copy = folder / path.relative_to(checkout.ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    return folder


@pytest.fixture(scope="module")
def built(source: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return each kind of wheel: from the tree, from the sdist, editable."""
    out = tmp_path_factory.mktemp("built")
    build = (sys.executable, "-m", "build", "--no-isolation", str(source))
    run(*build, "--wheel", "--outdir", str(out / "tree"))
    run(*build, "--outdir", str(out / "sdist"))
    editable = "import sys, hatchling.build; hatchling.build.build_editable(sys.argv[1])"
    (out / "editable").mkdir()
    run(sys.executable, "-c", editable, str(out / "editable"), cwd=source)
    return {kind: next((out / kind).glob("*.whl")) for kind in ("tree", "sdist", "editable")}


def data_seen_by(wheel: Path, folder: Path) -> tuple[Path, list[str]]:
    """Install a wheel into a bare environment; return its data folder and files."""
    venv.create(folder, with_pip=False)
    python = str(folder / "bin/python")
    pip = (sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check")
    run(*pip, "install", "--quiet", "--no-deps", "--no-index", str(wheel))
    root, *files = run(python, "-c", LIST_DATA, cwd=folder).splitlines()
    return Path(root), sorted(files)


@pytest.mark.parametrize("kind", ["tree", "sdist"])
def test_a_wheel_carries_every_tracked_file(
    kind: str,
    built: dict[str, Path],
    tmp_path: Path,
) -> None:
    root, files = data_seen_by(built[kind], tmp_path / "environment")
    assert root.name == "_data"
    assert files == sorted(TRACKED)


def test_an_editable_install_reads_the_checkout(
    built: dict[str, Path],
    source: Path,
    tmp_path: Path,
) -> None:
    root, files = data_seen_by(built["editable"], tmp_path / "environment")
    assert root == source
    assert files == sorted(TRACKED)


def test_a_plain_checkout_reads_itself(source: Path) -> None:
    environment = {"PYTHONPATH": str(source / "installer"), "PYTHONDONTWRITEBYTECODE": "1"}
    root, *files = run(sys.executable, "-c", LIST_DATA, **environment).splitlines()
    assert Path(root) == source
    assert sorted(files) == sorted(TRACKED)


def test_the_way_through_an_sdist_loses_nothing(built: dict[str, Path]) -> None:
    names = {kind: set(zipfile.ZipFile(built[kind]).namelist()) for kind in ("tree", "sdist")}
    assert names["tree"] == names["sdist"]


def test_a_wheel_carries_the_product_only(built: dict[str, Path]) -> None:
    tops = {name.partition("/")[0] for name in zipfile.ZipFile(built["tree"]).namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"trtllm_install"}


def test_the_launcher_starts_without_any_dependency(
    built: dict[str, Path],
    tmp_path: Path,
) -> None:
    """It is the main process of every unit: what it does not import cannot break it."""
    data_seen_by(built["tree"], tmp_path / "environment")
    python = str(tmp_path / "environment/bin/python")
    run(python, "-c", "import trtllm_install.launcher.main", cwd=tmp_path)
    assert (tmp_path / "environment/bin/trtllm-supervise").is_file()
