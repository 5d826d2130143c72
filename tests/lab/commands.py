"""Whether a command that a document shows exists: verbs, options, paths, units, addresses."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from functools import cache
from io import StringIO
from typing import Final

import yaml

from lab import checkout
from trtllm_install import resources
from trtllm_install.cli.arguments import UsageError, parse_arguments
from trtllm_install.model import layout
from trtllm_install.model.catalogue import AREA_OF, CATALOGUE

GOLDEN: Final = checkout.ROOT / "tests/golden/systemd"
# Words that stand for something of the reader's own.
PLACEHOLDER: Final = re.compile(r"[A-Z][A-Z_.]*|\$\w+|\$@|0")
# What a document may ask for besides our own: ordinary programs, which are not ours to check.
ORDINARY: Final = {
    *("aa-complain", "alias", "apt-get", "apt-mark", "ausearch", "cat", "chgrp", "chmod", "cp"),
    *(
        "dmesg",
        "docker",
        "dpkg",
        "echo",
        "exec",
        "exit",
        "grep",
        "hf",
        "install",
        "jq",
        "ln",
        "kill",
    ),
    *("ln", "ls", "mkdir", "mmdebstrap", "modprobe", "mount", "nvidia-modprobe", "nvidia-smi"),
    *("openssl", "pip", "printf", "promtool", "python3", "python3.11", "reboot", "restorecon"),
    *("sed", "set", "setenforce", "ssh", "sudoedit", "supervisord", "systemd-nspawn", "tar"),
    *("tctl", "tee", "test", "update-alternatives", "uv", "[", "0"),
}


def is_ours(program: str) -> bool:
    return program.rpartition("/")[2] == "trtllm-install"


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
