"""The options of each verb: one small function for each, found in one table."""

import argparse
from collections.abc import Callable

from trtllm_install.cli.grouped_arguments import (
    add_accept,
    add_bundle_options,
    add_drain_options,
    add_engine_options,
    add_pin,
    add_timeout,
)
from trtllm_install.cli.values import parse_count, parse_seconds
from trtllm_install.model import layout

Verb = argparse.ArgumentParser

_LOCKING = {"install", "rollback", "uninstall", "start", "stop", "restart"} | {
    *(f"engine {word}" for word in ("add", "use", "remove")),
    *("keys set", "tls set"),
}
_OF_IMAGES = {"install", "check", "plan", "status", "verify", "rollback", "uninstall"} | {
    *("keys set", "tls set")
}


def add_options(name: str, verb: Verb) -> None:
    """Give the parser of a verb its options."""
    if name != "gpu-ready":
        verb.add_argument("--output", choices=("text", "json", "jsonl"), default="text")
    if name in _LOCKING:
        verb.add_argument(
            "--lock-timeout",
            type=parse_seconds,
            default=0.0,
            metavar="S",
            help="wait for another run (default: do not)",
        )
    if name in _OF_IMAGES:
        verb.add_argument("--root", metavar="DIR", help="an image tree instead of this host")
    if name.startswith("engine "):
        add_engine_options(name, verb)
    elif name.startswith("bundle "):
        add_bundle_options(name, verb)
    elif name in {"drain", "undrain"}:
        add_drain_options(name, verb)
    elif add := _ADD.get(name):
        add(verb)


def _install(verb: Verb) -> None:
    _wishes(verb)
    _packages(verb)
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


def _check(verb: Verb) -> None:
    _wishes(verb)
    _packages(verb)
    verb.add_argument(
        "--smoke", action="store_true", help="run a small CUDA kernel as the units would"
    )
    verb.add_argument("--deep", action="store_true", help="read and hash every file of the weights")
    for name, text in (
        ("--record", "with --deep: write the hashes down (default: in /var/lib/trtllm)"),
        ("--compare", "with --deep: compare with the hashes that were written down"),
    ):
        verb.add_argument(name, metavar="FILE", nargs="?", const="", type=str, help=text)
    verb.add_argument(
        "--only",
        metavar="CODE[,CODE]",
        action="append",
        default=[],
        help="make these checks and what they depend on; takes areas too",
    )


def _plan(verb: Verb) -> None:
    _wishes(verb)
    _packages(verb)
    verb.add_argument("--no-start", action="store_true", help="as install --no-start would do")
    verb.add_argument(
        "--detailed-exitcode", action="store_true", help="exit 10 when changes are pending"
    )
    verb.add_argument(
        "--memory", action="store_true", help="show what each instance gets of each GPU"
    )
    verb.add_argument("--svg", metavar="FILE", help="draw that into a picture, means --memory")
    _conflict(verb)
    _memory(verb)


def _packages(verb: Verb) -> None:
    verb.add_argument(
        "--no-packages",
        action="store_true",
        help="take no package of the distribution, refuse instead",
    )


def _render(verb: Verb) -> None:
    _wishes(verb)
    verb.add_argument("folder", metavar="DIR")


def _from_compose(verb: Verb) -> None:
    verb.add_argument("file", metavar="FILE", help="compose.yml")
    verb.add_argument("--write", metavar="DIR", help="write the files, to /etc/trtllm")


def _services(verb: Verb) -> None:
    verb.add_argument("services", nargs="*", metavar="SERVICE", help="default: all")


def _wait(verb: Verb) -> None:
    _services(verb)
    add_timeout(verb)


def _start(verb: Verb) -> None:
    _wait(verb)
    verb.add_argument("--no-wait", action="store_true", help="do not wait for health")


def _status(verb: Verb) -> None:
    verb.add_argument("--watch", action="store_true", help="redraw it every second until Ctrl-C")


def _logs(verb: Verb) -> None:
    verb.add_argument("service", metavar="SERVICE")
    verb.add_argument("-n", "--lines", type=parse_count, default=50)
    verb.add_argument("-f", "--follow", action="store_true", help="go on until Ctrl-C")


def _timeline(verb: Verb) -> None:
    _services(verb)
    verb.add_argument(
        "--back", type=parse_count, default=1, metavar="N", help="1, the last, to 5 (earlier)"
    )
    verb.add_argument("--svg", metavar="FILE", help="draw it as well")


def _doctor_report(verb: Verb) -> None:
    verb.add_argument("--file", metavar="FILE", help="default: in the present folder")


def _rollback(verb: Verb) -> None:
    verb.add_argument("--to", type=parse_count, metavar="N", help="which generation")
    verb.add_argument("--list", action="store_true", help="show the generations and exit")
    verb.add_argument("--plan", action="store_true", help="show what it would do and exit")
    add_timeout(verb)


def _key_name(verb: Verb) -> None:
    verb.add_argument("name", metavar="NAME")


def _keys_set(verb: Verb) -> None:
    verb.add_argument(
        "--peers", action="store_true", help="those that peers ask this proxy for: lines PEER KEY"
    )
    verb.add_argument(
        "--exclusive",
        metavar="PREFIX",
        nargs="?",
        const=True,  # no word, so that an empty one is refused as anywhere
        help="remove the keys that are not given, or those of them with this prefix",
    )
    verb.add_argument("--plan", action="store_true", help="show what it would do and exit")


def _tls_set(verb: Verb) -> None:
    for name in ("certificate", "key"):
        path = getattr(layout, f"TLS_{name.upper()}")
        verb.add_argument(
            f"--{name}", metavar="FILE", default=path, help=f"where it goes (default: {path})"
        )
    verb.add_argument("--plan", action="store_true", help="show what it would do and exit")


def _uninstall(verb: Verb) -> None:
    verb.add_argument("--purge", action="store_true", help="remove logs as well")
    verb.add_argument("--dry-run", action="store_true", help="list what would go, and end")
    verb.add_argument("--yes", action="store_true", help="do not ask before --purge")


def _gpu_ready(verb: Verb) -> None:
    verb.add_argument("--simulate", action="store_true")


_ADD: dict[str, Callable[[Verb], None]] = {
    "install": _install,
    "check": _check,
    "plan": _plan,
    "render": _render,
    "from-compose": _from_compose,
    "wait": _wait,
    "start": _start,
    "stop": _services,
    "restart": _start,
    "status": _status,
    "logs": _logs,
    "timeline": _timeline,
    "doctor report": _doctor_report,
    "rollback": _rollback,
    "keys add": _key_name,
    "keys remove": _key_name,
    "keys set": _keys_set,
    "tls set": _tls_set,
    "uninstall": _uninstall,
    "gpu-ready": _gpu_ready,
}


def _wishes(verb: Verb) -> None:
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


def _conflict(verb: Verb) -> None:
    verb.add_argument(
        "--on-conflict",
        choices=("keep", "restore", "replace", "fail"),
        default="keep",
        help="what to do with files that were edited or removed here (default: keep)",
    )


def _memory(verb: Verb) -> None:
    either = verb.add_mutually_exclusive_group()
    either.add_argument(
        "--pin-memory",
        action="store_true",
        help="give each KV cache an absolute size, the same in every start order",
    )
    either.add_argument(
        "--unpin-memory", action="store_true", help="take back what --pin-memory did"
    )
