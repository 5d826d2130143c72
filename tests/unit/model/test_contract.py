"""What trtllm-serve accepts and refuses, by the contract that is shipped."""

# ruff: noqa: E501 (a table is read by the row)

import json

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from trtllm_install import resources
from trtllm_install.model.contract import parse_contract
from trtllm_install.model.contract_arguments import ArgumentsRefusedError, Option

CONTRACT = parse_contract(json.loads(resources.read_text("configs/contract/1.3.0rc2.json")))
NAMES = sorted(name for option in CONTRACT.options for name in option.names)
MODEL = "/srv/models/nvidia/Qwen3-30B-A3B-FP4"


def _value_for(option: Option) -> st.SearchStrategy[str]:
    value = option.value
    if value.choices:
        return st.sampled_from(value.choices)
    if value.kind == "int":
        low = -5 if value.minimum is None else int(value.minimum)
        high = 70000 if value.maximum is None else int(value.maximum)
        return st.integers(low, high).map(str)
    if value.kind == "float":
        return st.floats(value.minimum or 0, value.maximum or 1).map(str)
    return st.text("abc/._", min_size=1)


@st.composite
def _option_words(draw: st.DrawFn) -> list[str]:
    """One valid option as it may stand on a command line."""
    changeable = [o for o in CONTRACT.options if o.key not in CONTRACT.autodeploy_fixed]
    option = draw(st.sampled_from(changeable))
    name = draw(st.sampled_from(option.names))
    if option.flag:
        return [name]
    value = draw(_value_for(option))
    return [f"{name}={value}"] if draw(st.booleans()) else [name, value]


@st.composite
def _valid_arguments(draw: st.DrawFn) -> list[str]:
    parts = draw(st.lists(_option_words(), max_size=6))
    parts.insert(draw(st.integers(0, len(parts))), [MODEL])
    return ["serve"] * draw(st.integers(0, 1)) + [word for part in parts for word in part]


@given(_valid_arguments())
def test_valid_arguments_have_no_problem_and_name_the_model(arguments: list[str]) -> None:
    assert CONTRACT.problems_in_arguments(arguments) == ()
    assert CONTRACT.parse_arguments(arguments).model == MODEL


@given(_valid_arguments(), st.sampled_from(NAMES), st.data())
def test_a_misspelt_option_is_exactly_one_problem(
    arguments: list[str], name: str, data: st.DataObject
) -> None:
    at = data.draw(st.integers(2, len(name) - 1))
    wrong = name[:at] + data.draw(st.sampled_from("xyz-")) + name[at + 1 :]
    assume(
        wrong not in NAMES
        and "--" + wrong[2:].replace("-", "_") not in CONTRACT.command.later_options
    )
    (problem,) = CONTRACT.problems_in_arguments([*arguments, wrong, "7"])
    assert problem.startswith(f"unknown option {wrong}")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--port", "1"], "no MODEL is given"),
        ([MODEL, "--prot", "8001"], "unknown option --prot (did you mean --port?)"),
        (["--prot", "8001", MODEL], "unknown option --prot (did you mean --port?)"),
        ([MODEL, "--tp-size", "1"], "unknown option --tp-size (did you mean --tp_size?)"),
        ([MODEL, "-p", "1"], "unknown option -p"),
        ([MODEL, "--port"], "option --port needs a value"),
        ([MODEL, "--host", "--trust_remote_code"], "option --host needs a value, found --trust_remote_code"),
        ([MODEL, "--port", "http"], "option --port must be a whole number from 1 to 65535, found 'http'"),
        ([MODEL, "--port=0"], "option --port must be a whole number from 1 to 65535, found '0'"),
        ([MODEL, "--free_gpu_memory_fraction", "1.2"], "option --free_gpu_memory_fraction must be a number from 0 to 1, found '1.2'"),
        ([MODEL, "--backend", "vllm"], "option --backend must be one of pytorch, tensorrt, _autodeploy, found 'vllm'"),
        ([MODEL, "--trust_remote_code=yes"], "option --trust_remote_code takes no value, found 'yes'"),
        ([MODEL, "/another"], "unexpected argument '/another'"),
        ([MODEL, "--help"], "--help prints the options and serves nothing"),
        (["mm_embedding_serve", MODEL], "subcommand mm_embedding_serve does not serve a model"),
        ([MODEL, "--backend", "_autodeploy", "--tp_size", "2"], "option --tensor_parallel_size must be 1 with _autodeploy, found 2"),
        ([MODEL, "--backend", "_autodeploy", "--ep_size", "1"], "option --moe_expert_parallel_size must be left out with _autodeploy, found 1"),
    ],
)  # fmt: skip
def test_each_mistake_is_named_with_its_remedy(arguments: list[str], problem: str) -> None:
    assert CONTRACT.problems_in_arguments(arguments) == (problem,)


@pytest.mark.parametrize("name", ["--served_model_name", "--served-model-name"])
def test_an_option_of_a_later_version_is_refused_with_the_reason(name: str) -> None:
    (problem,) = CONTRACT.problems_in_arguments([MODEL, name, "qwen"])
    assert "not in this version" in problem
    assert "last component of MODEL" in problem


def test_every_problem_is_reported_at_once() -> None:
    arguments = [MODEL, "--prot", "1", "--backend", "vllm", "--port", "x"]
    assert len(CONTRACT.problems_in_arguments(arguments)) == 3


def test_parallel_options_at_their_default_are_fine_with_autodeploy() -> None:
    arguments = [MODEL, "--backend", "_autodeploy", "--tp_size", "1", "--cluster_size", "4"]
    assert CONTRACT.problems_in_arguments(arguments) == ()


def test_arguments_are_read_as_click_reads_them() -> None:
    parsed = CONTRACT.parse_arguments(
        ["--tp_size=2", "--config", "a.yaml", "--extra_llm_api_options", "b.yaml", "--backend", "trt",
         "--custom_module_dirs", "x", "--custom_module_dirs", "y", "--", "-m"]
    )  # fmt: skip
    assert parsed.model == "-m"
    assert parsed.values["tensor_parallel_size"] == 2
    assert parsed.values["config"] == "b.yaml"
    assert parsed.values["backend"] == "tensorrt"
    assert parsed.values["custom_module_dirs"] == ["x", "y"]
    assert parsed.values["max_batch_size"] == 2048
    assert "max_batch_size" not in parsed.given


def test_refused_arguments_carry_their_problems() -> None:
    with pytest.raises(ArgumentsRefusedError) as refused:
        CONTRACT.parse_arguments([])
    assert [problem.fault for problem in refused.value.problems] == ["missing_model"]


@pytest.mark.parametrize(
    ("backend", "config", "problem"),
    [
        ("pytorch", None, "the file is empty: write {} for no keys"),
        ("pytorch", ["a"], "the file must hold a mapping of keys, found list"),
        ("pytorch", {"max_batchsize": 4}, "max_batchsize: unknown key; did you mean max_batch_size?"),
        ("pytorch", {True: 4}, "True: unknown key"),
        ("pytorch", {"kv_cache_config": {"free_gpu_memory_fractoin": 0.3}}, "kv_cache_config.free_gpu_memory_fractoin: unknown key; did you mean kv_cache_config.free_gpu_memory_fraction?"),
        ("pytorch", {"compile_backend": "torch-cudagraph"}, "compile_backend: known to backend _autodeploy only"),
        ("_autodeploy", {"compile_backend": "cudagraph"}, "compile_backend: must be one of torch-simple, torch-compile, torch-cudagraph, torch-opt, found 'cudagraph'"),
        ("_autodeploy", {"max_batch_size": "four"}, "max_batch_size: must be a whole number of at least 1, found 'four'"),
        ("_autodeploy", {"max_batch_size": True}, "max_batch_size: must be a whole number of at least 1, found True"),
        ("_autodeploy", {"max_seq_len": 0}, "max_seq_len: must be a whole number of at least 1, found 0"),
        ("_autodeploy", {"kv_cache_config": 0.3}, "kv_cache_config: must be a mapping, found 0.3"),
        ("_autodeploy", {"kv_cache_config": {"free_gpu_memory_fraction": 30}}, "kv_cache_config.free_gpu_memory_fraction: must be a number from 0 to 1 or null, found 30"),
        ("_autodeploy", {"cuda_graph_batch_sizes": [1, "b"]}, "cuda_graph_batch_sizes[1]: must be a whole number, found 'b'"),
        ("_autodeploy", {"transforms": {"fuse": 3}}, "transforms.fuse: must be a mapping, found 3"),
        ("_autodeploy", {"free_mem_ratio": 0.8}, "free_mem_ratio: removed from this version; use kv_cache_config.free_gpu_memory_fraction"),
        ("_autodeploy", {"visualize": True}, "visualize: removed from this version; nothing replaces it"),
        ("_autodeploy", {"transforms": {"insert_cached_ssm_attention": {"cache_config": {"mamba_dtype": None}}}}, "transforms.insert_cached_ssm_attention.cache_config.mamba_dtype: removed from this version; use kv_cache_config.mamba_ssm_cache_dtype"),
        ("_autodeploy", {"tensor_parallel_size": 2}, "tensor_parallel_size: must be 1 with _autodeploy (world_size is its only parallelism), found 2"),
    ],
)  # fmt: skip
def test_a_wrong_engine_configuration_is_named_with_its_remedy(
    backend: str, config: object, problem: str
) -> None:
    assert [str(x) for x in CONTRACT.config_problems(backend, config)] == [problem]


@pytest.mark.parametrize(
    ("backend", "config"),
    [
        ("pytorch", {}),
        ("_autodeploy", {"max_batch_size": "4", "max_seq_len": 32768.0, "world_size": 1}),
        (
            "_autodeploy",
            {"kv_cache_config": {"free_gpu_memory_fraction": None, "max_tokens": 4096}},
        ),
        ("_autodeploy", {"tensor_parallel_size": 1, "moe_config": {"anything": {"goes": 1}}}),
        ("tensorrt", {"not_known_here": 1}),
    ],
)
def test_what_the_engine_takes_is_not_a_problem(backend: str, config: object) -> None:
    assert CONTRACT.config_problems(backend, config) == ()


def test_every_fixed_key_is_a_known_key() -> None:
    assert set(CONTRACT.autodeploy_fixed) <= set(CONTRACT.config_keys["_autodeploy"])


def test_no_removed_key_is_a_known_key() -> None:
    assert not set(CONTRACT.removed_keys) & set(CONTRACT.config_keys["_autodeploy"])


def test_every_default_is_a_value_the_option_takes() -> None:
    for option in CONTRACT.options:
        if option.default is not None and not option.multiple:
            assert option.value.convert(option.default) == option.default


def test_help_of_an_engine_with_the_same_options_shows_no_difference() -> None:
    lines = [f"  {', '.join(option.names)} TEXT  words" for option in CONTRACT.options]
    assert CONTRACT.differences_from_help("\n".join([*lines, "  --help  Show this."])) == ()


def test_help_of_another_engine_shows_what_is_missing_and_new() -> None:
    lines = [
        f"  {', '.join(option.names)} TEXT"
        for option in CONTRACT.options
        if option.key not in ("port", "grpc")
    ]
    assert CONTRACT.differences_from_help("\n".join([*lines, "  --brand_new TEXT"])) == (
        "option --port is not in the engine",
        "option --brand_new is new",
    )
