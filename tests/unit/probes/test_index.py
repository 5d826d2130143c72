"""The index, pair by pair: the same as a JSON reader makes of it."""

import json

import pytest

from trtllm_install.probes.index import parse_index

MAP = {"a": "1.safetensors", "b.weight": "2.safetensors", "c": "1.safetensors"}
SHARDS = {"1.safetensors": ["a", "c"], "2.safetensors": ["b.weight"]}


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("first", [True, False])
def test_shards_and_total_wherever_they_stand(*, indent: int | None, first: bool) -> None:
    parts = {"metadata": {"total_size": 7}, "weight_map": MAP}
    document = parts if first else dict(reversed(parts.items()))
    index = parse_index(json.dumps(document, indent=indent))
    assert index is not None
    assert (dict(index.shards), index.total) == (SHARDS, 7)


@pytest.mark.parametrize(
    "document",
    [
        {"weight_map": {**MAP, 'quo"te': "1.safetensors"}},  # an escape
        {"note": '"weight_map": {"x": "y"}', "weight_map": MAP},  # inside a text
        {"other": {"weight_map": {"x": "y"}}, "weight_map": MAP},
        {"weight_map": {"a": 7}},
        {"weight_map": {"a": {"b": "c"}}},
    ],
)
def test_odd_ones_are_read_as_json_reads_them(document: dict[str, dict[str, object]]) -> None:
    index = parse_index(json.dumps(document))
    assert index is not None
    read = {t: s for s, tensors in index.shards.items() for t in tensors}
    assert read == {t: str(s) for t, s in document["weight_map"].items()}


@pytest.mark.parametrize("text", ["[]", "{}", '{"weight_map": {}}', '{"weight_map": [1]}'])
def test_an_index_without_a_map_is_none(text: str) -> None:
    assert parse_index(text) is None


@pytest.mark.parametrize(
    "text", ["", "{", '{"weight_map": {"a": "b",}', '{"weight_map": {"a": "b"}']
)
def test_what_is_no_json_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_index(text)
