"""The manual page and the completions of shells, made from the parser.

``scripts/golden-update.sh`` runs this module; ``test_golden.py`` compares.
"""

import argparse
import re
from pathlib import Path
from typing import Final

import shtab
from argparse_manpage.manpage import Manpage

from trtllm_install import __version__
from trtllm_install.cli import arguments
from trtllm_install.cli.arguments import VERBS
from trtllm_install.cli.examples import EXAMPLES
from trtllm_install.cli.verb_options import add_options
from trtllm_install.model import layout

SHARE: Final = Path(__file__).parents[2] / "configs/share"
PAGE: Final = "man/man1/trtllm-install.1"
SHELLS: Final = {
    "bash": "bash-completion/completions/trtllm-install",
    "zsh": "zsh/site-functions/_trtllm-install",
    "fish": "fish/vendor_completions.d/trtllm-install.fish",
}
_PLACES: Final = {
    layout.SITE_FILE: "what is different on this host",
    f"{layout.PROFILES}/": "your profiles",
    f"{layout.ENGINE_CONFIGS}/": "engine settings, yours to edit",
    layout.RECEIPT: "what is installed",
    f"{layout.TOOL_LOGS}/": "a log of each run that changed something",
}


def nested_parser() -> argparse.ArgumentParser:
    """Return the grammar with ``engine add`` as ``add`` below ``engine``, as shells see it."""
    parser = argparse.ArgumentParser(
        prog="trtllm-install",
        description="Install and supervise TensorRT-LLM serving on a host, without Docker.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="store_true", help="show the version and exit")
    verbs = parser.add_subparsers(metavar="VERB")
    groups: dict[str, argparse._SubParsersAction] = {}
    for name, text in VERBS.items():
        if text is argparse.SUPPRESS:
            continue
        group, _, word = name.partition(" ")
        if word and group not in groups:
            about = verbs.add_parser(group, help=f"see trtllm-install {group} --help")
            groups[group] = about.add_subparsers(metavar="VERB")
        place = groups[group] if word else verbs
        verb = place.add_parser(word or group, help=text, description=text, allow_abbrev=False)
        add_options(name, verb)
        for action in verb._actions:
            if action.metavar == "FILE":
                action.complete = shtab.FILE  # type: ignore[attr-defined]
            elif action.metavar == "DIR":
                action.complete = shtab.DIRECTORY  # type: ignore[attr-defined]
    return parser


def share_files() -> dict[str, bytes]:
    """Return path below ``configs/share`` to content."""
    parser = nested_parser()
    shells = {path: shtab.complete(parser, shell=shell) for shell, path in SHELLS.items()}
    return {name: text.encode() for name, text in {PAGE: page(parser), **shells}.items()}


def page(parser: argparse.ArgumentParser) -> str:
    """Return trtllm-install(1)."""
    about = {
        "project_name": "trtllm-install",
        "prog": "trtllm-install",
        "version": __version__,
        "description": "install and supervise TensorRT-LLM serving",
        "manual_title": "trtllm-install manual",
    }
    text = str(Manpage(parser, format="single-commands-section", _data=about))
    # The day on which it was made says nothing, and would differ every day.
    head = re.sub(r'^(\.TH \S+ "1") "[^"]*"', r'\1 ""', text, count=1, flags=re.MULTILINE)
    return "\n".join([head.rstrip("\n"), *_sections()]) + "\n"


def _sections() -> list[str]:
    lines = [".SH EXAMPLES"]
    for verb in VERBS:
        lines += [f".PP\n.nf\n{_escaped(line)}\n.fi" for line in EXAMPLES.get(verb, ())]
    lines += [".SH EXIT STATUS", ".TP", ".B 1", "internal error: a bug, to be reported"]
    said = (arguments._parser().epilog or "").partition(":")[2].replace("\n", " ")
    for code, meaning in re.findall(r"(\d+) ([^,]+)", said):
        lines += [".TP", f".B {code}", meaning]
    lines.append(".SH FILES")
    for path, what in _PLACES.items():
        lines += [".TP", f".I {_escaped(path)}", what]
    return [*lines, ".SH SEE ALSO", ".BR systemctl (1),", ".BR journalctl (1)"]


def _escaped(text: str) -> str:
    return text.replace("\\", "\\e").replace("-", "\\-")


def main() -> None:
    """Write all of them."""
    for path, content in share_files().items():
        target = SHARE / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


if __name__ == "__main__":
    main()
