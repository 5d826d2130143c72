"""The host around the programs."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemFacts:
    """Account, memory and tools."""

    account: bool
    memory_total: int  # bytes of RAM; 0 in an image, which has none
    memory_available: int
    cuda_home: str | None  # folder with bin/nvcc or bin/ptxas
    open_mpi: str | None  # version; empty = a library without mpirun; None = none found
    toolkit: str = ""  # version of the CUDA toolkit there, empty where none is stated
