"""Asks an engine what it is: its command line, its packages."""

import json
from dataclasses import dataclass

from trtllm_install.host.protocol import Host
from trtllm_install.model.errors import HostError

# Importing TensorRT-LLM takes tens of seconds, longer from a cold disk.
_HELP_S = 600.0
_TAIL = 6
_SIMULATED = "Simulated stand-in for TensorRT-LLM"
_VERSIONS = """
import importlib.metadata as m, json, sys
found = {"python": "%d.%d" % sys.version_info[:2]}
for name in ("torch", "tensorrt_llm"):
    try:
        found[name] = m.version(name)
    except m.PackageNotFoundError:
        pass
print(json.dumps(found))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """What an engine says of itself."""

    help_text: str = ""  # of ``trtllm-serve serve``; empty when it gave none
    failure: str = ""  # why it gave none, with the last lines of its output
    simulated: bool = False
    python: str = ""  # empty where there is no interpreter to ask
    torch: str = ""
    version: str = ""  # of the tensorrt_llm package


def examine_engine(host: Host, home: str) -> Examined:
    """Run the engine in ``home`` for its help, and read the versions of its packages.

    Asking for help imports TensorRT-LLM: an engine that cannot be imported has no help.
    """
    versions = _versions(host, home)
    program = f"{home}/bin/trtllm-serve"
    try:
        ended = host.run([program, "serve", "--help"], timeout=_HELP_S)
    except HostError as error:
        text, failure = "", error.message
    else:
        tail = (ended.stderr or ended.stdout).strip().splitlines()[-_TAIL:]
        text = ended.stdout if ended.code == 0 else ""
        failure = "" if text else f"exit {ended.code}: " + "\n    ".join(tail)
    return Examined(
        help_text=text,
        failure=failure,
        simulated=_SIMULATED in text,
        python=versions.get("python", ""),
        torch=versions.get("torch", ""),
        version=versions.get("tensorrt_llm", ""),
    )


def _versions(host: Host, home: str) -> dict[str, str]:
    try:
        ended = host.run([f"{home}/bin/python", "-I", "-c", _VERSIONS], timeout=60.0)
        found = json.loads(ended.stdout) if ended.code == 0 else {}
    except (HostError, ValueError):
        return {}
    return {str(name): str(version) for name, version in found.items()}
