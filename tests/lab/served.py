"""A fleet that serves: what a test asks of it, changes on it and sends to it meanwhile."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from lab import fleet, roots
from lab.visitor import NEMOTRON, QWEN
from trtllm_install.model import layout
from trtllm_install.simulator.program import engine_program

GPUS = ("gpu1", "gpu2", "gpu3", "gpu4")
FRONT = "front1"
MODELS = (QWEN, NEMOTRON)
PLAY = "trtllm.host.rollout"
TOOL = "trtllm-install"


class ServedFleet(fleet.Fleet):
    """Four hosts for both models and one in front, with nothing of ours on them at first.

    The tool comes to them in three ways: from a wheel, to the last one in a bundle, and to the
    one in front from an index, for which a folder stands.
    """

    def __init__(self, wheel: Path, bundle: Path) -> None:
        super().__init__({"trtllm_gpu": GPUS, "trtllm_front": (FRONT,)})
        self._wheel, self._bundle = wheel, bundle

    def __enter__(self) -> Self:
        super().__enter__()
        folder = self.hosts[FRONT].tree / "srv/index"
        folder.mkdir()
        shutil.copy(self._wheel, folder)
        return self

    def _sources(self) -> dict[str, dict[str, Any]]:
        """Return the variables of hosts that do not have the tool from the wheel."""
        offline = {"PIP_NO_INDEX": "1", "PIP_NO_COMPILE": "1"}
        folders = f"{roots.WHEELS_INSIDE} /srv/index"
        version = self._wheel.name.split("-")[1]
        return {
            GPUS[-1]: {
                "host_tool_source": "bundle",
                "host_bundle": str(self._bundle),
                "host_tool_environment": offline,
            },
            FRONT: {
                "host_tool_source": "index",
                "host_tool_version": version,
                "host_tool_environment": {**offline, "PIP_FIND_LINKS": folders},
            },
        }

    def write_inventory(self, **host_variables: Mapping[str, Any]) -> None:
        if not self.everywhere:
            self.everywhere = {
                "host_tool_source": "wheel",
                "host_tool_wheel": str(self._wheel),
                "host_tool_environment": {
                    "PIP_NO_INDEX": "1",
                    "PIP_FIND_LINKS": roots.WHEELS_INSIDE,
                    "PIP_NO_COMPILE": "1",
                },
                "host_simulate": True,
                "host_profile": "multi",
                "host_site": {"listen": "0.0.0.0"},
                "host_accept": ["listen-without-keys"],
                "rollout_models": list(MODELS),
                "rollout_front_site": {"listen": "0.0.0.0"},
                "rollout_batches": [1, "100%"],
                "rollout_capacity": dict.fromkeys(MODELS, 2),
                "rollout_soak": 1,
                "rollout_endpoints_dir": str(self.folder / "endpoints"),
            }
        sources = self._sources()
        names = {*sources, *host_variables}
        super().write_inventory(
            **{n: {**sources.get(n, {}), **host_variables.get(n, {})} for n in names}
        )

    def rolled(self, *words: str, **variables: object) -> subprocess.CompletedProcess[str]:
        """Run the roll-out with variables on its command line."""
        return self.ansible("ansible-playbook", PLAY, *words, "-e", json.dumps(variables))

    # what is there ---------------------------------------------------------------
    def generations(self) -> dict[str, int]:
        """Return the generation of each host."""
        receipts = {name: self.hosts[name].tree / layout.RECEIPT[1:] for name in GPUS}
        return {n: json.loads(path.read_bytes())["generation"] for n, path in receipts.items()}

    def engines(self) -> dict[str, str]:
        """Return the version of the engine of each host."""
        links = {name: self.hosts[name].tree / "opt/trtllm/engines/current" for name in GPUS}
        return {name: link.readlink().name for name, link in links.items()}

    def drained(self) -> set[str]:
        """Return the peers that the front tier sends nothing to because it was told so."""
        said = self.hosts[FRONT].check(TOOL, "drain", "--list", "--output", "json")
        return {b["peer"] for b in json.loads(said)["backends"] if b["draining"]}

    def assert_answers(self, name: str = FRONT) -> None:
        """Get a completion of each model from a host, by a client on the network."""
        program = str(Path(fleet.__file__).with_name("ask.py"))
        endpoint = f"http://{self.hosts[name].address}:8000/v1"
        for model in MODELS:
            ended = self.run_here(sys.executable, program, "--endpoint", endpoint, model)
            assert ended.returncode == 0, ended.stderr
            assert json.loads(ended.stdout)["completion_tokens"] > 0

    # what happens to it ----------------------------------------------------------
    def place_engine(self, version: str, faults: str) -> dict[str, Any]:
        """Lay a simulated engine with these faults on every host; return what rolls it out."""
        text = engine_program("/opt/trtllm/tool/bin/python3")
        fault = f'import os\nos.environ["TRTLLM_SIMULATED_FAULTS"] = "{faults}"\nimport sys'
        for name in GPUS:
            program = self.hosts[name].tree / f"srv/{version}/bin/trtllm-serve"
            program.parent.mkdir(parents=True)
            program.write_text(text.replace("import sys", fault, 1), encoding="utf-8")
            program.chmod(0o755)
        return {
            "host_engine": version,
            "host_engine_source": "path",
            "host_engine_path": f"/srv/{version}",
            "host_engine_accept": ["engine-version-unknown"],
            "host_accept": ["listen-without-keys", "engine-version-unknown"],
        }

    @contextmanager
    def load(self) -> Iterator[dict[str, Any]]:
        """Let clients ask the front tier all the while; what they saw is there at the end."""
        program = str(Path(fleet.__file__).with_name("load.py"))
        endpoint = f"http://{self.hosts[FRONT].address}:8000/v1"
        client = subprocess.Popen(
            self.network.enter(sys.executable, program, endpoint, *MODELS),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        seen: dict[str, Any] = {}
        try:
            yield seen
        finally:
            out, _ = client.communicate(timeout=120)
        seen.update(json.loads(out))


# what a playbook said ------------------------------------------------------------
def assert_whole(ended: subprocess.CompletedProcess[str]) -> None:
    """Fail with the output unless a playbook ended well."""
    assert ended.returncode == 0, ended.stdout[-6000:] + ended.stderr[-2000:]


def changed(ended: subprocess.CompletedProcess[str], names: Sequence[str]) -> dict[str, int]:
    """Return how many tasks changed something on each of these hosts."""
    recap = ended.stdout.partition("PLAY RECAP")[2]
    return {n: int(re.findall(rf"^{n} .*changed=(\d+)", recap, re.MULTILINE)[0]) for n in names}


def said(ended: subprocess.CompletedProcess[str]) -> str:
    """Return all that was printed, each run of spaces made one."""
    return " ".join((ended.stdout + ended.stderr).split())
