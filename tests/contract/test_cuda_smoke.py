"""The CUDA smoke test as a real process, against a libcuda.so.1 whose faults are told."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from nvml.compiled import build
from trtllm_install.host.local import LocalHost
from trtllm_install.host.protocol import Completed
from trtllm_install.model.facts import SmokeFacts
from trtllm_install.model.facts.gpu import SmokeRun
from trtllm_install.probes import smoke
from trtllm_install.probes.smoke import Sandbox, probe_smoke

FIRST = "GPU-11111111-2222-3333-4444-555555555555"
SECOND = "GPU-aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
GPUS = f"uuid {FIRST}\nuuid {SECOND}\n"
PYTHON = "/usr/bin/python3"


class CudaHost(LocalHost):
    """This machine, with a described CUDA."""

    def __init__(self, libraries: Path, told: Path) -> None:
        super().__init__()
        self._told = {"LD_LIBRARY_PATH": str(libraries), "CUDA_TEST_HOST": str(told)}

    def run(
        self,
        argv: Sequence[str],
        *,
        timeout: float = 30.0,
        environment: Mapping[str, str] | None = None,
        stdin: str = "",
    ) -> Completed:
        """Run with the library of the tests before any other."""
        told = {**(environment or {}), **self._told}
        return super().run(argv, timeout=timeout, environment=told, stdin=stdin)


@pytest.fixture(scope="module")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("libraries"), "cuda.c")


def smoke_of(
    libraries: Path, folder: Path, *told: str, sandbox: Sandbox | None = None
) -> SmokeFacts:
    description = folder / "cuda.txt"
    description.write_text(GPUS + "\n".join(told) + "\n", encoding="utf-8")
    host = CudaHost(libraries, description)
    facts = probe_smoke(host, [FIRST, SECOND], sandbox, python=PYTHON)
    assert isinstance(facts, SmokeFacts)
    return facts


def test_kernel_runs_on_every_gpu(libraries: Path, tmp_path: Path) -> None:
    facts = smoke_of(libraries, tmp_path)
    assert facts.outside == SmokeRun(passed=(FIRST, SECOND))
    assert not facts.outside.failed


@pytest.mark.parametrize(
    ("told", "run"),
    [
        ("fail cuInit 999", SmokeRun(step="cuInit", detail="CUDA_ERROR_UNKNOWN (999)")),
        ("fail cuInit 12345", SmokeRun(step="cuInit", detail="error (12345)")),
        (
            "fail cuModuleLoadData 221",
            SmokeRun(
                gpu=FIRST,
                step="cuModuleLoadData",
                detail="CUDA_ERROR_JIT_COMPILER_NOT_FOUND (221)",
            ),
        ),
        (
            "wrong",
            SmokeRun(
                gpu=FIRST,
                step="comparing the result",
                detail="1 of 1048576 numbers came back wrong",
            ),
        ),
    ],
)
def test_step_that_fails_is_named_as_cuda_names_it(
    libraries: Path, tmp_path: Path, told: str, run: SmokeRun
) -> None:
    assert smoke_of(libraries, tmp_path, told).outside == run


def test_driver_that_hangs_is_left_and_the_call_is_named(
    libraries: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smoke, "LIMIT_S", 1)
    run = smoke_of(libraries, tmp_path, "hang cuCtxSynchronize").outside
    assert run == SmokeRun(gpu=FIRST, step="cuCtxSynchronize", detail="no answer in 1 s")


def test_gpu_that_cuda_does_not_show_and_a_library_that_is_not_there(
    libraries: Path, tmp_path: Path
) -> None:
    description = tmp_path / "cuda.txt"
    description.write_text(f"uuid {FIRST}\n", encoding="utf-8")
    facts = probe_smoke(CudaHost(libraries, description), [FIRST, SECOND], None, python=PYTHON)
    assert isinstance(facts, SmokeFacts)
    assert facts.outside.passed == (FIRST,)
    assert (facts.outside.gpu, facts.outside.detail) == (SECOND, f"CUDA shows no {SECOND}")
    (tmp_path / "libcuda.so.1").write_text("not a library", encoding="utf-8")
    facts = probe_smoke(CudaHost(tmp_path, description), [FIRST], None, python=PYTHON)
    assert isinstance(facts, SmokeFacts)
    assert facts.outside.step == "loading libcuda.so.1"
    assert "libcuda.so.1" in facts.outside.detail


def test_sandbox_is_narrowed_to_what_breaks_cuda(libraries: Path, tmp_path: Path) -> None:
    """A sandbox of environment variables: real processes, no service manager."""
    needed = tmp_path / "needed"
    needed.write_text("", encoding="utf-8")
    groups = tuple((f"Property{n}=x",) for n in range(9))
    hidden = str(tmp_path / "hidden.txt")
    Path(hidden).write_text(GPUS + "fail cuInit 100\n", encoding="utf-8")

    def command(chosen: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
        broken = groups[6] in chosen
        return ("env", f"CUDA_TEST_HOST={hidden}") if broken else ("env",)

    facts = smoke_of(
        libraries, tmp_path, f"open {needed}", sandbox=Sandbox(groups=groups, command=command)
    )
    assert not facts.outside.failed
    assert isinstance(facts.inside, SmokeRun)
    assert facts.inside.detail == "CUDA_ERROR_NO_DEVICE (100)"
    assert facts.breaks == ("Property6=x",)
