"""The small program that stands where an engine has its ``bin/trtllm-serve``."""

_LONGEST = 250  # the kernel reads 255 bytes of a first line


def engine_program(python: str) -> str:
    """Return the text of a ``trtllm-serve`` that runs the simulated engine with ``python``.

    ``python`` is an absolute path of an interpreter that has this package installed.
    Raises ValueError for a path that cannot stand in a first line (blanks, or too long).
    """
    if not python.startswith("/") or len(python) > _LONGEST or len(python.split()) != 1:
        raise ValueError(f"cannot make an engine program for {python!r}: not a plain absolute path")
    return f"""#!{python}
# Simulated engine: stands in for TensorRT-LLM's trtllm-serve. No model, no GPU.
# Written by trtllm-install --simulate.
import sys

from trtllm_install.simulator.main import main

sys.exit(main())
"""
