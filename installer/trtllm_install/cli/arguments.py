"""The command line's grammar. Imports nothing of ours, so that --help is quick."""

import argparse
from collections.abc import Sequence
from functools import cache
from typing import NoReturn

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
    "render": "write the tree that install would write below a folder, without root",
    "rollback": "return to the generation before, or undo a run that was cut off",
    "uninstall": "remove what install wrote; weights, edits and logs stay",
    "gpu-ready": argparse.SUPPRESS,  # ExecStart of trtllm-gpu-ready.service
}

_EPILOG = """exit codes: 0 done, 2 usage or configuration, 3 preflight failed, 4 apply failed and
undone, 5 not undone, 6 a health gate failed and undone, 7 lock held, 8 needs root,
9 edits kept, 10 changes pending (plan --detailed-exitcode), 130 interrupted and undone"""


def parse_arguments(argv: Sequence[str]) -> argparse.Namespace:
    """Return the parsed command line; raises UsageError, and exits with 0 after --help."""
    words = list(argv)
    if not words or (words[0].startswith("-") and words[0] not in {"-h", "--help", "--version"}):
        words.insert(0, "install")
    return _parser().parse_args(words)


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
            _timeout(verb)
            _conflict(verb)
            verb.add_argument("--yes", action="store_true", help="accepted; install never asks")
        case "check":
            verb.add_argument(
                "--smoke", action="store_true", help="run a small CUDA kernel as the units would"
            )
        case "plan":
            verb.add_argument(
                "--detailed-exitcode", action="store_true", help="exit 10 when changes are pending"
            )
            _conflict(verb)
        case "render":
            verb.add_argument("folder", metavar="DIR")
        case "wait" | "start" | "stop" | "restart":
            verb.add_argument("services", nargs="*", metavar="SERVICE", help="default: all")
            if name != "stop":
                _timeout(verb)
            if name in {"start", "restart"}:
                verb.add_argument("--no-wait", action="store_true", help="do not wait for health")
        case "logs":
            verb.add_argument("service", metavar="SERVICE")
            verb.add_argument("-n", "--lines", type=int, default=50)
        case "rollback":
            verb.add_argument("--to", type=int, metavar="N", help="which generation")
            verb.add_argument("--list", action="store_true", help="show the generations and exit")
            verb.add_argument("--plan", action="store_true", help="show what it would do and exit")
            _timeout(verb)
        case "uninstall":
            verb.add_argument("--purge", action="store_true", help="remove logs as well")
            verb.add_argument("--yes", action="store_true", help="do not ask before --purge")
        case "gpu-ready":
            verb.add_argument("--simulate", action="store_true")


def _wishes(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--profile", metavar="NAME", help="qwen, nemotron, multi, or your own")
    verb.add_argument("--site", metavar="FILE", help="default: /etc/trtllm/site.yaml")
    verb.add_argument("--weights-dir", metavar="DIR", help="default: your ~/model_weights")
    verb.add_argument("--engine-path", metavar="FILE", help="a trtllm-serve that is there already")
    verb.add_argument("--init", choices=("auto", "systemd", "supervisord"), default="auto")
    verb.add_argument(
        "--simulate", action="store_true", help="simulated engine and GPUs, everything else real"
    )
    verb.add_argument(
        "--accept", metavar="CODE", action="append", default=[], help="make a finding a warning"
    )


def _conflict(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--on-conflict",
        choices=("keep", "restore", "replace", "fail"),
        default="keep",
        help="what to do with files that were edited or removed here (default: keep)",
    )


def _timeout(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--timeout", type=float, default=3600.0, metavar="S", help="longest wait (default: 3600)"
    )
