"""Real NVML processes over described hosts: what is read, and what ``check`` says of it."""

import json
from pathlib import Path

import pytest

from nvml.compiled import build
from nvml.described import NAMES, DescribedHost, description
from nvml.golden_answers import GOLDEN, answer_of, text_of
from trtllm_install.model.catalogue.gpu_state import KINDS
from trtllm_install.model.catalogue.system import KINDS as SYSTEM
from trtllm_install.model.facts import GpuFacts, GpuMemory
from trtllm_install.probes.gpu import probe_gpus


@pytest.fixture(scope="module")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("libraries"), "nvml.c")


@pytest.mark.parametrize("name", NAMES)
def test_check_says_of_each_described_host_what_is_kept(
    name: str, libraries: Path, tmp_path: Path
) -> None:
    answer = answer_of(tmp_path, libraries, name)
    kept = (GOLDEN / f"{name}.json").read_text(encoding="utf-8")
    assert text_of(answer) == kept, "read the difference, then scripts/golden-update.sh"
    for finding in answer["findings"]:
        assert finding["severity"] == "info" or finding["remedy"], finding["code"]


def test_every_kept_answer_is_of_a_described_host() -> None:
    assert sorted(path.stem for path in GOLDEN.glob("*.json")) == NAMES


def test_every_finding_about_the_state_of_gpus_is_shown_by_a_described_host() -> None:
    """The catalogue holds nothing that no host can show; CUDA itself has tests of its own."""
    kept = [json.loads(path.read_text(encoding="utf-8")) for path in GOLDEN.glob("*.json")]
    shown = {finding["code"] for answer in kept for finding in answer["findings"]}
    assert {code for code in KINDS if not code.startswith("cuda-")} - shown == set()


def test_every_finding_about_the_system_is_shown_by_a_described_host() -> None:
    kept = [json.loads(path.read_text(encoding="utf-8")) for path in GOLDEN.glob("*.json")]
    shown = {finding["code"] for answer in kept for finding in answer["findings"]}
    # Of images and installations, which a described host has none of; and of weights that no
    # fixture is as large as.
    elsewhere = {"account-absent", "file-removed", "host-memory-small"}
    codes = {code for code in SYSTEM if not code.startswith("image-")}
    assert codes - shown - elsewhere == set()


def test_two_h200_are_read_as_they_were_recorded(libraries: Path, tmp_path: Path) -> None:
    facts = probe_gpus(DescribedHost(tmp_path, libraries, description("h200x2")))
    assert isinstance(facts, GpuFacts)
    assert (facts.driver, facts.cuda) == ("580.159.04", (13, 0))
    first, second = facts.gpus
    assert first.memory == GpuMemory(total=150754820096, free=150109880320)
    assert (first.pci, first.minor) == ("0000:00:06.0", 0)
    assert (second.pci, second.minor) == ("0000:00:07.0", 1)
    health = first.health
    assert (health.ecc, health.persistence, health.pages_pending) == (True, True, None)
    assert (health.compute_mode, health.recovery, health.slowed_by) == ("default", "none", ())
    assert first.unread == ()


def test_processes_that_the_driver_lists_keep_their_figures(
    libraries: Path, tmp_path: Path
) -> None:
    told = description("in-use")
    told["gpus"][0]["processes"] = [700, None, 701, 1024]
    facts = probe_gpus(DescribedHost(tmp_path, libraries, told))
    assert isinstance(facts, GpuFacts)
    unsaid, said = facts.gpus[0].processes
    assert (unsaid.pid, unsaid.memory, unsaid.unit) == (700, None, "ollama.service")
    assert (said.pid, said.memory, said.name) == (701, 1024, "jupyter")
