"""The process that tries CUDA: a context, an allocation and a kernel on each GPU.

It is fed to a Python on standard input, so that it runs in a sandbox that hides the tool,
and imports nothing but the standard library. CUDA is spoken to through the driver's own
libcuda.so.1: no toolkit, no torch. It prints a JSON object a line; the last one tells how
far it came, also when the driver hangs and the alarm ends it.
"""

import ctypes
import json
import os
import signal
import sys
import uuid
from typing import Final

# Numbers that are written, doubled by the kernel, and read back; 4 MiB of them.
COUNT: Final = 1 << 20
BLOCK: Final = 256
VALUE: Final = 0x01020304
# PTX of the oldest generation that CUDA 13 still compiles for: the driver's compiler makes
# it fit every newer one, and that it can is a part of the test.
PTX: Final = b"""
.version 7.0
.target sm_75
.address_size 64
.visible .entry twice(.param .u64 numbers, .param .u32 count)
{
  .reg .pred %p<2>;
  .reg .b32 %r<8>;
  .reg .b64 %rd<5>;
  ld.param.u64 %rd1, [numbers];
  ld.param.u32 %r1, [count];
  mov.u32 %r2, %ctaid.x;
  mov.u32 %r3, %ntid.x;
  mov.u32 %r4, %tid.x;
  mad.lo.s32 %r5, %r2, %r3, %r4;
  setp.ge.u32 %p1, %r5, %r1;
  @%p1 bra done;
  cvta.to.global.u64 %rd2, %rd1;
  mul.wide.u32 %rd3, %r5, 4;
  add.s64 %rd4, %rd2, %rd3;
  ld.global.u32 %r6, [%rd4];
  add.u32 %r7, %r6, %r6;
  st.global.u32 [%rd4], %r7;
done:
  ret;
}
"""


class CudaError(Exception):
    """A step that did not end well."""


class Cuda:
    """libcuda.so.1, one call at a time; each is announced before it is made."""

    def __init__(self) -> None:
        tell(at="loading libcuda.so.1")
        self._library = ctypes.CDLL("libcuda.so.1")

    def call(self, name: str, *arguments: object) -> None:
        """Call a function of the driver; raises CudaError with CUDA's own name for the error."""
        tell(at=name)
        if code := self.release(name, *arguments):
            text = ctypes.c_char_p()
            self._library.cuGetErrorName(code, ctypes.byref(text))
            raise CudaError(f"{text.value.decode() if text.value else 'error'} ({code})")

    def release(self, name: str, *arguments: object) -> int:
        """Call a function without a word, and return its code."""
        return int(getattr(self._library, name)(*arguments))


def tell(**said: object) -> None:
    """Print a line at once: what comes after may never return."""
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()


def main(limit_s: int, wanted: list[str]) -> None:
    """Try each GPU of ``wanted`` (UUIDs as NVML writes them); ended by an alarm if it hangs."""
    signal.alarm(limit_s)
    # Nothing is left behind, and no cached kernel hides that the compiler does not work.
    os.environ["CUDA_CACHE_DISABLE"] = "1"  # noqa: TID251 (this process's own)
    try:
        cuda = Cuda()
        cuda.call("cuInit", 0)
        shown = uuids(cuda)
        for name in wanted:
            tell(gpu=name, at="finding the GPU")
            if name not in shown:
                raise CudaError(f"CUDA shows no {name}")  # noqa: TRY301 (one way out)
            compute(cuda, shown.index(name))
            tell(passed=name)
    except (CudaError, OSError, AttributeError) as error:
        tell(failed=str(error))
    else:
        tell(end=True)


def uuids(cuda: Cuda) -> list[str]:
    """Return the UUIDs of the devices that CUDA shows, as NVML writes them."""
    count = ctypes.c_int()
    cuda.call("cuDeviceGetCount", ctypes.byref(count))
    found = []
    for number in range(count.value):
        raw = (ctypes.c_ubyte * 16)()
        cuda.call("cuDeviceGetUuid_v2", ctypes.byref(raw), device(cuda, number))
        found.append(f"GPU-{uuid.UUID(bytes=bytes(raw))}")
    return found


def device(cuda: Cuda, number: int) -> ctypes.c_int:
    """Return the driver's handle of a device."""
    handle = ctypes.c_int()
    cuda.call("cuDeviceGet", ctypes.byref(handle), number)
    return handle


def compute(cuda: Cuda, number: int) -> None:
    """Let a kernel double numbers on one device; raises CudaError when any comes back wrong."""
    context, module, kernel = ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_void_p()
    memory, handle = ctypes.c_uint64(), device(cuda, number)
    cuda.call("cuDevicePrimaryCtxRetain", ctypes.byref(context), handle)
    cuda.call("cuCtxSetCurrent", context)
    try:
        cuda.call("cuMemAlloc_v2", ctypes.byref(memory), ctypes.c_size_t(4 * COUNT))
        cuda.call("cuMemsetD32_v2", memory, ctypes.c_uint(VALUE), ctypes.c_size_t(COUNT))
        cuda.call("cuModuleLoadData", ctypes.byref(module), PTX)
        cuda.call("cuModuleGetFunction", ctypes.byref(kernel), module, b"twice")
        count = ctypes.c_uint(COUNT)
        arguments = (ctypes.c_void_p * 2)(
            ctypes.cast(ctypes.byref(memory), ctypes.c_void_p),
            ctypes.cast(ctypes.byref(count), ctypes.c_void_p),
        )
        grid = (COUNT // BLOCK, 1, 1, BLOCK, 1, 1)
        cuda.call("cuLaunchKernel", kernel, *grid, 0, None, arguments, None)
        cuda.call("cuCtxSynchronize")
        numbers = (ctypes.c_uint32 * COUNT)()
        cuda.call("cuMemcpyDtoH_v2", numbers, memory, ctypes.c_size_t(4 * COUNT))
        cuda.call("cuMemFree_v2", memory)
    finally:
        cuda.release("cuDevicePrimaryCtxRelease_v2", handle)
    tell(at="comparing the result")
    wrong = COUNT - bytes(numbers).count((2 * VALUE).to_bytes(4, sys.byteorder))
    if wrong:
        raise CudaError(f"{wrong} of {COUNT} numbers came back wrong")


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
