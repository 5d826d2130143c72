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
            words = line.removeprefix("sudo ").partition(" <")[0].split()
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
        (["install", "--profil", "multi"], "trtllm-install install"),
        (["install", "--profile"], "trtllm-install install"),
        (["logs"], "trtllm-install logs"),
        (["status", "--profile", "multi"], "trtllm-install status"),
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


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["instal"], "no verb is called instal; did you mean install?"),
        (["--prof", "multi"], "install has no --prof; did you mean --profile?"),
        (["--simulat"], "install has no --simulat; did you mean --simulate?"),
        (["status", "qwen"], "status takes no word qwen"),
        (["wait", "--timeout", "nan"], "argument --timeout: expected seconds, found nan"),
        (["wait", "--timeout", "-1"], "argument --timeout: expected seconds, found -1"),
        (
            ["logs", "qwen", "-n", "-5"],
            "argument -n/--lines: expected a number from 0 up, found -5",
        ),
    ],
)
def test_a_mistake_is_told_with_what_was_meant(argv: list[str], said: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_arguments(argv)
    assert str(caught.value) == said


@pytest.mark.parametrize(
    "argv", [["--profile", ""], ["plan", "--root="], ["logs", ""], ["restart", "qwen", ""]]
)
def test_a_variable_that_was_not_set_is_no_word(argv: list[str]) -> None:
    """``--root "$TREE"`` must never mean this host."""
    with pytest.raises(UsageError, match="it is empty"):
        parse_arguments(argv)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("--simulate install --profile multi", "install --simulate --profile multi"),
        ("--accept x engine use 1.3.0rc2", "engine use --accept x 1.3.0rc2"),
    ],
)
def test_a_verb_behind_an_option_is_answered_with_the_command_that_was_meant(
    said: str, meant: str
) -> None:
    with pytest.raises(UsageError) as caught:
        parse_arguments(said.split())
    assert caught.value.hint == f"trtllm-install {meant}"
    parse_arguments(meant.split())


def test_a_manifest_needs_no_name() -> None:
    assert parse_arguments(["check", "--record"]).record == ""


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
