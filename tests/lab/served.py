"""A fleet that serves: what a test asks of it, changes on it and sends to it meanwhile."""

import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from fakes.authority import Authority
from lab import fleet, roots
from lab.visitor import NEMOTRON, QWEN
from trtllm_install.model import layout
from trtllm_install.simulator.program import engine_program

if TYPE_CHECKING:
    from trtllm_install.model.installation import Tls

GPUS = ("gpu1", "gpu2", "gpu3", "gpu4")
FRONT = "front1"
MODELS = (QWEN, NEMOTRON)
PLAY = "trtllm.host.rollout"
CLIENTS = {name: secrets.token_hex(32) for name in ("alice", "bob")}
TOOL = "trtllm-install"
AUTHORITY = "/etc/ssl/fleet-ca.pem"  # on the front host: who vouches for the others


class ServedFleet(fleet.Fleet):
    """Four hosts for both models and one in front, with nothing of ours on them at first.

    The tool comes to them in three ways: from a wheel, to the last one in a bundle, and to the
    one in front from an index, for which a folder stands.
    """

    def __init__(self, wheel: Path, bundle: Path) -> None:
        super().__init__({"trtllm_gpu": GPUS, "trtllm_front": (FRONT,)})
        self.front_key = ""
        self.pairs: dict[str, Tls] = {}
        self._wheel, self._bundle = wheel, bundle

    def __enter__(self) -> Self:
        super().__enter__()
        self.authority = Authority(self.folder / "authority")
        self.trusted.write_text(self.authority.file.read_text(encoding="utf-8"), encoding="utf-8")
        shutil.copy(self.authority.file, self.hosts[FRONT].tree / AUTHORITY[1:])
        self.pairs = {
            name: self.authority.sign(f"{name}.example", address=self.hosts[name].address)
            for name in GPUS
        }
        self.renew("first")
        self.write_inventory()  # now that there are certificates
        self.write_vault(**self.vault, vault_client_keys=CLIENTS)
        folder = self.hosts[FRONT].tree / "srv/index"
        folder.mkdir()
        shutil.copy(self._wheel, folder)
        return self

    @property
    def vault(self) -> dict[str, Any]:
        """What the front tier shows: to the hosts a key, to clients a certificate; theirs too."""
        shown = {part: (self.folder / f"{part}.pem").read_text() for part in ("key", "certificate")}
        return {
            "vault_front_key": self.front_key,
            "vault_tls_certificate": shown["certificate"],
            "vault_tls_key": shown["key"],
            "vault_tls_keys": {n: Path(pair.key).read_text() for n, pair in self.pairs.items()},
        }

    def renew(self, name: str) -> None:
        """Make another key, and another certificate that clients trust."""
        self.front_key = secrets.token_hex(32)
        key, certificate = self.folder / "key.pem", self.folder / "certificate.pem"
        subprocess.run(
            [
                *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt"),
                *("ec_paramgen_curve:P-256", "-nodes", "-days", "90", "-subj", f"/CN={name}"),
                *("-addext", f"subjectAltName=IP:{self.hosts[FRONT].address}"),
                *("-keyout", key, "-out", certificate),
            ],
            check=True,
            capture_output=True,
        )
        with self.trusted.open("a", encoding="utf-8") as trusted:
            trusted.write(certificate.read_text(encoding="utf-8"))

    @property
    def trusted(self) -> Path:
        """All certificates that there were."""
        return self.folder / "trusted.pem"

    def _as_client(self, key: str) -> dict[str, str]:
        return {**os.environ, "OPENAI_API_KEY": key, "SSL_CERT_FILE": str(self.trusted)}

    def endpoint(self, name: str) -> str:
        """Return where clients reach a host."""
        return f"https://{self.hosts[name].address}:8000/v1"

    def shown_certificate(self) -> str:
        """Return what the front tier shows to a client on the network."""
        address = (self.hosts[FRONT].address, 8000)
        program = f"import ssl; print(ssl.get_server_certificate({address}))"
        return self.run_here(sys.executable, "-c", program).stdout.strip()

    def _sources(self) -> dict[str, dict[str, Any]]:
        """Return what differs from host to host: certificates, and where the tool comes from."""
        offline = {"PIP_NO_INDEX": "1", "PIP_NO_COMPILE": "1"}
        folders = f"{roots.WHEELS_INSIDE} /srv/index"
        version = self._wheel.name.split("-")[1]
        hosts: dict[str, dict[str, Any]] = {
            name: {
                "rollout_tls_name": f"{name}.example",
                "host_tls_certificate": Path(pair.certificate).read_text(encoding="utf-8"),
                "host_tls_key": "{{ vault_tls_keys[inventory_hostname] }}",
            }
            for name, pair in self.pairs.items()
        }
        return {
            **hosts,
            GPUS[-1]: {
                **hosts.get(GPUS[-1], {}),
                "host_tool_source": "bundle",
                "host_bundle": str(self._bundle),
                "host_tool_environment": offline,
            },
            FRONT: {
                "host_keys": "{{ vault_client_keys }}",
                "host_keys_exclusive": True,
                "host_tls_certificate": "{{ vault_tls_certificate }}",
                "host_tls_key": "{{ vault_tls_key }}",
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
                "rollout_front_key": "{{ vault_front_key }}",
                "rollout_models": list(MODELS),
                "rollout_front_site": {
                    "listen": "0.0.0.0",
                    "proxy": {"peer_authority": AUTHORITY},
                },
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
        for model in MODELS:
            key = CLIENTS["alice"] if name == FRONT else self.front_key
            answer = self.asked(name, key, model)
            assert (answer["status"], answer.get("completion_tokens", 0) > 0) == (200, True), answer

    def asked(self, name: str, key: str, model: str = QWEN) -> dict[str, Any]:
        """Ask a host with this key, by a client on the network; any status is an answer."""
        program = str(Path(fleet.__file__).with_name("ask.py"))
        words = (program, "--endpoint", self.endpoint(name), model)
        ended = self.run_here(sys.executable, *words, environment=self._as_client(key))
        assert ended.returncode == 0, ended.stderr
        return dict(json.loads(ended.stdout))

    def traces_of(self, name: str, words: Sequence[str]) -> list[str]:
        """Return the files of a host that hold one of these words, and its journal if it does."""
        host = self.hosts[name]
        text = "".join(f"{word}\n" for word in words)
        folders = ("/etc", "/home", "/opt", "/root", "/run", "/srv", "/tmp", "/var")
        skip = ("--exclude-dir=checkout", "--exclude-dir=wheels")
        found = host.run("grep", "-rlF", "-s", *skip, "-f", "-", *folders, stdin=text)
        journal = host.check("journalctl", "--no-pager", "--output=verbose", "--quiet")
        return [*found.stdout.splitlines(), *(w for w in words if w in journal)]

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
            "host_accept": ["engine-version-unknown"],
        }

    @contextmanager
    def load(self) -> Iterator[dict[str, Any]]:
        """Let clients ask the front tier all the while; what they saw is there at the end."""
        program = str(Path(fleet.__file__).with_name("load.py"))
        endpoint = self.endpoint(FRONT)
        client = subprocess.Popen(
            self.network.enter(sys.executable, program, endpoint, *MODELS),
            env=self._as_client(CLIENTS["alice"]),
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


@contextmanager
def every_process(words: Sequence[str]) -> Iterator[set[str]]:
    """Look at the command line and environment of every process all the while, of hosts too.

    Yields a set that has whose words were found in the end: it stays empty, where none leak.
    """
    found: set[str] = set()
    ended = threading.Event()
    wanted = [word.encode() for word in words]

    def look() -> None:
        while not ended.wait(0.02):
            for path in (
                *Path("/proc").glob("[0-9]*/cmdline"),
                *Path("/proc").glob("[0-9]*/environ"),
            ):
                with suppress(OSError):
                    text = path.read_bytes()
                    if any(word in text for word in wanted):
                        found.add(f"{path}: {text[:60]!r}")

    looker = threading.Thread(target=look)
    looker.start()
    try:
        yield found
    finally:
        ended.set()
        looker.join()


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
