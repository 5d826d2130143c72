"""What engines and their libraries have said in public threads, with what it means for a restart.

Each is the line, or the few lines, that say the cause; short of the trace around it.
"""

from dataclasses import dataclass
from typing import Final

from trtllm_install.model import exits


@dataclass(frozen=True, slots=True)
class Sample:
    """One end of an engine, as somebody reported it."""

    source: str  # repository#thread on GitHub
    text: str
    code: int
    ready: bool = False  # whether it served when it said so


_TRTLLM: Final = "NVIDIA/TensorRT-LLM"

SAMPLES: Final = (
    # out of memory
    Sample(
        f"{_TRTLLM}#5872",
        "[TRT-LLM] [RANK 1] [E] Failed to initialize executor on rank 1: Executor creation failed"
        " due to insufficient GPU memory.\n\n"
        "The following component could not be created: KV cache\nTotal GPU memory (GiB): 140.06",
        exits.OOM_LOADING,
    ),
    Sample(
        f"{_TRTLLM}#8642",
        "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 135.00 GiB. GPU 0 has a"
        " total capacity of 15.93 GiB of which 0 bytes is free.",
        exits.OOM_LOADING,
    ),
    Sample(
        f"{_TRTLLM}#7818",
        "[TRT-LLM] [RANK 2] [E] Error executing load_single_module with args"
        " ('model.layers.9.mlp.gate_up_proj', Linear()): CUDA out of memory. Tried to allocate"
        " 40.00 MiB.",
        exits.OOM_LOADING,
    ),
    Sample(
        "huggingface/optimum-nvidia#146",
        "[TRT] [E] [virtualMemoryBuffer.cpp::resizePhysical::151] Error Code 2: OutOfMemory"
        " (Requested size was 16654532608 bytes.)",
        exits.OOM_LOADING,
    ),
    Sample(
        "triton-inference-server/tensorrtllm_backend#195",
        "[TensorRT-LLM][ERROR] CUDA runtime error in ::cudaMallocAsync(ptr, n,"
        " mCudaStream->get()): out of memory (tensorrt_llm/runtime/tllmBuffers.h:112)",
        exits.OOM_SERVING,
        ready=True,
    ),
    # a kernel that failed
    Sample(
        f"{_TRTLLM}#11313",
        "[TRT-LLM] [E] Encountered an error in forward function: CUDA error: an illegal"
        " instruction was encountered",
        exits.CRASH,
        ready=True,
    ),
    Sample(
        f"{_TRTLLM}#448",
        "[TensorRT-LLM][ERROR] Encountered an error in forward function: CUDA runtime error in"
        " ::cudaEventSynchronize(get()): an illegal memory access was encountered",
        exits.CRASH,
        ready=True,
    ),
    # NCCL
    Sample(
        f"{_TRTLLM}#213",
        "Failed, NCCL error tensorrt_llm/plugins/ncclPlugin/allreducePlugin.cpp:295 'internal"
        " error - please report this issue to the NCCL developers'",
        exits.CRASH,
    ),
    Sample(
        f"{_TRTLLM}#9263",
        "RuntimeError: [TensorRT-LLM][ERROR] Assertion failed: Failed, NCCL error"
        " ../tensorrt_llm/runtime/ncclCommunicator.cpp:90 'invalid usage (run with"
        " NCCL_DEBUG=WARN for details)'",
        exits.CRASH,
    ),
    Sample(
        "vllm-project/vllm#7800",
        "NCCL error: unhandled system error (run with NCCL_DEBUG=INFO for details)",
        exits.CRASH,
    ),
    # the port
    Sample(
        f"{_TRTLLM}#17915",
        "RuntimeError: Failed to bind socket to 0.0.0.0:8000",
        exits.TEMPORARY,
    ),
    Sample(
        "abetlen/llama-cpp-python#77",
        "ERROR:    [Errno 98] error while attempting to bind on address ('127.0.0.1', 8000):"
        " address already in use",
        exits.TEMPORARY,
    ),
    # options and YAML keys
    Sample(
        f"{_TRTLLM}#3583",
        "Usage: trtllm-bench throughput [OPTIONS]\n"
        "Try 'trtllm-bench throughput --help' for help.\n\n"
        "Error: No such option: --ep (Possible options: --help, --pp, --tp)",
        exits.CONFIGURATION,
    ),
    Sample(
        f"{_TRTLLM}#2846",
        "TypeError: LlmArgs.__init__() got an unexpected keyword argument 'enable_attention_dp'",
        exits.CONFIGURATION,
    ),
    Sample(
        "eole-nlp/eole#3",
        "pydantic_core._pydantic_core.ValidationError: 51 validation errors for TrainConfig\n"
        "src_subword_model\n"
        "  Extra inputs are not permitted [type=extra_forbidden, input_type=str]",
        exits.CONFIGURATION,
    ),
    # GPU and model do not go together
    Sample(
        f"{_TRTLLM}#2869",
        "[TensorRT-LLM Error][CutlassFp4GemmRunner][GEMM Dispatch] Arch unsupported for CUTLASS"
        " FP4 GEMM",
        exits.CONFIGURATION,
    ),
    Sample(
        f"{_TRTLLM}#5018",
        "FP4 Gemm not supported before Blackwell, nor GeForce Blackwell",
        exits.CONFIGURATION,
    ),
    Sample(
        f"{_TRTLLM}#5064",
        "[TRT-LLM] [E] Failed to initialize executor on rank 0: fp8 blockscale gemm only support"
        " Hopper.",
        exits.CONFIGURATION,
    ),
    Sample(
        f"{_TRTLLM}#5510",
        "ValueError: Unknown architecture for AutoModelForCausalLM: Qwen3ForCausalLM",
        exits.CONFIGURATION,
    ),
    Sample(
        f"{_TRTLLM}#2845",
        "NotImplementedError: The given huggingface model architecture DeepseekV3ForCausalLM is"
        " not supported in TRT-LLM yet",
        exits.CONFIGURATION,
    ),
    # MPI
    Sample(
        "conda-forge/openmpi-feedstock#152",
        'The value of the MCA parameter "plm_rsh_agent" was set to a path\n'
        "that could not be found:\n\n  plm_rsh_agent: ssh : rsh",
        exits.CONFIGURATION,
    ),
    Sample(
        "xbpeng/DeepMimic#85",
        "[[INVALID],INVALID] ORTE_ERROR_LOG: Unable to start a daemon on the local node in file"
        " ess_singleton_module.c at line 582",
        exits.CONFIGURATION,
    ),
    Sample(
        f"{_TRTLLM}#5495",
        "rank 0 using MpiPoolSession to spawn MPI processes\n"
        "All nodes which are allocated for this job are already filled.",
        exits.CONFIGURATION,
    ),
    Sample(
        "ai-dynamo/dynamo#15060",
        "mpi4py.MPI.Exception: MPI_ERR_UNKNOWN: unknown error",
        exits.CONFIGURATION,
    ),
    # weights
    Sample(
        "hiyouga/LlamaFactory#1911",
        "safetensors_rust.SafetensorError: Error while deserializing header:"
        " InvalidHeaderDeserialization",
        exits.WEIGHTS,
    ),
    # a worker
    Sample(
        f"{_TRTLLM}#1700",
        "mpirun noticed that process rank 6 with PID 0 on node xxxxxxxx exited on signal 9"
        " (Killed).",
        exits.CRASH,
        ready=True,
    ),
    Sample(
        f"{_TRTLLM}#18663",
        "[TRT-LLM] [E] [_torch][RANK 7] Executor loop crashed on this rank; hard-killing all 8"
        " ranks in 9.99947s",
        exits.CRASH,
        ready=True,
    ),
    # the driver
    Sample(
        "intel/llvm#17614",
        "Failed to initialize NVML: Driver/library version mismatch\nNVML library version: 550.144",
        exits.REBOOT,
    ),
    Sample(
        "CompVis/stable-diffusion#439",
        "RuntimeError: Unexpected error from cudaGetDeviceCount(). Error 803: system has"
        " unsupported display driver / cuda driver combination",
        exits.CONFIGURATION,
    ),
    Sample(
        "gpustack/gpustack#1254",
        "RuntimeError: Unexpected error from cudaGetDeviceCount(). Error 804: forward"
        " compatibility was attempted on non supported HW",
        exits.CONFIGURATION,
    ),
    Sample(
        "NVIDIA/NVSentinel#155",
        "NVRM: Xid (PCI:0000:44:00): 79, GPU has fallen off the bus",
        exits.REBOOT,
        ready=True,
    ),
    Sample(
        "leptonai/gpud#604",
        "failed to get device remapped rows: ERROR_GPU_IS_LOST",
        exits.REBOOT,
        ready=True,
    ),
)
