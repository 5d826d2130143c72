"""The command line's grammar. Imports nothing heavy, so that --help is quick."""

import argparse
import shlex
from collections.abc import Sequence
from functools import cache
from typing import Final, NoReturn

from trtllm_install.cli.examples import examples_text
from trtllm_install.cli.values import parse_word
from trtllm_install.cli.verb_options import add_options

PROGRAM: Final = "trtllm-install"
VERBS = {
    "install": "make this host serve a profile (the default verb)",
    "check": "say every reason why the models would not run here, change nothing",
    "plan": "show exactly what install would do, change nothing",
    "status": "show where each service is",
    "verify": "show what differs from what was installed; exit 10 when something does",
    "wait": "wait until everything serves",
    "start": "start services",
    "stop": "stop services",
    "restart": "restart services",
    "logs": "show the last lines of a service",
    "timeline": "show a start of each service phase by phase, with GB/s; as a picture too",
    "drain": "let a backend of the proxy get no new requests, and wait for the running ones",
    "undrain": "let a backend get requests again",
    "keys add": "make a key for a client; with the first one the proxy asks for keys",
    "keys set": "take keys from standard input, lines NAME KEY; only hashes of them are kept",
    "keys list": "show the names of the keys",
    "keys remove": "refuse a key from now on",
    "tls set": "take a certificate and its key from standard input, once they are judged",
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
    "doctor proxy": "replay requests that must not work, and say what the proxy adds",
    "doctor report": "gather what a bug report needs into one file, secrets masked",
    "gpu-ready": argparse.SUPPRESS,  # ExecStart of trtllm-gpu-ready.service
}

_EPILOG = """exit codes: 0 done, 2 usage or configuration, 3 preflight failed, 4 apply failed and
undone, 5 not undone, 6 a health gate failed and undone, 7 lock held, 8 needs root,
9 edits kept, 10 changes pending (plan --detailed-exitcode) or drift (verify),
130 interrupted and undone"""


def parse_arguments(argv: Sequence[str]) -> argparse.Namespace:
    """Return the parsed command line; raises UsageError, and exits with 0 after --help."""
    words = _joined(list(argv))
    if not words or (words[0].startswith("-") and words[0] not in {"-h", "--help", "--version"}):
        words.insert(0, "install")
    if not words[0].startswith("-") and words[0] not in VERBS:
        raise UsageError(f"no verb is called {words[0]}; {_meant(words[0], _shown())}", PROGRAM)
    said, unknown = _parser().parse_known_args(words)
    if unknown:
        raise _unknown(unknown[0], said.verb, list(argv))
    return said


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
    raise UsageError(f"{words[0]} takes one of {choices}; found {said}", PROGRAM)


def _shown() -> list[str]:
    return [verb for verb, text in VERBS.items() if text is not argparse.SUPPRESS]


def _meant(word: str, known: list[str]) -> str:
    from trtllm_install.config.nearest import nearest  # noqa: PLC0415 (only a mistake needs it)

    return nearest(word, known)


def _unknown(word: str, verb: str | None, argv: list[str]) -> "UsageError":
    """Say what is wrong with a word that the parser of the verb left over."""
    program = f"{PROGRAM} {verb}" if verb else PROGRAM
    name = word.partition("=")[0]
    if name.startswith("-"):
        options = [option for option in _options_of(verb) if option.startswith("--")]
        return UsageError(f"{verb or PROGRAM} has no {name}; {_meant(name, options)}", program)
    groups = {verb.partition(" ")[0] for verb in VERBS}
    if word in groups and argv[0].startswith("-"):
        at = argv.index(word)
        two = 2 if " ".join(argv[at : at + 2]) in VERBS else 1
        first = [PROGRAM, *argv[at : at + two], *argv[:at], *argv[at + two :]]
        return UsageError(f"{word} comes after an option", program, hint=shlex.join(first))
    return UsageError(f"{verb} takes no word {word}", program)


def _options_of(verb: str | None) -> list[str]:
    parsers = [a for a in _parser()._actions if isinstance(a, argparse._SubParsersAction)]  # noqa: SLF001 (no public way)
    parser = parsers[0].choices[verb] if verb else _parser()
    return list(parser._option_string_actions)  # noqa: SLF001 (as above)


class UsageError(Exception):
    """A word that the grammar does not have: a sentence, the program it is of, what to say."""

    def __init__(self, sentence: str, program: str, *, hint: str = "") -> None:
        super().__init__(sentence)
        self.program = program
        self.hint = hint or f"{program} --help"


class _Parser(argparse.ArgumentParser):
    """Raises instead of exiting, so that a mistake is answered like every other."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(message, self.prog)


def _add_options(name: str, verb: argparse.ArgumentParser) -> None:
    verb.register("type", None, parse_word)  # of whatever says no type of its own
    add_options(name, verb)


@cache
def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog=PROGRAM,
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
            verb = verbs.add_parser(
                name,
                allow_abbrev=False,
                help=text,
                description=text,
                epilog=examples_text(name),
                formatter_class=argparse.RawDescriptionHelpFormatter,
            )
        else:  # argparse lists a parser only when it has a help text
            verb = verbs.add_parser(name, allow_abbrev=False)
        _add_options(name, verb)
    return parser
