"""Checkpoints on a real disk, damaged in each way: one code, the file, the byte, what mends it."""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from fakes.fake_checkpoint import SHARDS, write_checkpoint
from fakes.healthy import FACTS, INSTALLATION
from trtllm_install.host.local import LocalHost
from trtllm_install.judge.judge import judge
from trtllm_install.model.facts import WeightsFacts
from trtllm_install.model.findings import Finding
from trtllm_install.model.installation import Instance
from trtllm_install.probes.weights import probe_weights

FIRST, INDEX = SHARDS[0], "model.safetensors.index.json"
Damage = Callable[[Path], object]


class Counting(LocalHost):
    """Counts the bytes that are read."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0

    def read(self, path: str, *, limit: int | None = None, offset: int = 0) -> bytes | None:
        """See Host.read."""
        got = super().read(path, limit=limit, offset=offset)
        self.bytes += len(got or b"")
        return got


def rewritten(name: str, change: Callable[[bytes], bytes]) -> Damage:
    return lambda folder: (folder / name).write_bytes(change((folder / name).read_bytes()))


def another_shard(document: bytes) -> bytes:
    index = json.loads(document)
    index["weight_map"]["d"] = FIRST
    return json.dumps(index).encode()


def linked_to_itself(folder: Path) -> None:
    (folder / FIRST).unlink()
    (folder / FIRST).symlink_to(FIRST)


def header(length: int) -> Callable[[bytes], bytes]:
    return lambda content: length.to_bytes(8, "little") + content[8:]


DAMAGES: dict[str, tuple[Damage, str, tuple[str, ...]]] = {
    "truncated": (rewritten(FIRST, lambda c: c[:-5]), "weights-truncated", (FIRST, "bytes")),
    "longer": (rewritten(FIRST, lambda c: c + b"x"), "weights-overlong", (FIRST, "bytes")),
    "zero bytes": (rewritten(FIRST, lambda _: b""), "weights-truncated", (FIRST, "0 bytes")),
    "missing shard": (lambda f: (f / FIRST).unlink(), "weights-incomplete", (FIRST,)),
    "2^60 header": (rewritten(FIRST, header(2**60)), "weights-header-invalid", ("byte 0",)),
    "no JSON header": (
        rewritten(FIRST, lambda c: c[:8] + b"!" + c[9:]),
        "weights-header-invalid",
        (FIRST, "byte 8"),
    ),
    "overlap": (
        rewritten(FIRST, lambda c: c.replace(b"[16,32]", b"[15,31]")),
        "weights-layout-invalid",
        (FIRST, "byte"),
    ),
    "wrong index": (rewritten(INDEX, another_shard), "weights-index-differs", (FIRST, "first d")),
    "index is no JSON": (
        rewritten(INDEX, lambda _: b"{,"),
        "weights-config-invalid",
        (INDEX, "line 1, character 1"),
    ),
    "wrong total": (
        rewritten(INDEX, lambda c: c.replace(b"48", b"49")),
        "weights-total-differs",
        (INDEX, "49 bytes"),
    ),
    "config is no JSON": (
        rewritten("config.json", lambda _: b"<html>"),
        "weights-config-invalid",
        ("config.json", "character 0"),
    ),
    "symlink loop": (linked_to_itself, "weights-not-a-file", (FIRST, "leads nowhere")),
    "folder": (
        lambda f: ((f / FIRST).unlink(), (f / FIRST).mkdir()),
        "weights-not-a-file",
        (FIRST, "a folder"),
    ),
    "pipe": (
        lambda f: ((f / FIRST).unlink(), os.mkfifo(f / FIRST)),
        "weights-not-a-file",
        (FIRST, "a pipe"),
    ),
    "no tokenizer": (
        lambda f: (f / "tokenizer.json").unlink(),
        "weights-incomplete",
        ("tokenizer.json",),
    ),
}


@pytest.fixture
def instance(tmp_path: Path) -> Instance:
    folder = tmp_path / "nvidia/Qwen3-30B-A3B-FP4"
    write_checkpoint(folder)
    tmp_path.chmod(0o755)
    return replace(INSTALLATION.instances[0], weights=str(folder))


def told(host: LocalHost, instance: Instance) -> list[Finding]:
    seen = probe_weights(host, instance)
    assert isinstance(seen, WeightsFacts)
    installation = replace(INSTALLATION, instances=(instance,), weights_dir=instance.weights)
    facts = replace(FACTS, weights=((instance.name, seen),))
    findings = judge(facts, installation)
    # Modes are left to the unit tests: the folders above are those of this machine.
    weights = [x for x in findings if x.code.startswith("weights-") and x.muted_by is None]
    return [x for x in weights if x.code != "weights-unreadable"]


def test_whole_checkpoint_has_nothing_to_tell(instance: Instance) -> None:
    assert told(LocalHost(), instance) == []


@pytest.mark.parametrize("name", DAMAGES)
def test_each_damage_has_its_code_and_names_file_and_place(name: str, instance: Instance) -> None:
    damage, code, words = DAMAGES[name]
    damage(Path(instance.weights))
    host = Counting()
    (finding,) = told(host, instance)
    assert finding.code == code
    assert all(word in finding.message for word in words), finding.message
    assert finding.remedy
    assert host.bytes < 10_000  # nothing is read without bound
    if code != "weights-incomplete":
        # What is damaged goes first, or it would be taken for what was downloaded.
        assert finding.remedy.startswith(("rm /", "rm -r /"))
