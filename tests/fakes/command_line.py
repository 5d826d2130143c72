"""The command line on a fake host: what was typed, and all that came out."""

import importlib
import io
import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from fakes.fake_admin import FakeAdmin
from fakes.fake_bundle import BUNDLE, offer_bundle
from fakes.fake_engines import OFFERED, VERSION, offer_engine
from fakes.fake_host import FakeHost
from fakes.fake_proxy import answer_cases
from fakes.fake_systemd import FakeSystemd, debian
from fakes.fake_timeline import record_starts
from fakes.installed import installed
from fakes.nginx_rig import NEMOTRON, QWEN
from trtllm_install.cli.arguments import VERBS, module_of
from trtllm_install.cli.main import main
from trtllm_install.host.protocol import Completed
from trtllm_install.model import layout

COMPOSE = "/srv/compose.yml"
ONE_ENGINE = """services:
  qwen:
    image: tensorrt-llm/release:1.3.0rc2
    ports: ["127.0.0.1:8000:8000"]
    command: trtllm-serve /models/nvidia/Qwen3-30B-A3B-FP4 --backend pytorch
    volumes: [/srv/model_weights:/models:ro]
"""
PEM = "".join(
    f"-----BEGIN {kind}-----\nMAo=\n-----END {kind}-----\n"
    for kind in ("CERTIFICATE", "PRIVATE KEY")
)
_PIPED = {"keys set": f"carol {'k' * 32}\n", "tls set": PEM}
INSTALL = ("install", "--profile", "multi", "--simulate")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """One call."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """Everything on stdout as the one JSON document that it has to be."""
        return dict(json.loads(self.out))

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Return everything on stdout as JSON lines: events, and the document."""
        return [dict(json.loads(line)) for line in self.out.splitlines()]


@dataclass(slots=True)
class CommandLine:
    """``main`` with every verb at the door of a fake host."""

    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]
    systemd: FakeSystemd = field(default_factory=lambda: FakeSystemd(debian()))
    stdin: str = ""  # what is piped in, instead of what the verb would be given

    def __post_init__(self) -> None:
        """Put the host behind the door."""
        for verb in VERBS:
            module = importlib.import_module(module_of(verb))
            if hasattr(module, "HOST"):
                self.monkeypatch.setattr(module, "HOST", self.host)

    def run(self, *argv: str) -> Ran:
        """Type a command."""
        self.capsys.readouterr()
        given = self.stdin or _PIPED.get(" ".join(argv[:2]), "")
        self.monkeypatch.setattr("sys.stdin", io.StringIO(given))
        code = main(argv)
        out, err = self.capsys.readouterr()
        return Ran(code=code, out=out, err=err)

    @property
    def host(self) -> FakeHost:
        """The machine."""
        return self.systemd.host

    def installed(self) -> "CommandLine":
        """Go on from a host on which ``multi`` is installed."""
        self.systemd = installed()
        self.__post_init__()
        offer_engine(self.host)
        offer_bundle(self.host)
        answer_openssl(self.host)
        self.host.add_file(COMPOSE, ONE_ENGINE.encode())
        FakeAdmin(self.host)
        answer_cases(self.host, "http://127.0.0.1:8000", (QWEN, NEMOTRON))
        keys, group = f"alice {'0' * 64}\n", layout.USER
        self.host.add_file(layout.PROXY_KEYS, keys, mode=0o640, group=group)
        record_starts(self.host)
        return self


def answer_openssl(host: FakeHost, *, ended: bool = False, fits: bool = True) -> None:
    """Answer for a certificate that is valid, and its key, as openssl does."""

    def answer(argv: tuple[str, ...], _: str) -> Completed:
        out = "public" if "x509" in argv or fits else "another"
        return Completed(argv=argv, code=int(ended and "-checkend" in argv), stdout=out, stderr="")

    host.answer_command(["openssl"], by=answer)


def words_for(verb: str, folder: str = "/tmp/tree") -> tuple[str, ...]:
    """Return a valid command line for a verb, short of its ``--output``."""
    further = {
        "install": INSTALL[1:],
        "check": INSTALL[1:],
        "plan": INSTALL[1:],
        "render": (folder, *INSTALL[1:]),
        "logs": ("qwen",),
        "drain": ("qwen",),
        "undrain": ("qwen",),
        "stop": ("nemotron",),
        "rollback": ("--list",),
        "keys add": ("bob",),
        "keys remove": ("alice",),
        "engine add": (VERSION, "--path", OFFERED),
        "engine use": ("simulated",),
        "engine remove": ("old", "--yes"),
        "doctor report": ("--file", "/srv/report.tar.gz"),
        "from-compose": (COMPOSE,),
        "bundle create": ("/srv/new.tar",),
        "bundle verify": (BUNDLE,),
        "bundle unpack": (BUNDLE, "/srv/unpacked"),
    }
    return (*verb.split(), *further.get(verb, ()))


# ExecStart of a unit; nobody reads its answer as JSON.
JSON_VERBS = tuple(verb for verb in VERBS if verb != "gpu-ready")
