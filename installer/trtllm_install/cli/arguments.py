"""The command line's grammar. Imports nothing heavy, so that --help is quick."""

import argparse
from collections.abc import Sequence
from functools import cache
from typing import NoReturn

from trtllm_install.cli.grouped_arguments import (
    add_accept,
    add_bundle_options,
    add_drain_options,
    add_engine_options,
    add_pin,
    add_timeout,
)

VERBS = {
    "install": "make this host serve a profile (the default verb)",
    "check": "say every reason why the models would not run here, change nothing",
    "plan": "show exactly what install would do, change nothing",
    "status": "show where each service is",
    "wait": "wait until everything serves",
    "start": "start services",
    "stop": "stop services",
    "restart": "restart services",
    "logs": "show the last lines of a service",
    "drain": "let a backend of the proxy get no new requests, and wait for the running ones",
    "undrain": "let a backend get requests again",
    "engine add": "build or adopt a version of TensorRT-LLM beside the others",
    "engine list": "show the engines of this host",
    "engine use": "switch to another engine; a failure switches back",
    "engine remove": "remove an engine that is not in use",
    "bundle create": "make one file that brings everything to a host without a network",
    "bundle verify": "say whether a bundle is whole, change nothing",
    "bundle unpack": "write the files of a whole bundle into a new folder",
    "render": "write the tree that install would write below a folder, without root",
    "from-compose": "print the profile and site file that a docker compose file comes to",
    "rollback": "return to the generation before, or undo a run that was cut off",
    "uninstall": "remove what install wrote; weights, edits and logs stay",
    "gpu-ready": argparse.SUPPRESS,  # ExecStart of trtllm-gpu-ready.service
}

_EPILOG = """exit codes: 0 done, 2 usage or configuration, 3 preflight failed, 4 apply failed and
undone, 5 not undone, 6 a health gate failed and undone, 7 lock held, 8 needs root,
9 edits kept, 10 changes pending (plan --detailed-exitcode), 130 interrupted and undone"""


def parse_arguments(argv: Sequence[str]) -> argparse.Namespace:
    """Return the parsed command line; raises UsageError, and exits with 0 after --help."""
    words = _joined(list(argv))
    if not words or (words[0].startswith("-") and words[0] not in {"-h", "--help", "--version"}):
        words.insert(0, "install")
    return _parser().parse_args(words)


def module_of(verb: str) -> str:
    """Return the name of the module that runs a verb."""
    return f"trtllm_install.cli.verbs.{verb.replace('-', '_').replace(' ', '_')}"


def _joined(words: list[str]) -> list[str]:
    """Make one word of ``engine add``, so that a verb of two words is a verb like any other."""
    groups = {verb.partition(" ")[0] for verb in VERBS if " " in verb}
    if not words or words[0] not in groups:
        return words
    ours = [verb for verb in VERBS if verb.startswith(f"{words[0]} ")]
    if " ".join(words[:2]) in ours:
        return [" ".join(words[:2]), *words[2:]]
    if words[1:2] and words[1] in {"-h", "--help"}:
        return words[1:]
    said = words[1] if words[1:] else "nothing"
    choices = ", ".join(verb.partition(" ")[2] for verb in ours)
    raise UsageError(f"{words[0]} takes one of {choices}; found {said}", "trtllm-install")


class UsageError(Exception):
    """A word that the grammar does not have: argparse's sentence, and the program it is of."""

    def __init__(self, sentence: str, program: str) -> None:
        super().__init__(sentence)
        self.program = program


class _Parser(argparse.ArgumentParser):
    """Raises instead of exiting, so that a mistake is answered like every other."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(message, self.prog)


@cache
def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="trtllm-install",
        description="Install and supervise TensorRT-LLM serving on this host.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="store_true", help="show the version and exit")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB")
    shown = {name: text for name, text in VERBS.items() if text is not argparse.SUPPRESS}
    for name, text in VERBS.items():
        if name in shown:
            verb = verbs.add_parser(name, allow_abbrev=False, help=text, description=text)
        else:  # argparse lists a parser only when it has a help text
            verb = verbs.add_parser(name, allow_abbrev=False)
        _options_of(name, verb)
        if name.startswith("engine "):
            add_engine_options(name, verb)
        elif name.startswith("bundle "):
            add_bundle_options(name, verb)
    return parser


def _options_of(  # noqa: C901, PLR0912 (one case per verb reads best in one place)
    name: str, verb: argparse.ArgumentParser
) -> None:
    if name != "gpu-ready":
        verb.add_argument("--output", choices=("text", "json", "jsonl"), default="text")
    if name in {"install", "check", "plan", "render"}:
        _wishes(verb)
    match name:
        case "install":
            verb.add_argument("--no-start", action="store_true", help="write, but start nothing")
            verb.add_argument(
                "--no-rollback",
                action="store_true",
                help="leave what was installed when a service or a proof fails",
            )
            add_timeout(verb)
            _conflict(verb)
            verb.add_argument("--bundle", metavar="FILE", help="take the engine from a bundle")
            add_pin(verb)
            verb.add_argument("--yes", action="store_true", help="accepted; install never asks")
            _memory(verb)
        case "check":
            verb.add_argument(
                "--smoke", action="store_true", help="run a small CUDA kernel as the units would"
            )
            _deep(verb)
        case "plan":
            verb.add_argument(
                "--detailed-exitcode", action="store_true", help="exit 10 when changes are pending"
            )
            verb.add_argument(
                "--memory", action="store_true", help="show what each instance gets of each GPU"
            )
            _conflict(verb)
            _memory(verb)
        case "render":
            verb.add_argument("folder", metavar="DIR")
        case "from-compose":
            verb.add_argument("file", metavar="FILE", help="compose.yml")
            verb.add_argument("--write", metavar="DIR", help="write the files, to /etc/trtllm")
        case "wait" | "start" | "stop" | "restart":
            verb.add_argument("services", nargs="*", metavar="SERVICE", help="default: all")
            if name != "stop":
                add_timeout(verb)
            if name in {"start", "restart"}:
                verb.add_argument("--no-wait", action="store_true", help="do not wait for health")
        case "logs":
            verb.add_argument("service", metavar="SERVICE")
            verb.add_argument("-n", "--lines", type=int, default=50)
        case "drain" | "undrain":
            add_drain_options(name, verb)
        case "rollback":
            verb.add_argument("--to", type=int, metavar="N", help="which generation")
            verb.add_argument("--list", action="store_true", help="show the generations and exit")
            verb.add_argument("--plan", action="store_true", help="show what it would do and exit")
            add_timeout(verb)
        case "uninstall":
            verb.add_argument("--purge", action="store_true", help="remove logs as well")
            verb.add_argument("--dry-run", action="store_true", help="list what would go, and end")
            verb.add_argument("--yes", action="store_true", help="do not ask before --purge")
        case "gpu-ready":
            verb.add_argument("--simulate", action="store_true")


def _wishes(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--profile", metavar="NAME", help="qwen, nemotron, multi, or your own")
    verb.add_argument("--site", metavar="FILE", help="default: /etc/trtllm/site.yaml")
    verb.add_argument("--weights-dir", metavar="DIR", help="default: your ~/model_weights")
    engines = verb.add_mutually_exclusive_group()
    engines.add_argument("--engine", metavar="VERSION", help="one that engine add has added")
    engines.add_argument(
        "--engine-path", metavar="FILE", help="a trtllm-serve that is there already"
    )
    verb.add_argument("--init", choices=("auto", "systemd", "supervisord"), default="auto")
    verb.add_argument(
        "--simulate", action="store_true", help="simulated engine and GPUs, everything else real"
    )
    add_accept(verb)


def _conflict(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--on-conflict",
        choices=("keep", "restore", "replace", "fail"),
        default="keep",
        help="what to do with files that were edited or removed here (default: keep)",
    )


def _memory(verb: argparse.ArgumentParser) -> None:
    either = verb.add_mutually_exclusive_group()
    either.add_argument(
        "--pin-memory",
        action="store_true",
        help="give each KV cache an absolute size, the same in every start order",
    )
    either.add_argument(
        "--unpin-memory", action="store_true", help="take back what --pin-memory did"
    )


def _deep(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--deep", action="store_true", help="read and hash every file of the weights")
    for name, text in (
        ("--record", "with --deep: write the hashes down (default: in /var/lib/trtllm)"),
        ("--compare", "with --deep: compare with the hashes that were written down"),
    ):
        verb.add_argument(name, metavar="FILE", nargs="?", const="", help=text)
