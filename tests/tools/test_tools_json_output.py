"""What is printed as JSON is what the reference says."""

import json
import re
from dataclasses import asdict

import jsonschema

from fakes.fake_bundle import MANIFEST
from fakes.fake_timeline import start
from fakes.installed import installed
from fakes.models import planned
from lab.reference import code_of, document, fences, rows, sections
from trtllm_install import resources
from trtllm_install.app.operate import read_status
from trtllm_install.app.overview import GpuUse
from trtllm_install.app.reporter import Live
from trtllm_install.cli import arguments
from trtllm_install.cli.bundle_words import bundle_values
from trtllm_install.cli.engine_words import engine_values
from trtllm_install.cli.envelope import Envelope
from trtllm_install.cli.memory_view import memory_values
from trtllm_install.cli.present import (
    change_values,
    deep_values,
    finding_values,
    live_values,
    smoke_values,
)
from trtllm_install.cli.status_view import gpu_values
from trtllm_install.cli.timeline_view import timeline_values
from trtllm_install.cli.verbs.doctor_report import report_values
from trtllm_install.cli.verbs.drain import backend_values
from trtllm_install.cli.verbs.from_compose import compose_values
from trtllm_install.cli.verbs.status import installation_values
from trtllm_install.cli.verbs.verify import drift_values
from trtllm_install.config.from_compose import FromCompose
from trtllm_install.model import errors
from trtllm_install.model.drift import Drift
from trtllm_install.model.engine import Engine
from trtllm_install.model.errors import ExitCode, InstallError
from trtllm_install.model.facts import SmokeFacts
from trtllm_install.model.facts.gpu import SmokeRun
from trtllm_install.model.findings import found
from trtllm_install.model.hashes import DeepFacts
from trtllm_install.model.timeline import parse_starts
from trtllm_install.model.tree import Action, Change
from trtllm_install.proxy.backends import Backend
from trtllm_install.proxy.traffic import Traffic

BACKEND = Backend(name="qwen", state="healthy", serving=True, draining=False, in_flight=0)
EXAMPLES = [json.loads(body) for body in fences(document("json-output.md"), "json")]
_ONLY = {
    "plan": {"pending"},
    "verify": {"generation", "drift"},
    "logs": {"log"},
    "timeline": {"timeline"},
    "status": {
        *("installation", "backends", "gpus", "traffic", "unknown"),
        *("drifted", "lets_nobody_in"),
    },
    "drain": {"backends"},
    "undrain": {"backends"},
    "rollback": {"generations"},
    "keys add": {"key"},
    **{f"keys {word}": {"client_names"} for word in ("remove", "set")},
    "keys list": {"client_names", "asks_for_keys"},
    **{f"engine {word}": {"engines"} for word in ("add", "list", "remove")},
    **{f"bundle {word}": {"bundle"} for word in ("create", "verify", "unpack")},
    "from-compose": {"compose"},
    "doctor report": {"report"},
    "doctor proxy": {"cases", "added"},
}


def envelope_keys() -> set[str]:
    return set(Envelope("check", "json")._document)


def test_json_examples_have_the_fields_of_the_envelope() -> None:
    for example in EXAMPLES:
        more = set() if example["error"] else _ONLY.get(example["kind"], set())
        assert example.keys() == envelope_keys() | more, example["kind"]
    assert {e["kind"] for e in EXAMPLES} == set(arguments.VERBS) - {"gpu-ready"}


def test_json_examples_follow_the_schema() -> None:
    schema = json.loads(resources.read_text("configs/schema/output.schema.json"))
    for example in EXAMPLES:
        jsonschema.validate(example, schema)


def test_json_tables_have_the_fields_that_are_printed() -> None:
    part = sections(document("json-output.md"))
    change = Change(action=Action.CREATE, kind="file", path="/x", reason="new")
    live = Live(name="qwen", state="absent", status="not started")
    drift = Drift(kind="file", subject="/x", aspect="missing", found="nothing")
    engine = Engine(version="1", path="/e", home="/h", origin="built", usable=True)
    memory = memory_values(planned())
    ((share,),) = [gpu["instances"] for gpu in memory["gpus"]]  # type: ignore[attr-defined]
    printed = {
        "The document": envelope_keys().union(
            {"checks", "system", "smoke", "memory", "weights"}, *_ONLY.values()
        ),
        "A finding": set(finding_values([found("gpu-lost", "GPU 0", what="x")])[0]),
        "A change": set(change_values([change])[0]),
        "A smoke test": set(smoke_values(SmokeFacts(gpus=(), outside=SmokeRun())) or {}),
        "A difference": set(drift_values(drift)),
        "An instance": set(live_values([live])[0]),
        "An installation": set(installation_values(read_status(installed().host))),
        "A backend": set(backend_values([BACKEND])[0]),
        "An engine": set(engine_values([engine], None)[0]),
        "A bundle": set(bundle_values("/b.tar", MANIFEST)),
        "Traffic": set(asdict(Traffic(tokens_per_s=0.0))),
        "A GPU": set(gpu_values([GpuUse(index=0, name="x", total=None, free=None)])[0]),
        "A start": set(timeline_values(parse_starts("qwen", {"starts": [start()]}))[0]),
        "A report": set(report_values("/r.tar.gz", b"x", ())),
        "A compose file": set(compose_values("/c.yml", FromCompose())),
        "The memory plan": set(memory) | set(share),
        "The hashes of weights": set(deep_values(DeepFacts(files=()))),
    }
    for heading, keys in printed.items():
        cells = [r.get("Field") or r["Field of `instances`"] for r in rows(part[heading])]
        said = [f for cell in cells for f in re.findall(r"`(\w+)`", cell)]
        assert sorted(said) == sorted(keys), heading


def test_events_table_has_the_events_of_the_schema() -> None:
    schema = json.loads(resources.read_text("configs/schema/events.schema.json"))
    fields: dict[str, set[str]] = {}
    for part in schema["oneOf"]:
        event = part["properties"]["event"]
        for name in event.get("enum", [event.get("const")]):
            fields[name] = set(part["properties"]) - {"event", "at"}
    said = {
        code_of(r["`event`"]): set(re.findall(r"`(\w+)`", r["Fields"]))
        for r in rows(sections(document("json-output.md"))["Events"])
    }
    assert said == fields


def test_json_error_codes_are_the_ones_of_the_code() -> None:
    table = rows(sections(document("json-output.md"))["An error"])
    said = {
        name: int(r["Exit code"]) for r in table for name in re.findall(r"`(\w+)`", r["`code`"])
    }
    published = {
        name: kind.exit_code
        for name, kind in vars(errors).items()
        if isinstance(kind, type) and issubclass(kind, InstallError)
    }
    # Raised as it is only for Ctrl-C; a bug of ours has no class.
    published |= {"InstallError": ExitCode.INTERRUPTED, "InternalError": ExitCode.INTERNAL}
    assert said == {name: int(code) for name, code in published.items()}
