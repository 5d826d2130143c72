"""Memory, account, CUDA toolkit and Open MPI, and what they say where they cannot be read."""

import pytest

from fakes.fake_host import FakeHost
from trtllm_install.model.facts import SystemFacts, Unknown
from trtllm_install.probes.system import probe_system

LIBRARY = "/usr/lib/aarch64-linux-gnu/libmpi.so.40"


def host() -> FakeHost:
    made = FakeHost()
    made.add_file("/proc/meminfo", "MemTotal:   2048 kB\nMemFree: 1 kB\nMemAvailable:  1024 kB\n")
    return made


def seen(made: FakeHost) -> SystemFacts:
    facts = probe_system(made, simulate=False)
    assert isinstance(facts, SystemFacts)
    return facts


def test_system_reads_memory_account_and_libraries() -> None:
    made = host()
    made.add_account("trtllm", "/var/lib/trtllm")
    made.add_program("/usr/local/cuda-13.1/bin/ptxas")
    made.add_link("/usr/local/cuda", "cuda-13.1")
    made.add_program("/usr/bin/mpirun")
    made.answer_command(["/usr/bin/mpirun", "--version"], "mpirun (Open MPI) 4.1.4\n\nReport bugs")
    assert seen(made) == SystemFacts(
        account=True,
        memory_total=2 * 2**20,
        memory_available=2**20,
        cuda_home="/usr/local/cuda",
        toolkit="13.1",
        open_mpi="4.1.4",
    )


@pytest.mark.parametrize("text", ["", "MemTotal: 2048 kB\n", "MemAvailable: 7 kB\n"])
def test_memory_that_is_not_stated_is_unknown_and_not_zero(text: str) -> None:
    made = host()
    made.add_file("/proc/meminfo", text)
    facts = probe_system(made, simulate=False)
    assert isinstance(facts, Unknown)
    assert "/proc/meminfo" in facts.reason


def test_bare_host_has_neither_toolkit_nor_mpi() -> None:
    facts = seen(host())
    assert (facts.cuda_home, facts.toolkit, facts.open_mpi, facts.account) == (
        None,
        "",
        None,
        False,
    )


def test_version_of_a_toolkit_is_what_it_states_itself() -> None:
    made = host()
    made.add_program("/usr/local/cuda/bin/nvcc")
    made.add_file("/usr/local/cuda/version.json", '{"cuda": {"version": "13.1.0"}}')
    assert (seen(made).cuda_home, seen(made).toolkit) == ("/usr/local/cuda", "13.1.0")
    made.add_file("/usr/local/cuda/version.json", '["not", "that"]')
    assert seen(made).toolkit == ""


def test_newest_toolkit_is_taken_where_none_is_chosen() -> None:
    made = host()
    for version in ("12.8", "13.1", "9.2"):
        made.add_program(f"/usr/local/cuda-{version}/bin/nvcc")
    made.add_directory("/usr/local/cuda-14.0")  # only a folder
    assert (seen(made).cuda_home, seen(made).toolkit) == ("/usr/local/cuda-13.1", "13.1")


@pytest.mark.parametrize(
    ("file", "version"),
    [
        ("libmpi.so.40.30.6", "4.1.6"),
        ("libmpi.so.40.40.7", "5.0.7"),
        ("libmpi.so.40.20.3", "4.0.3"),
        ("libmpi.so.40.99.1", ""),
    ],
)
def test_open_mpi_without_mpirun_is_told_by_the_name_of_its_library(
    file: str, version: str
) -> None:
    made = host()
    made.add_file(f"/usr/lib/aarch64-linux-gnu/{file}")
    made.add_link(LIBRARY, file)
    assert seen(made).open_mpi == version


def test_mpirun_that_does_not_run_is_no_version_and_no_failure_of_the_rest() -> None:
    made = host()
    made.add_program("/usr/bin/mpirun")
    made.answer_command(["/usr/bin/mpirun", "--version"], takes=60.0)
    assert seen(made).open_mpi == ""
    made.add_file("/usr/lib/aarch64-linux-gnu/libmpi.so.40.30.6")
    made.add_link(LIBRARY, "libmpi.so.40.30.6")
    assert seen(made).open_mpi == "4.1.6"


def test_simulation_asks_for_neither_cuda_nor_mpi() -> None:
    made = host()
    made.add_program("/usr/bin/mpirun")
    probe_system(made, simulate=True)
    assert made.ran == []
