"""What the simulated engine ends with is what the launcher judges real engines by."""

from pathlib import Path

import pytest

from fakes.simulated_engine import QWEN, simulated_engine, write_checkpoint
from trtllm_install.launcher.classify import judge_exit
from trtllm_install.model import exits

_SHARD = "model-00002-of-00002.safetensors"


@pytest.mark.parametrize(
    ("arguments", "faults", "config", "code"),
    [
        (["--prot", "1"], "", None, exits.CONFIGURATION),
        ([], "", "max_batchsize: 4\n", exits.CONFIGURATION),
        ([], "", "a: [\n", exits.CONFIGURATION),
        (["--backend", "_autodeploy", "--tp_size", "2"], "", None, exits.CONFIGURATION),
        ([], "load_seconds=0,oom", None, exits.OOM_LOADING),
        ([], "exit_code=9", None, exits.CRASH),
    ],
)
def test_a_failed_start_is_classified(
    tmp_path: Path, arguments: list[str], faults: str, config: str | None, code: int
) -> None:
    with simulated_engine(tmp_path, *arguments, faults=faults, config=config, wait=False) as engine:
        status = engine.process.wait(20) << 8
        verdict = judge_exit(status, engine.log.splitlines(), ready=False)
        assert verdict.code == code, verdict


def test_a_taken_port_is_no_crash(tmp_path: Path) -> None:
    with (
        simulated_engine(tmp_path) as first,
        simulated_engine(tmp_path / "second", port=first.port, wait=False) as second,
    ):
        status = second.process.wait(20) << 8
        verdict = judge_exit(status, second.log.splitlines(), ready=False)
        assert verdict.code == exits.TEMPORARY


def test_missing_and_damaged_weights_are_weights(tmp_path: Path) -> None:
    for spoil in (lambda path: path.write_bytes(b"short"), lambda path: path.unlink()):
        folder = write_checkpoint(tmp_path, QWEN)
        spoil(folder / _SHARD)
        with simulated_engine(tmp_path, wait=False, whole=False) as engine:
            status = engine.process.wait(20) << 8
            verdict = judge_exit(status, engine.log.splitlines(), ready=False)
            assert verdict.code == exits.WEIGHTS, verdict
