"""The engine configuration file, refused as the real engine refuses it."""

# ruff: noqa: E501 (a table is read by the row)

import json
from pathlib import Path

import pytest

from trtllm_install import resources
from trtllm_install.model.contract import parse_contract
from trtllm_install.simulator import usage
from trtllm_install.simulator.settings import StartError, read_engine_config

CONTRACT = parse_contract(json.loads(resources.read_text("configs/contract/1.3.0rc2.json")))


def _read(path: Path, text: str | None, *arguments: str) -> object:
    if text is not None:
        path.write_text(text)
    words = ["m", "--config", str(path), *arguments]
    return read_engine_config(CONTRACT, CONTRACT.parse_arguments(words))


def test_keys_are_returned(tmp_path: Path) -> None:
    assert _read(tmp_path / "a.yaml", "max_batch_size: 4\n") == {"max_batch_size": 4}


def test_no_config_is_no_keys() -> None:
    assert read_engine_config(CONTRACT, CONTRACT.parse_arguments(["m"])) == {}


@pytest.mark.parametrize(
    ("text", "arguments", "cause"),
    [
        (None, (), "FileNotFoundError"),
        ("", (), "TypeError"),
        ("- a\n", (), "TypeError"),
        ("- a\n", ("--backend", "tensorrt"), "TypeError"),
        ("a: [\n", (), r"^yaml\.parser\.ParserError: "),
        ("max_batchsize: 4\n", (), "Extra inputs are not permitted .type=extra_forbidden"),
        ("a: 1\nb: 2\n", (), "2 validation errors for TorchLlmArgs"),
        ("max_seq_len: 0\n", ("--backend", "_autodeploy"), "1 validation error for LlmArgs"),
        ("{}\n", ("--backend", "_autodeploy", "--tp_size", "2"), "via world_size"),
    ],
)
def test_what_the_real_engine_refuses_is_refused(
    tmp_path: Path, text: str | None, arguments: tuple[str, ...], cause: str
) -> None:
    with pytest.raises(StartError, match=cause):
        _read(tmp_path / "a.yaml", text, *arguments)


@pytest.mark.parametrize(
    ("arguments", "cause"),
    [
        (["m", "--prot", "1"], "Error: No such option: --prot Did you mean --port?"),
        (["m", "--served_model_name", "x"], "Error: No such option: --served_model_name"),
        (["m", "--port"], "Error: Option '--port' requires an argument."),
        (["m", "--grpc=1"], "Error: Option '--grpc' does not take a value."),
        (["m", "--port", "x"], "Error: Invalid value for '--port': 'x' is not a valid integer."),
        (
            ["m", "--tp_size", "x"],
            "Error: Invalid value for '--tensor_parallel_size' / '--tp_size': 'x' is not a valid integer.",
        ),
        (
            ["m", "--backend", "x"],
            "Error: Invalid value for '--backend': 'x' is not one of 'pytorch', 'tensorrt', '_autodeploy'.",
        ),
        (["m", "--port", "0"], "Error: Invalid value for '--port': 0 must be a whole number from 1 to 65535."),
        ([], "Error: Missing argument 'MODEL'."),
        (["m", "n"], "Error: Got unexpected extra argument (n)"),
        (["disaggregated"], "Error: disaggregated is not simulated: only serve is."),
        (["n", "m", "--port", "x", "--bogus_"], "Error: No such option: --bogus_"),
    ],
)  # fmt: skip
def test_wrong_usage_is_answered_in_the_form_of_click(arguments: list[str], cause: str) -> None:
    problem = usage.first_problem(CONTRACT.command.read(arguments).problems)
    assert problem is not None
    assert usage.render_refusal(CONTRACT, problem).splitlines() == [
        "Usage: trtllm-serve serve [OPTIONS] MODEL",
        "Try 'trtllm-serve serve --help' for help.",
        "",
        cause,
    ]


def test_help_lists_the_options_of_the_contract_and_says_simulated() -> None:
    text = usage.render_help(CONTRACT)
    assert CONTRACT.differences_from_help(text) == ()
    assert "Simulated" in text
    assert "--tensor_parallel_size, --tp_size INTEGER" in text
