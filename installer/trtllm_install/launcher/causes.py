"""The table of causes: what a process says before it ends, and what that means for its restart.

Imported only when a process has ended: a service that runs does not pay for it.
"""

import re

from trtllm_install.model import exits

LOADING, SERVING, ANY = "loading", "serving", ""

_AGAIN = "then run `sudo trtllm-install`"
FIX_PROFILE = f"correct the profile or the engine's YAML file, {_AGAIN}"


class Cause:
    """One row: patterns that a line of output shows, the exit code, and what to do next."""

    __slots__ = ("code", "hint", "pattern", "phase", "words")

    def __init__(
        self, code: int, words: str, *patterns: str, phase: str = ANY, hint: str = ""
    ) -> None:
        self.code = code
        self.words = words
        self.pattern = re.compile("|".join(patterns), re.IGNORECASE)
        self.phase = phase  # LOADING until READY, then SERVING
        self.hint = hint

    @property
    def signature(self) -> str:
        """What two crashes of this cause have in common."""
        return f"{self.code} {self.words}"


# The first row that matches decides: a cause comes before its consequences. The texts are
# those of click, pydantic, Python, PyTorch, CUDA, NCCL, TensorRT-LLM, Open MPI and nginx; lines
# from public threads are in tests/fakes/engine_logs.py, each with its source.
CAUSES = (
    Cause(
        exits.TEMPORARY,
        "the port is taken",
        r"failed to bind socket to",
        r"bind\(\) to \S+ failed \(98:",
        r"\[errno 98\]",
        r"zmqerror: address already in use",
    ),
    Cause(
        exits.REBOOT,
        "the GPU is lost",
        r"gpu has fallen off the bus",
        r"gpu is lost",
        r"error_gpu_is_lost",
        hint="reboot the host",
    ),
    Cause(
        exits.REBOOT,
        "driver and library do not match",
        r"driver/library version mismatch",
        hint="reboot the host, so that the new driver is loaded",
    ),
    Cause(
        exits.GPU_RESET,
        "the GPU reported a memory error that cannot be corrected",
        r"uncorrectable ecc error",
        r"cuda_error_ecc_uncorrectable",
        r"uncorrectable nvlink error",
        hint="stop what uses the GPU and reset it with `nvidia-smi --gpu-reset`, or reboot",
    ),
    Cause(
        exits.OOM_LOADING,
        "out of memory",
        r"insufficient gpu memory",
        r"cuda out of memory",
        r"\boutofmemoryerror",
        r"cuda_error_out_of_memory",
        r"cuda runtime error in .*: out of memory",
        r"error code 2: outofmemory",
        r"std::bad_alloc",
        r"cannot allocate memory",
        r"^memoryerror",
        phase=LOADING,
        hint=f"lower free_gpu_memory_fraction, max_batch_size or max_seq_len, {_AGAIN}",
    ),
    Cause(
        exits.OOM_SERVING,
        "out of memory",
        r"cuda out of memory",
        r"\boutofmemoryerror",
        r"cuda_error_out_of_memory",
        r"cuda runtime error in .*: out of memory",
        r"error code 2: outofmemory",
        r"std::bad_alloc",
        r"^memoryerror",
        phase=SERVING,
    ),
    Cause(
        exits.CONFIGURATION,
        "an option is not known or not valid",
        r"^error: (no such (option|command)|invalid value|missing (option|argument|parameter))",
        r"^error: (got unexpected extra argument|option \S+ requires)",
        phase=LOADING,
        hint=FIX_PROFILE,
    ),
    Cause(
        exits.CONFIGURATION,
        "a key of the engine's YAML file is not known or not valid",
        r"extra inputs are not permitted",
        r"\d+ validation errors? for",
        r"got an unexpected keyword",
        r"yaml\.(scanner|parser)\.\w+error",
        phase=LOADING,
        hint=FIX_PROFILE,
    ),
    Cause(
        exits.CONFIGURATION,
        "this GPU or this engine cannot run the model",
        r"fp4 gemm not supported before blackwell",
        r"arch unsupported for cutlass",
        r"gemm only supports? (hopper|blackwell)",
        r"no kernel image is available",
        r"only supports parallelization via world_size",
        r"unknown architecture",
        r"unsupported (model )?architecture",
        r"model architecture \S+ is not supported",
        phase=LOADING,
        hint="run `trtllm-install check`",
    ),
    Cause(
        exits.CONFIGURATION,
        "the driver is too old for the engine's CUDA",
        r"cuda driver version is insufficient",
        r"unsupported display driver",
        r"forward compatibility was attempted on non supported",
        phase=LOADING,
        hint="run `trtllm-install check`, which says the driver that is needed",
    ),
    Cause(
        exits.PERMISSION,
        "a file may not be used",
        r"^permissionerror:",
        r"\[emerg\].*\(13: permission denied\)",
        phase=LOADING,
        hint=f"give the service's user access to it, {_AGAIN}",
    ),
    Cause(
        exits.WEIGHTS,
        "weights are missing or damaged",
        r"safetensors?error",
        r"error while deserializing header",
        r"no such file or directory: .*(safetensors|config\.json|tokenizer)",
        r"does not appear to have a file named",
        r"is not a local folder",
        r"localentrynotfounderror",
        phase=LOADING,
        hint="run `trtllm-install check`",
    ),
    Cause(
        exits.CONFIGURATION,
        "the proxy refuses its configuration",
        r"\[emerg\]",  # after "nginx: " or a date, by where its log goes
        phase=LOADING,
        hint=f"run `trtllm-install plan`, which shows what was edited, {_AGAIN}",
    ),
    Cause(
        exits.CONFIGURATION,
        "the worker process cannot be started",
        r"unable to start a daemon on the local node",
        r"mca parameter \"plm_rsh_agent\" was set to a path",
        r"unable to reliably start one or more daemons",
        phase=LOADING,
        hint="set OMPI_MCA_plm=isolated in the service's environment",
    ),
    Cause(
        exits.CONFIGURATION,
        "MPI cannot start the worker process",
        r"mpi_err_spawn",
        r"mpi\.exception: mpi_err_unknown",
        r"all nodes which are allocated for this job are already filled",
        phase=LOADING,
        hint="run `mpirun --version`: Open MPI 4 is needed; or set "
        "TLLM_WORKER_USE_SINGLE_PROCESS=1 in the service's environment",
    ),
    Cause(
        exits.CONFIGURATION,
        "the engine's installation is not complete",
        r"^(modulenotfounderror|importerror):",
        r"cannot open shared object file",
        phase=LOADING,
        hint="run `trtllm-install check`, which prints how to make the engine",
    ),
    Cause(
        exits.OS_ERROR,
        "no space is left",
        r"no space left on device",
        hint="free space on the disk or in /dev/shm",
    ),
    Cause(
        exits.CRASH,
        "the GPU is not there",
        r"no gpu devices found",
        r"no cuda-capable device",
        r"cuda_error_no_device",
        hint="run `nvidia-smi`",
    ),
    Cause(
        exits.CRASH,
        "a kernel failed on the GPU",
        r"illegal memory access",
        r"illegal instruction was encountered",
        r"device-side assert",
        r"unspecified launch failure",
        r"misaligned address",
    ),
    Cause(
        exits.CRASH,
        "NCCL failed",
        r"nccl error",
        r"nccl(system|internal|unhandledcuda|remote)error",
        hint="set NCCL_DEBUG=INFO in the service's environment, and look at the size of /dev/shm",
    ),
    Cause(
        exits.CRASH,
        "a worker process was killed",
        r"exited on signal \d+ \(killed\)",
        r"executor worker died during initialization",
        r"executor loop crashed on this rank",
    ),
)
