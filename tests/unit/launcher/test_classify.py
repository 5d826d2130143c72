"""What a child said and how it ended, against what the launcher concludes.

The memory, ECC and illegal-access texts are from NVIDIA/TensorRT-LLM issues 5872 and 8642
and vllm-project/vllm issues 5222 and 10389; those of nginx 1.22, pydantic 2 and click 8
were printed by them. The others have not been seen to come from a real engine.
"""

import errno
import signal
from pathlib import Path

import pytest

from fakes.engine_logs import SAMPLES, Sample
from trtllm_install.launcher.causes import CAUSES
from trtllm_install.launcher.classify import judge_exit, judge_hang, judge_spawn
from trtllm_install.launcher.station import Verdict
from trtllm_install.model import exits

EXIT_1 = 1 << 8
EXIT_2 = 2 << 8
KV_OOM = """\
[07/08/2025-19:47:15] [TRT-LLM] [RANK 1] [E] Failed to initialize executor on rank 1: \
Executor creation failed due to insufficient GPU memory.

The following component could not be created: KV cache
Total GPU memory (GiB): 140.06"""
TORCH_OOM = "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 135.00 GiB. GPU 0 has"
BIND = "RuntimeError: Failed to bind socket to 127.0.0.1:8001"
ILLEGAL = "RuntimeError: CUDA error: an illegal memory access was encountered"
ECC = "RuntimeError: CUDA error: uncorrectable ECC error encountered"
YAML_KEY = """\
pydantic_core._pydantic_core.ValidationError: 1 validation error for LlmArgs
free_mem_ratio
  Extra inputs are not permitted [type=extra_forbidden, input_value=0.8, input_type=float]"""
OPTION = """\
Usage: trtllm-serve serve [OPTIONS] MODEL
Try 'trtllm-serve serve --help' for help.

Error: No such option: --served_model_name"""
NGINX = '[emerg] unknown directive "foo" in /etc/trtllm/proxy/nginx.conf:3'
NGINX_LOG = (
    '2026/11/22 21:28:28 [emerg] 78#78: unknown directive "foo" in /etc/trtllm/proxy/a.conf:1'
)
NGINX_BIND = """\
2026/11/22 21:28:28 [emerg] 31#31: bind() to 127.0.0.1:8000 failed (98: Address already in use)
2026/11/22 21:28:28 [emerg] 31#31: still could not bind()"""
NGINX_FILE = 'nginx: [emerg] open() "/etc/trtllm/proxy/nginx.conf" failed (13: Permission denied)'
SHARD = (
    "FileNotFoundError: [Errno 2] No such file or directory: '/w/model-00002-of-00005.safetensors'"
)


@pytest.mark.parametrize(
    ("code", "text", "status", "ready"),
    [
        (exits.OOM_LOADING, KV_OOM, EXIT_1, False),
        (exits.OOM_LOADING, TORCH_OOM, EXIT_1, False),
        (exits.OOM_SERVING, TORCH_OOM, EXIT_1, True),
        (exits.TEMPORARY, BIND, EXIT_1, False),
        (exits.TEMPORARY, NGINX_BIND, EXIT_1, False),
        (exits.CONFIGURATION, OPTION, EXIT_2, False),
        (exits.CONFIGURATION, "Error: No such option '--served_model_name'.", EXIT_1, False),
        (exits.CONFIGURATION, "something click said", EXIT_2, False),
        (exits.CONFIGURATION, YAML_KEY, EXIT_1, False),
        (exits.CONFIGURATION, f"nginx: {NGINX}", EXIT_1, False),
        (exits.CONFIGURATION, NGINX_LOG, EXIT_1, False),
        (
            exits.CONFIGURATION,
            "FP4 Gemm not supported before Blackwell, nor GeForce",
            EXIT_1,
            False,
        ),
        (exits.CONFIGURATION, "ModuleNotFoundError: No module named 'torch'", EXIT_1, False),
        (
            exits.CONFIGURATION,
            "Unable to start a daemon on the local node in file ess_singleton_module.c",
            EXIT_1,
            False,
        ),
        (exits.PERMISSION, "PermissionError: [Errno 13] Permission denied: '/w'", EXIT_1, False),
        (exits.PERMISSION, NGINX_FILE, EXIT_1, False),
        (exits.WEIGHTS, SHARD, EXIT_1, False),
        (exits.WEIGHTS, "safetensors_rust.SafetensorError: Error while des", EXIT_1, False),
        (exits.GPU_RESET, ECC, EXIT_1, True),
        (exits.REBOOT, "NVML: Driver/library version mismatch", EXIT_1, False),
        (exits.REBOOT, "NVRM: GPU at PCI:0000:01:00: GPU has fallen off the bus.", EXIT_1, True),
        (exits.OS_ERROR, "OSError: [Errno 28] No space left on device", EXIT_1, False),
        (exits.CRASH, ILLEGAL, signal.SIGABRT, True),
        (exits.CRASH, "RuntimeError: No GPU devices found on the node", EXIT_1, False),
        (exits.CRASH, "", signal.SIGSEGV, True),
        (exits.CRASH, "", signal.SIGKILL, True),
        (exits.CRASH, "goodbye", 0, True),
        (exits.CRASH, "nothing that we know", EXIT_2, True),
    ],
)
def test_an_end_is_classified(code: int, text: str, status: int, ready: bool) -> None:
    verdict = judge_exit(status, ["earlier line", *text.splitlines()], ready=ready)
    assert verdict.code == code


@pytest.mark.parametrize("sample", SAMPLES, ids=[sample.source for sample in SAMPLES])
def test_what_was_said_in_public_threads_is_classified(sample: Sample) -> None:
    lines = ["Traceback (most recent call last):", *sample.text.splitlines(), "a later line"]
    verdict = judge_exit(EXIT_1, lines, ready=sample.ready)
    assert verdict.code == sample.code
    assert verdict.signature != f"{exits.CRASH} exit 1 a later line", "known, and not just a crash"


@pytest.mark.parametrize("sample", [s for s in SAMPLES if not s.ready], ids=lambda s: s.source)
def test_a_load_that_stands_still_may_have_said_why(sample: Sample) -> None:
    hang = Verdict(exits.HANG, "no progress for 10 min while loading")
    verdict = judge_hang(hang, sample.text.splitlines(), ready=False)
    assert verdict.code == sample.code
    assert "no progress for 10 min" in verdict.reason


def test_a_server_that_hangs_is_judged_by_its_gpu_and_not_by_what_it_lived_through() -> None:
    hang = Verdict(exits.HANG, "hang: no answer")
    assert judge_hang(hang, [TORCH_OOM, ILLEGAL], ready=True) is hang
    assert judge_hang(hang, [TORCH_OOM, ECC], ready=True).code == exits.GPU_RESET
    assert judge_hang(hang, ["nothing that we know"], ready=False) is hang


def test_the_document_has_every_cause() -> None:
    text = (Path(__file__).parents[3] / "docs/reference/launcher.md").read_text()
    rows = [f"| {c.words} | {c.phase or 'any time'} | {c.code} | {c.hint} |" for c in CAUSES]
    assert [row for row in rows if row not in text] == []


def test_every_cause_is_in_the_published_codes_and_restarts_as_they_say() -> None:
    for cause in CAUSES:
        assert cause.code in exits.MEANING
        if not exits.is_restarted(cause.code):
            assert cause.hint, f"nobody would know what to do about: {cause.words}"


@pytest.mark.parametrize(
    "line",
    [
        "INFO: 127.0.0.1 - GET /health 200",
        "[TRT-LLM] [W] mpi: ssh: Permission denied, trying something else",
        "Loading weights: 50 %",
        "",
    ],
)
def test_ordinary_lines_are_no_cause(line: str) -> None:
    assert not any(cause.pattern.search(line) for cause in CAUSES)


def test_the_reason_quotes_the_line_and_says_how_it_ended() -> None:
    verdict = judge_exit(EXIT_1, [YAML_KEY], ready=False)
    assert "Extra inputs are not permitted" in verdict.reason or "validation" in verdict.reason
    assert "exit 1 while loading" in verdict.reason
    assert "sudo trtllm-install" in verdict.hint


def test_a_kill_by_the_kernels_oom_killer_is_out_of_memory() -> None:
    loading = judge_exit(signal.SIGKILL, [], ready=False, oom_killed=True)
    serving = judge_exit(signal.SIGKILL, [], ready=True, oom_killed=True)
    assert (loading.code, serving.code) == (exits.OOM_LOADING, exits.OOM_SERVING)
    assert "OOM killer" in serving.reason


def test_one_cause_has_one_signature_whatever_the_numbers_in_it() -> None:
    first = judge_exit(signal.SIGSEGV, ["*** [pid 4711] fault at 0xdeadbeef"], ready=True)
    second = judge_exit(signal.SIGSEGV, ["*** [pid 12] fault at 0x7f00"], ready=True)
    other = judge_exit(signal.SIGABRT, ["*** [pid 12] fault at 0x7f00"], ready=True)
    assert first.signature == second.signature
    assert first.signature != other.signature


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.ENOENT, exits.CONFIGURATION),
        (errno.ENOEXEC, exits.CONFIGURATION),
        (errno.EACCES, exits.PERMISSION),
        (errno.ENOMEM, exits.OS_ERROR),
    ],
)
def test_a_program_that_cannot_be_executed(number: int, code: int) -> None:
    verdict = judge_spawn(OSError(number, "x"), "/opt/x")
    assert verdict.code == code
    assert verdict.reason.startswith("cannot execute /opt/x: ")
