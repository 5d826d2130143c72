"""The grammar of the command line."""

import argparse
import re

import pytest

from trtllm_install.cli.arguments import VERBS, UsageError, parse_arguments
from trtllm_install.cli.examples import EXAMPLES

NEED_A_WORD = (
    {"from-compose", "render", "logs", "engine add", "engine use", "engine remove"}
    | {f"bundle {word}" for word in ("create", "verify", "unpack")}
    | {"keys add", "keys remove"}
)


@pytest.mark.parametrize(
    "argv", [[], ["--profile", "multi"], ["--simulate"], ["install"], ["--output", "json"]]
)
def test_install_is_what_is_meant_when_no_verb_is_said(argv: list[str]) -> None:
    assert parse_arguments(argv).verb == "install"


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb not in NEED_A_WORD])
def test_every_verb_stands_alone(verb: str) -> None:
    assert parse_arguments(verb.split()).verb == verb


def test_the_version_needs_no_verb() -> None:
    arguments = parse_arguments(["--version"])
    assert (arguments.version, arguments.verb) == (True, None)


def test_every_verb_has_an_example_that_it_understands() -> None:
    for verb, text in VERBS.items():
        if text is not argparse.SUPPRESS:
            assert EXAMPLES.get(verb), verb
    for verb, lines in EXAMPLES.items():
        for line in lines if verb in VERBS else ():
            words = line.removeprefix("sudo ").split()
            assert words[0] == "trtllm-install"
            assert parse_arguments(words[1:]).verb == verb


def test_help_lists_every_verb_but_the_one_that_is_for_a_unit(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as caught:
        parse_arguments(["--help"])
    assert caught.value.code == 0
    text = capsys.readouterr().out
    for verb, meaning in VERBS.items():
        listed = re.search(rf"^ +{verb}\b", text, re.MULTILINE) is not None
        assert listed == (verb != "gpu-ready"), meaning
    assert "exit codes: 0 done" in text


@pytest.mark.parametrize(
    ("argv", "program"),
    [
        (["instal"], "trtllm-install"),
        (["install", "--profil", "multi"], "trtllm-install"),
        (["install", "--profile"], "trtllm-install install"),
        (["logs"], "trtllm-install logs"),
        (["status", "--profile", "multi"], "trtllm-install"),
        (["install", "--init", "upstart"], "trtllm-install install"),
        (["wait", "--timeout", "long"], "trtllm-install wait"),
        (["engine"], "trtllm-install"),
        (["engine", "adopt"], "trtllm-install"),
        (["engine", "add"], "trtllm-install engine add"),
    ],
)
def test_a_mistake_is_told_with_the_program_whose_help_shows_more(
    argv: list[str], program: str
) -> None:
    with pytest.raises(UsageError) as caught:
        parse_arguments(argv)
    assert caught.value.program == program


def test_wishes_are_the_same_for_every_verb_that_looks_at_the_host() -> None:
    words = ["--profile", "p", "--site", "s", "--weights-dir", "w", "--accept", "a"]
    for verb in ("install", "check", "plan", "render"):
        folder = ["DIR"] if verb == "render" else []
        arguments = parse_arguments([verb, *folder, *words, "--accept", "b", "--simulate"])
        assert (arguments.profile, arguments.site, arguments.weights_dir) == ("p", "s", "w")
        assert (arguments.accept, arguments.simulate, arguments.init) == (["a", "b"], True, "auto")


def test_two_readings_share_no_list() -> None:
    parse_arguments(["--accept", "a"]).accept.append("b")
    assert parse_arguments([]).accept == []
