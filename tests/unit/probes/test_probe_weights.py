"""Checkpoints, whole and damaged in every way; nothing is read without bound."""

import json
from hashlib import sha256

import pytest
from safetensors import SafetensorError, deserialize

from fakes.fake_checkpoint import SHARDS, add_checkpoint, shard
from fakes.fake_host import FakeHost, Node
from fakes.healthy import INSTALLATION
from trtllm_install.model.facts import RemoteCode, Unknown, WeightsFacts
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


def tensor(first: object, last: object, *, dtype: str = "U8", shape: str = "[4]") -> bytes:
    offsets = f'"data_offsets": [{first}, {last}]'
    return f'{{"dtype": "{dtype}", "shape": {shape}, {offsets}}}'.encode()


def of(a: bytes, b: bytes = b"", data: int = 4) -> bytes:
    """A file whose header lists tensor a, and b where one is given."""
    second = b', "b": ' + b if b else b""
    return header(b'{"a": ' + a + second + b"}") + bytes(data)


EMPTY = tensor(4, 4, shape="[0]")
DAMAGED = [
    (b"", "short", "0 bytes"),
    (b"1234567", "short", "7 bytes"),
    ((2**60).to_bytes(8, "little") + bytes(8), "header", f"{2**60} bytes at byte 0"),
    ((1000).to_bytes(8, "little") + b"{}", "short", "10 bytes"),
    (header(b"not json"), "header", "no JSON at byte 8"),
    (header(b'{"a": 7'), "header", "no JSON at byte 15"),
    (header(b"\xff\xfe{}"), "header", "no JSON"),
    (header(b"[" * 100_000), "header", "no JSON"),
    (header(b"[]"), "header", "at byte 8 that is no object"),
    (header(b'{"a": 1}'), "header", "tensor a"),
    (of(b'{"dtype": "U8", "shape": [4]}'), "header", "tensor a"),
    (of(b'{"dtype": "U8", "shape": [4], "data_offsets": [0]}'), "header", "tensor a"),
    (of(tensor("true", 4)), "header", "tensor a"),
    (of(tensor(4, 0)), "header", "tensor a"),
    (of(tensor(0, 4, shape='["4"]')), "header", "tensor a"),
    (of(tensor(0, 4), tensor(2, 6), 6), "layout", "overlaps"),
    (of(tensor(0, 4), tensor(5, 9), 9), "layout", "leaves a gap"),
    (of(tensor(1, 5), data=5), "layout", "leaves a gap"),
    (of(tensor(0, 4, shape="[5]")), "layout", "with 4 bytes"),
    (of(tensor(0, 4, dtype="BF16")), "layout", "with 4 bytes"),
    (shard(["a", "b"])[:-1], "short", "bytes"),
    (shard(["a", "b"]) + b"x", "long", "bytes"),
]


@pytest.mark.parametrize(("content", "fault", "told"), DAMAGED)
def test_each_kind_of_damage_is_told_by_file_and_byte(
    host: FakeHost, content: bytes, fault: str, told: str
) -> None:
    host.add_file(f"{FOLDER}/{SHARDS[0]}", content)
    (problem,) = probe(host).problems
    assert problem.fault == fault
    assert problem.path == f"{FOLDER}/{SHARDS[0]}"
    assert told in problem.found
    with pytest.raises(SafetensorError):  # the format's own reader agrees
        deserialize(content)


def test_a_name_given_twice_is_damage_although_readers_take_the_last(host: FakeHost) -> None:
    content = header(b'{"a": %b, "a": %b}' % (tensor(0, 4), tensor(0, 4))) + bytes(4)
    host.add_file(f"{FOLDER}/{SHARDS[0]}", content)
    (problem,) = probe(host).problems
    assert (problem.fault, problem.found) == ("header", "tensor a twice in the header at byte 8")


@pytest.mark.parametrize(
    "content",
    [
        of(tensor(0, 4), EMPTY),
        of(tensor(0, 4, dtype="F4", shape="[8]"), EMPTY),
        of(tensor(0, 4, dtype="F32", shape="[]"), EMPTY),
        shard(["a", "b"], each=0),
    ],
)
def test_what_the_format_allows_is_no_damage(host: FakeHost, content: bytes) -> None:
    deserialize(content)
    host.add_file(f"{FOLDER}/{SHARDS[0]}", content)
    assert {p.fault for p in probe(host).problems} <= {"total"}


def test_tensor_that_its_shard_lacks_is_named(host: FakeHost) -> None:
    host.add_file(f"{FOLDER}/{SHARDS[0]}", shard(["a"]))
    (problem,) = probe(host).problems
    assert problem.fault == "differs"
    assert "first b" in problem.found


def test_another_total_in_the_index_is_told(host: FakeHost) -> None:
    host.add_file(
        INDEX,
        json.dumps({"metadata": {"total_size": 47}, "weight_map": {"c": SHARDS[1]}}),
    )
    (problem,) = probe(host).problems
    assert (problem.fault, problem.found) == ("total", "a total_size of 47 bytes")
    assert "16 bytes" in problem.expected


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("{", "not JSON at line 1, character 1"),
        ("[]", "no weight_map"),
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


@pytest.mark.parametrize("name", ["config.json", "model.safetensors.index.json"])
def test_json_of_a_gigabyte_is_not_read(host: FakeHost, name: str) -> None:
    host.add_file(f"{FOLDER}/{name}", "{", size=10**9)
    assert faults(host) == [("config", name)]


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", SHARDS[0]])
@pytest.mark.parametrize("kind", ["other", "directory"])
def test_what_is_no_file_is_told_and_never_opened(host: FakeHost, name: str, kind: str) -> None:
    path = f"{FOLDER}/{name}"
    host.nodes[path] = Node(kind=kind, mode=0o666)  # type: ignore[arg-type]
    assert faults(host) == [("not-a-file", name)]


def test_hundred_gigabytes_are_judged_by_their_headers(host: FakeHost) -> None:
    size = 100 * 10**9
    text = b'{"a": %b, "b": %b}' % (
        tensor(0, 4),
        tensor(4, size, dtype="BF16", shape=f"[2, {(size - 4) // 4}]"),
    )
    host.add_file(f"{FOLDER}/{SHARDS[0]}", header(text), size=8 + len(text) + size)
    weights = probe(host)
    assert {p.fault for p in weights.problems} == {"total"}
    assert weights.size > size
    assert weights.dtypes == (("BF16", size - 4), ("U8", 4 + 16))


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


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", SHARDS[0]])
def test_link_loop_is_no_file(host: FakeHost, name: str) -> None:
    host.remove(f"{FOLDER}/{name}")
    host.add_link(f"{FOLDER}/{name}", name)
    assert faults(host) == [("not-a-file", name)]


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


def test_remote_code_is_listed_by_hash_and_bounded(host: FakeHost) -> None:
    host.add_file(f"{FOLDER}/modeling_nemotron.py", "import os\n")
    host.add_file(f"{FOLDER}/large.py", "", size=10**9)
    assert probe(host).remote_code == (
        RemoteCode(name="large.py", sha256=""),
        RemoteCode(name="modeling_nemotron.py", sha256=sha256(b"import os\n").hexdigest()),
    )


def test_code_of_another_repository_is_named_as_it_is_written(host: FakeHost) -> None:
    config = {"auto_map": {"AutoConfig": "them/code--conf.Conf", "AutoModel": "model.Model"}}
    tokenizer = {
        "auto_map": {"AutoTokenizer": ["them/code--tok.Tok", None, "them/code--conf.Conf"]}
    }
    host.add_file(f"{FOLDER}/config.json", json.dumps(config))
    host.add_file(f"{FOLDER}/tokenizer_config.json", json.dumps(tokenizer))
    assert probe(host).code_elsewhere == ("them/code--conf.Conf", "them/code--tok.Tok")
    host.add_file(f"{FOLDER}/config.json", json.dumps({"auto_map": ["them/code--x.X"]}))
    host.remove(f"{FOLDER}/tokenizer_config.json")
    assert probe(host).code_elsewhere == ()


def test_kv_cache_quantization_is_read_and_never_assumed(host: FakeHost) -> None:
    quant = f"{FOLDER}/hf_quant_config.json"
    host.add_file(quant, json.dumps({"quantization": {"quant_algo": "NVFP4"}}))
    assert probe(host).kv_cache_quantization == ""
    host.remove(quant)
    scheme = {"quant_method": "compressed-tensors", "kv_cache_scheme": {"num_bits": 8}}
    host.add_file(f"{FOLDER}/config.json", json.dumps({"quantization_config": scheme}))
    weights = probe(host)
    assert (weights.quantization, weights.kv_cache_quantization) == ("compressed-tensors", "FP8")


def test_interrupted_download_is_noticed_also_where_nothing_is_complete() -> None:
    host = FakeHost()
    records = f"{FOLDER}/.cache/huggingface/download"
    host.add_file(f"{records}/model-00001-of-00002.safetensors.ab.incomplete", size=10**9)
    host.add_file(f"{records}/config.json.metadata")
    weights = probe(host)
    assert (weights.present, weights.unfinished) == (False, 1)


@pytest.mark.parametrize(
    ("owner", "variables", "who"),
    [
        ("me", {"SUDO_USER": "me"}, ""),
        ("me", {"SUDO_USER": "you"}, "me"),
        ("me", {}, "me"),
        ("root", {}, ""),
        ("root", {"SUDO_USER": "you"}, "root"),
    ],
)
def test_download_is_the_business_of_who_owns_the_folder(
    owner: str, variables: dict[str, str], who: str
) -> None:
    host = FakeHost(variables=variables)
    host.add_directory("/home/me", owner=owner)
    assert probe(host).download_as == who


def test_folder_that_may_not_be_read_is_unknown_not_missing(host: FakeHost) -> None:
    host.forbid("/home/me")
    weights = probe_weights(host, QWEN)
    assert isinstance(weights, Unknown)
    assert "permission denied" in weights.reason
