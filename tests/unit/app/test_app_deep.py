"""Hashing the weights: once each, gone on with after a cut, compared with hub and record."""

from dataclasses import dataclass, field
from functools import cache

import pytest

from fakes.fake_checkpoint import SHARDS, add_checkpoint
from fakes.fake_host import FakeHost
from fakes.fake_systemd import debian
from fakes.heard import Heard
from trtllm_install.app.deep import look_deep
from trtllm_install.app.observe import Judged, look_at
from trtllm_install.app.options import Options
from trtllm_install.model import layout
from trtllm_install.model.errors import ConfigError, Interrupted
from trtllm_install.model.hashes import DeepFacts
from trtllm_install.probes.download import RECORDS

FOLDER = "/w/nvidia/Qwen3-30B-A3B-FP4"
NEMOTRON = "/w/nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-NVFP4"
OPTIONS = Options(profile="qwen", weights_dir="/w")


@dataclass(slots=True)
class Machine:
    """A host with one checkpoint, and how often each of its files was read."""

    host: FakeHost = field(default_factory=debian)
    reads: list[str] = field(default_factory=list)
    cut_at: int = 0

    def __post_init__(self) -> None:
        add_checkpoint(self.host, FOLDER)

    def look(self, *, record: str | None = None, compare: str | None = None) -> "Looked":
        heard = Heard()
        found, deep = look_deep(
            _Counting(self),  # type: ignore[arg-type]
            judged("qwen"),
            OPTIONS,
            heard,
            record=record,
            compare=compare,
        )
        return Looked(judged=found, deep=deep, heard=heard)


@cache
def judged(profile: str) -> Judged:
    """Only where the weights are matters here, and that is always the same."""
    host = debian()
    add_checkpoint(host, FOLDER)
    host.add_link(NEMOTRON, FOLDER)
    return look_at(host, Options(profile=profile, weights_dir="/w"), Heard())


@dataclass(frozen=True, slots=True)
class Looked:
    judged: Judged
    deep: DeepFacts
    heard: Heard

    @property
    def codes(self) -> dict[str, str]:
        return {f.found: f.code for f in self.judged.findings if f.code in _CODES}


_CODES = {"weights-hash-differs", "weights-changed"}


class _Counting:
    """The host, counting what is hashed; at the n-th the operator presses Control-C."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def __getattr__(self, name: str) -> object:
        return getattr(self._machine.host, name)

    def hash_file(self, path: str, *rest: object) -> object:
        self._machine.reads.append(path)
        if len(self._machine.reads) == self._machine.cut_at:
            raise KeyboardInterrupt
        return self._machine.host.hash_file(path, *rest)  # type: ignore[arg-type]


@pytest.fixture
def machine() -> Machine:
    return Machine()


def test_every_file_is_hashed_and_nothing_is_left_to_go_on_with(machine: Machine) -> None:
    looked = machine.look()
    assert sorted(f.file.name for f in looked.deep.files) == sorted(machine.host.names_in(FOLDER))
    assert looked.deep.read == sum(f.file.identity.size for f in looked.deep.files)
    assert looked.codes == {}
    assert machine.host.look(layout.WEIGHTS_HASHES) is None
    last = looked.heard.progressed[-1]
    assert (last.files, last.done) == (last.of, last.total)


def test_the_next_run_reads_the_disk_again(machine: Machine) -> None:
    machine.look()
    first = sorted(machine.reads)
    machine.reads.clear()
    machine.look()
    assert sorted(machine.reads) == first


def test_a_run_that_was_cut_off_is_gone_on_with(machine: Machine) -> None:
    machine.cut_at = 4
    with pytest.raises(Interrupted, match=r"\d of 6 files are hashed and kept") as cut:
        machine.look()
    assert cut.value.exit_code == 130
    kept = machine.host.read(layout.WEIGHTS_HASHES)
    assert kept is not None
    before, machine.cut_at = set(machine.reads), 0
    machine.reads.clear()
    looked = machine.look()
    again = [f for f in looked.deep.files if not f.read]
    assert again
    assert len(machine.reads) + len(again) == len(looked.deep.files) == 6
    assert {f.file.path for f in again} <= before


def test_a_file_that_changed_since_the_cut_is_read_again(machine: Machine) -> None:
    machine.cut_at = 6
    with pytest.raises(Interrupted):
        machine.look()
    machine.cut_at = 0
    for name in machine.host.names_in(FOLDER):
        machine.host.add_file(f"{FOLDER}/{name}", f"other {name}")
    machine.reads.clear()
    machine.look()
    assert len(machine.reads) == 6


def test_folders_that_two_instances_share_are_read_once(machine: Machine) -> None:
    machine.host.add_link(NEMOTRON, FOLDER)
    host, both = _Counting(machine), judged("multi")
    _, deep = look_deep(host, both, OPTIONS, Heard(), record=None, compare=None)  # type: ignore[arg-type]
    assert len(deep.files) == 12
    assert len(machine.reads) == 6


@pytest.mark.parametrize("etag", ["sha256", "git"])
def test_content_that_the_hub_does_not_have_is_found(machine: Machine, etag: str) -> None:
    hashes = machine.host.hash_file(f"{FOLDER}/{SHARDS[0]}", ("sha256", "git"), lambda _: True)
    assert hashes is not None
    record = f"{FOLDER}/{RECORDS}/{SHARDS[0]}.metadata"
    machine.host.add_file(record, f"rev\n{hashes[1][etag]}\n1.0\n")  # type: ignore[index]
    assert machine.look().codes == {}
    whole = machine.host.read(f"{FOLDER}/{SHARDS[0]}")
    assert whole is not None
    machine.host.add_file(f"{FOLDER}/{SHARDS[0]}", whole[:-1] + b"!")  # same length, still valid
    (found,) = machine.look().codes.items()
    assert found[1] == "weights-hash-differs"
    assert f"{FOLDER}/{SHARDS[0]} has sha256" in found[0]


def test_what_was_written_down_is_compared(machine: Machine) -> None:
    machine.look(record="")
    assert machine.host.look(layout.WEIGHTS_MANIFEST) is not None
    assert machine.look(compare="").codes == {}
    machine.host.add_file(f"{FOLDER}/config.json", '{"model_type": "other"}')
    machine.host.add_file(f"{FOLDER}/modeling.py", "import os")
    machine.host.remove(f"{FOLDER}/tokenizer.json")
    codes = machine.look(compare="").codes
    assert set(codes.values()) == {"weights-changed"}
    words = sorted(found.removeprefix(FOLDER + "/").split(",")[0] for found in codes)
    assert [w.rsplit(" ", 1)[0] for w in words] == [
        "config.json has sha256",
        "modeling.py is",
        "tokenizer.json is",
    ]


def test_a_folder_that_was_never_recorded_is_said_to_be(machine: Machine) -> None:
    machine.host.add_file("/m.json", '{"schema": 1, "folders": {}}')
    assert list(machine.look(compare="/m.json").codes) == [f"{FOLDER} was not recorded"]


@pytest.mark.parametrize("content", [None, "{", "[]", '{"schema": 2}', '{"schema": 1}'])
def test_a_manifest_that_cannot_be_used_ends_the_run_before_anything_is_read(
    machine: Machine, content: str | None
) -> None:
    if content is not None:
        machine.host.add_file("/m.json", content)
    with pytest.raises(ConfigError, match=r"cannot compare with /m\.json"):
        machine.look(compare="/m.json")
    assert machine.reads == []


def test_a_user_keeps_hashes_in_a_place_of_their_own(machine: Machine) -> None:
    machine.host.root = False
    machine.host.variables |= {"HOME": "/home/me", "USER": "me"}
    machine.look(record="")
    assert machine.host.look("/home/me/.local/state/trtllm/weights-manifest.json") is not None


def test_damaged_hashes_of_a_run_before_are_no_hashes(machine: Machine) -> None:
    machine.host.add_directory(layout.STATE)
    machine.host.add_file(layout.WEIGHTS_HASHES, '{"schema": 1, "files": [1]}')
    assert all(f.read for f in machine.look().deep.files)
