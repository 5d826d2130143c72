"""Checkpoints, whole and damaged in every way; nothing is read without bound."""

import json

import pytest

from fakes.fake_checkpoint import SHARDS, add_checkpoint, shard
from fakes.fake_host import FakeHost
from fakes.healthy import INSTALLATION
from trtllm_install.model.facts import Unknown, WeightsFacts
from trtllm_install.probes.weights import probe_weights

QWEN = INSTALLATION.instances[0]
FOLDER = QWEN.weights
INDEX = f"{FOLDER}/model.safetensors.index.json"


@pytest.fixture
def host() -> FakeHost:
    host = FakeHost()
    add_checkpoint(host, FOLDER)
    return host


def probe(host: FakeHost) -> WeightsFacts:
    weights = probe_weights(host, QWEN)
    assert isinstance(weights, WeightsFacts)
    return weights


def faults(host: FakeHost) -> list[tuple[str, str]]:
    return [(p.fault, p.path.removeprefix(FOLDER + "/")) for p in probe(host).problems]


def test_complete_checkpoint_has_no_problems_and_says_what_it_is(host: FakeHost) -> None:
    weights = probe(host)
    assert weights.problems == ()
    assert weights.blocked == ()
    assert weights.links_out == ()
    assert (weights.model_type, weights.architectures) == ("qwen3_moe", ("Qwen3MoeForCausalLM",))
    assert (weights.quantization, weights.kv_cache_quantization) == ("NVFP4", "FP8")
    assert (weights.shards, weights.tensors) == (2, 3)
    assert weights.size == len(shard(["a", "b"])) + len(shard(["c"]))


def test_absent_or_empty_folder_is_not_present() -> None:
    host = FakeHost()
    assert not probe(host).present
    host.add_file(f"{FOLDER}/README.md")
    assert not probe(host).present


def test_single_file_checkpoint_needs_no_index(host: FakeHost) -> None:
    host.remove(INDEX)
    host.add_file(f"{FOLDER}/model.safetensors", shard(["x"]))
    weights = probe(host)
    assert weights.problems == ()
    assert (weights.shards, weights.tensors) == (1, 1)


def test_quantization_falls_back_to_config_json(host: FakeHost) -> None:
    host.remove(f"{FOLDER}/hf_quant_config.json")
    config = {"quantization_config": {"quant_algo": "FP8"}}
    host.add_file(f"{FOLDER}/config.json", json.dumps(config))
    assert probe(host).quantization == "FP8"


@pytest.mark.parametrize(
    "name", ["config.json", "tokenizer.json", "model.safetensors.index.json", *SHARDS]
)
def test_each_absent_file_is_named(host: FakeHost, name: str) -> None:
    host.remove(f"{FOLDER}/{name}")
    assert faults(host) == [("absent", name)]


def test_vocabulary_with_merges_is_a_tokenizer(host: FakeHost) -> None:
    host.remove(f"{FOLDER}/tokenizer.json")
    host.add_file(f"{FOLDER}/vocab.json", "{}")
    assert faults(host) == [("absent", "tokenizer.json")]
    host.add_file(f"{FOLDER}/merges.txt", "")
    assert faults(host) == []


def test_truncated_shard_states_found_and_expected_length(host: FakeHost) -> None:
    whole = shard(["a", "b"])
    host.add_file(f"{FOLDER}/{SHARDS[0]}", whole[:-1])
    (problem,) = probe(host).problems
    assert problem.fault == "short"
    assert problem.found == f"{len(whole) - 1} bytes"
    assert problem.expected == f"{len(whole)} bytes as its header says"


def header(text: bytes) -> bytes:
    return len(text).to_bytes(8, "little") + text


def tensor(first: int, last: object) -> str:
    return json.dumps({"a": {"data_offsets": [first, last]}, "b": {"data_offsets": [4, 4]}})


@pytest.mark.parametrize(
    ("content", "fault", "told"),
    [
        (b"", "short", "0 bytes"),
        (b"1234567", "short", "7 bytes"),
        ((2**60).to_bytes(8, "little") + bytes(8), "damaged", str(2**60)),
        ((1000).to_bytes(8, "little") + b"{}", "short", "10 bytes"),
        (header(b"not json"), "damaged", "not JSON"),
        (header(b"\xff\xfe{}"), "damaged", "not JSON"),
        (header(b"[" * 100_000), "damaged", "not JSON"),
        (header(b"[]"), "damaged", "no object"),
        (header(b'{"a": 1}'), "damaged", "tensor a"),
        (header(b'{"a": {"data_offsets": [0]}}'), "damaged", "tensor a"),
        (header(b'{"a": {"data_offsets": [true, 4]}}'), "damaged", "tensor a"),
        (header(b'{"a": {"data_offsets": [4, 0]}}'), "damaged", "tensor a"),
        (header(tensor(1, 4).encode()), "damaged", "at byte"),
        (header(tensor(0, 9).encode()), "damaged", "at byte"),
        (shard(["a", "b"]) + b"x", "long", "bytes"),
        (shard(["a"]), "differs", "first b"),
    ],
)
def test_each_kind_of_damage_is_told_by_file(
    host: FakeHost, content: bytes, fault: str, told: str
) -> None:
    host.add_file(f"{FOLDER}/{SHARDS[0]}", content)
    (problem,) = probe(host).problems
    assert problem.fault == fault
    assert problem.path == f"{FOLDER}/{SHARDS[0]}"
    assert told in problem.found


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("{", "not JSON, line 1"),
        ("[]", "no object"),
        ("{}", "no weight_map"),
        ('{"weight_map": []}', "no weight_map"),
        ('{"weight_map": {"a": "../../etc/shadow"}}', "../../etc/shadow"),
        ('{"weight_map": {"a": 7}}', "no such file"),
    ],
)
def test_damaged_index_is_told_and_never_leads_out_of_the_folder(
    host: FakeHost, content: str, found: str
) -> None:
    host.add_file(INDEX, content)
    (problem,) = probe(host).problems
    assert found in problem.found


def test_hundred_gigabytes_are_judged_by_their_headers(host: FakeHost) -> None:
    size = 100 * 10**9
    text = json.dumps({"a": {"data_offsets": [0, 1]}, "b": {"data_offsets": [1, size]}}).encode()
    host.add_file(f"{FOLDER}/{SHARDS[0]}", header(text), size=8 + len(text) + size)
    weights = probe(host)
    assert weights.problems == ()
    assert weights.size > size


def test_links_into_a_hub_cache_are_followed_and_their_folder_is_told() -> None:
    host = FakeHost()
    hub = "/home/me/.cache/huggingface/hub/models--q"
    add_checkpoint(host, f"{hub}/blobs")
    for name in host.names_in(f"{hub}/blobs"):
        host.add_link(f"{FOLDER}/{name}", f"{hub}/blobs/{name}")
    weights = probe(host)
    assert weights.problems == ()
    assert weights.links_out == (f"{hub}/blobs",)
    host.add_directory(f"{hub}/blobs", mode=0o700, owner="me", group="me")
    host.add_directory(hub, mode=0o700, owner="me", group="me")
    blocked = {b.path: b.above for b in probe(host).blocked}
    assert blocked == {hub: True, f"{hub}/blobs": False}  # the unit binds the folder itself
    host.remove(f"{hub}/blobs/{SHARDS[1]}")
    assert faults(host) == [("absent", SHARDS[1])]


def test_link_loop_is_an_absent_file(host: FakeHost) -> None:
    host.remove(f"{FOLDER}/{SHARDS[0]}")
    host.add_link(f"{FOLDER}/{SHARDS[0]}", SHARDS[0])
    assert faults(host) == [("absent", SHARDS[0])]


def test_closed_home_and_closed_files_are_blocked(host: FakeHost) -> None:
    host.add_directory("/home/me", mode=0o700, owner="me", group="me")
    host.add_file(f"{FOLDER}/tokenizer.json", "{}", mode=0o600, owner="me", group="me")
    blocked = {b.path: (b.mode, b.owner, b.above) for b in probe(host).blocked}
    assert blocked == {
        "/home/me": (0o700, "me", True),
        f"{FOLDER}/tokenizer.json": (0o600, "me", False),
    }


def test_service_user_enters_by_owner_and_group(host: FakeHost) -> None:
    host.add_directory("/home/me", mode=0o750, owner="me", group="trtllm")
    host.add_directory(FOLDER, mode=0o500, owner="trtllm", group="me")
    assert probe(host).blocked == ()
    host.add_directory(FOLDER, mode=0o077, owner="trtllm", group="me")
    assert [b.path for b in probe(host).blocked] == [FOLDER]


def test_remote_code_is_listed(host: FakeHost) -> None:
    host.add_file(f"{FOLDER}/modeling_nemotron.py")
    assert probe(host).remote_code == ("modeling_nemotron.py",)


def test_folder_that_may_not_be_read_is_unknown_not_missing(host: FakeHost) -> None:
    host.forbid("/home/me")
    weights = probe_weights(host, QWEN)
    assert isinstance(weights, Unknown)
    assert "permission denied" in weights.reason
