"""Verbs, options and exit codes are what the reference says."""

import argparse
import re

import pytest

from lab.reference import code_of, document, fences, prose_of, rows, sections
from trtllm_install.cli import arguments
from trtllm_install.model.errors import ExitCode

# exit codes ------------------------------------------------------------------


def test_exit_codes_are_the_ones_of_the_code() -> None:
    table = rows(prose_of(document("exit-codes.md")))
    said = [(int(r["Code"]), code_of(r["Name"])) for r in table if "Code" in r]
    assert said == [(code.value, code.name) for code in ExitCode]


def test_every_verb_says_how_it_can_end() -> None:
    table = rows(sections(document("exit-codes.md"))["Which verb ends how"])
    said = [verb for r in table for verb in re.findall(r"`([a-z -]+)`", r["Verb"])]
    assert sorted(said) == sorted(set(arguments.VERBS) - {"gpu-ready"})


# verbs and options -----------------------------------------------------------


def verb_parsers() -> dict[str, argparse.ArgumentParser]:
    top = arguments._parser()
    (verbs,) = [a for a in top._actions if isinstance(a, argparse._SubParsersAction)]
    return dict(verbs.choices)


def actions_of(verb: str) -> list[argparse.Action]:
    return [a for a in verb_parsers()[verb]._actions if a.dest != "help"]


def test_every_verb_has_its_section() -> None:
    part = document("command-line.md").partition("## Verbs")[2].partition("## Options")[0]
    said = re.findall(r"^### `([a-z -]+)`$", part, flags=re.MULTILINE)
    assert sorted(said) == sorted(verb_parsers())


@pytest.mark.parametrize("verb", arguments.VERBS)
def test_synopsis_names_every_option_of_the_verb(verb: str) -> None:
    (synopsis,) = fences(sections(document("command-line.md"))[f"`{verb}`"], "text")
    said = set(re.findall(r"(?<![\w-])--?[a-z][a-z0-9-]*", synopsis))
    assert said == {name for action in actions_of(verb) for name in action.option_strings}
    for action in actions_of(verb):
        if not action.option_strings:
            assert str(action.metavar) in synopsis
        if action.choices:
            assert f"{action.option_strings[0]} {'|'.join(action.choices)}" in synopsis


def test_options_table_has_every_option_with_its_choices_and_default() -> None:
    table = {
        code_of(r["Option"]): r for r in rows(sections(document("command-line.md"))["Options"])
    }
    known = {
        a.option_strings[-1]: a
        for verb in arguments.VERBS
        for a in actions_of(verb)
        if a.option_strings
    }
    assert table.keys() == known.keys()
    for name, action in known.items():
        value = table[name]["Value"]
        if action.choices:
            assert re.findall(r"`(\w+)`", value) == list(action.choices), name
        else:
            assert bool(value) == (action.nargs != 0), name
        if action.default not in (None, False, []):
            assert code_of(table[name]["Default"]) == str(action.default), name
        elif action.nargs == 0:
            assert table[name]["Default"] == "off", name
