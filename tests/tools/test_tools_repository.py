"""Rules of this house that no off-the-shelf checker knows."""

import ast
import re
from pathlib import Path

import pytest

from lab import checkout
from trtllm_install.model import layout

PACKAGE = checkout.ROOT / "installer/trtllm_install"
MODULES = checkout.below("installer", suffix=".py")
WRITERS = {"host", "launcher", "simulator"}  # floors that may touch files

BANNED_NAMES = {"utils", "util", "helpers", "helper", "common", "misc", "manager"}
BANNED_VERBS = ("get_", "do_", "handle_", "process_", "ensure_")
# Attributes that only paths have, not strings or dictionaries; `open` is looked at apart.
WRITING_CALLS = {
    *("write_text", "write_bytes", "mkdir", "makedirs", "unlink", "rename", "chmod", "chown"),
    *("rmdir", "rmtree", "touch", "symlink_to", "hardlink_to"),
}


def ids(path: Path) -> str:
    return str(path.relative_to(checkout.ROOT))


def floor_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0]


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def writes(call: ast.Call) -> bool:
    match call.func:
        case ast.Name(id="open"):
            return is_writing_mode(call.args[1:2], call.keywords)
        case ast.Attribute(attr="open"):
            return is_writing_mode(call.args[:1], call.keywords)
        case ast.Attribute(attr=name):
            return name in WRITING_CALLS
    return False


def is_writing_mode(at_its_place: list[ast.expr], keywords: list[ast.keyword]) -> bool:
    modes = [*at_its_place, *(keyword.value for keyword in keywords if keyword.arg == "mode")]
    texts = [mode.value for mode in modes if isinstance(mode, ast.Constant)]
    return any(isinstance(text, str) and set(text) & set("wax+") for text in texts)


def test_only_host_launcher_and_simulator_write_files() -> None:
    found = [
        f"{ids(path)}:{node.lineno}: {ast.unparse(node)}"
        for path in MODULES
        if floor_of(path) not in WRITERS
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Call) and writes(node)
    ]
    assert found == []


@pytest.mark.parametrize(
    "source",
    [
        "p.write_text('x')",
        "open('x', 'w')",
        "p.open(mode='ab')",
        "os.makedirs('x')",
        "p.open('r+')",
    ],
)
def test_writing_is_seen(source: str) -> None:
    call = ast.parse(source, mode="eval").body
    assert isinstance(call, ast.Call)
    assert writes(call)


@pytest.mark.parametrize(
    "source",
    [
        "host.write('/x', b'')",
        "open('wax')",
        "p.open('rb')",
        "p.open(encoding='w')",
        "s.replace(a, b)",
    ],
)
def test_reading_is_not_taken_for_writing(source: str) -> None:
    call = ast.parse(source, mode="eval").body
    assert isinstance(call, ast.Call)
    assert not writes(call)


def test_nothing_takes_a_dry_run() -> None:
    """A dry run is a plan that is not applied, never a parameter."""
    found = [
        f"{ids(path)}:{node.lineno}"
        for path in MODULES
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.arg) and "dry_run" in node.arg
    ]
    assert found == []


def test_no_module_is_a_drawer() -> None:
    assert [ids(path) for path in checkout.files() if path.stem in BANNED_NAMES] == []


def test_functions_have_the_verbs_of_the_house() -> None:
    found = [
        f"{ids(path)}:{node.lineno}: {node.name}"
        for path in MODULES
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.FunctionDef) and node.name.lstrip("_").startswith(BANNED_VERBS)
    ]
    assert found == []


def test_modules_keep_to_their_size() -> None:
    """12 kB is four screens too many already."""
    sizes = {ids(path): path.stat().st_size for path in MODULES}
    assert {name: size for name, size in sizes.items() if size > 12_000} == {}


def test_unit_tests_mirror_the_package() -> None:
    """``tests/unit/plan/test_diff.py`` tests ``plan/diff.py``; so does ``test_plan_diff.py``."""
    unit = checkout.ROOT / "tests/unit"
    strays = []
    for path in checkout.below("tests/unit", suffix=".py"):
        folder = PACKAGE / path.parent.relative_to(unit)
        stems = {module.stem for module in folder.glob("*.py")} | {folder.name}
        stems |= {package.parent.name for package in folder.glob("*/__init__.py")}
        name = path.stem.removeprefix("test_")
        mirrored = any(name == stem or name.endswith(f"_{stem}") for stem in stems)
        if path.name.startswith("test_") and folder.name != "fakes" and not mirrored:
            strays.append(ids(path))
    assert strays == []


def test_bootstrap_uses_the_paths_of_the_layout() -> None:
    """Shell cannot import the layout, so the two are compared here."""
    text = (checkout.ROOT / "scripts/bootstrap.sh").read_text(encoding="utf-8")
    said = dict(re.findall(r"^([A-Z_]+)=(\S+)$", text, flags=re.MULTILINE))
    tool = said["TOOL"].replace("$PREFIX", said["PREFIX"])
    assert (tool, said["COMMAND_LINK"], said["RECEIPT"]) == (
        layout.TOOL,
        layout.COMMAND_LINK,
        layout.RECEIPT,
    )


# Written in pieces, or this file would be what it looks for.
FOREIGN = re.compile(
    "|".join(
        (
            r"(?<![\w.$}])/wo" + r"rk/",
            r"/fa" + r"rm/",
            r"/var/tmp/" + r"lab\b",
            r"\.lib" + r"rary\b",
            r"py" + r"pi\.org",
            r"python" + r"hosted\.org",
            r"npm" + r"js\.(org|com)",
            r"deb\.deb" + r"ian\.org",
            r"security\.deb" + r"ian\.org",
        ),
    ),
)


def test_no_file_names_a_registry_or_a_path_of_one_machine() -> None:
    found = []
    for path in checkout.files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [f"{ids(path)}: {match.group()}" for match in FOREIGN.finditer(text)]
    assert found == []


def test_hints_that_need_root_say_sudo() -> None:
    """What is pasted from an error must not end in the next one; ``check`` and its like may."""
    verbs = r"(start|stop|restart|logs|timeline|drain|undrain|keys|tls|rollback|uninstall|doctor)\b"
    bare = [
        f"{ids(module)}:{text.lineno}: {text.value}"
        for module in MODULES
        for call in ast.walk(parsed(module))
        if isinstance(call, ast.keyword) and call.arg in {"hint", "remedy"}
        for text in ast.walk(call.value)
        if isinstance(text, ast.Constant)
        and re.search(rf"(?<!sudo )\btrtllm-install {verbs}", str(text.value))
    ]
    assert bare == []
