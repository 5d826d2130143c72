"""The documents say what the code does: paths, exit codes, options, fields, links."""

import argparse
import json
import re
from collections.abc import Iterator
from dataclasses import asdict
from functools import cache
from itertools import product
from pathlib import Path
from typing import Final

import jsonschema
import pytest
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from fakes.fake_bundle import MANIFEST
from fakes.fake_systemd import FakeSystemd, debian
from fakes.fake_timeline import start
from fakes.healthy import FACTS, WEIGHTS
from fakes.heard import Heard
from fakes.installed import installed
from fakes.models import planned
from lab import checkout
from trtllm_install import resources
from trtllm_install.app.desired import desired_tree
from trtllm_install.app.install import install
from trtllm_install.app.operate import read_status
from trtllm_install.app.options import Options
from trtllm_install.app.overview import GpuUse
from trtllm_install.app.prepare import prepare
from trtllm_install.app.reporter import Live
from trtllm_install.apply.journal import Journal
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
from trtllm_install.cli.runlog import RunLog
from trtllm_install.cli.status_view import gpu_values
from trtllm_install.cli.timeline_view import timeline_values
from trtllm_install.cli.verbs.doctor_report import report_values
from trtllm_install.cli.verbs.drain import backend_values
from trtllm_install.cli.verbs.from_compose import compose_values
from trtllm_install.cli.verbs.status import installation_values
from trtllm_install.cli.verbs.verify import drift_values
from trtllm_install.config import schemas
from trtllm_install.config.engine import engine_config_problems
from trtllm_install.config.from_compose import FromCompose
from trtllm_install.config.profile import parse_profile, parse_site
from trtllm_install.host.local import LocalHost
from trtllm_install.model import errors, layout
from trtllm_install.model.contract import parse_contract
from trtllm_install.model.desired import Desired
from trtllm_install.model.drift import ASPECTS, Drift
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

REFERENCE: Final = checkout.ROOT / "docs/reference"
HOWTO: Final = checkout.ROOT / "docs/howto"
DOCUMENTS: Final = checkout.below(".", suffix=".md")
_FENCE: Final = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def document(name: str) -> str:
    return (REFERENCE / name).read_text(encoding="utf-8")


def prose_of(text: str) -> str:
    """A document without its code blocks."""
    return _FENCE.sub("", text)


def fences(text: str, kind: str) -> list[str]:
    return [body for found_kind, body in _FENCE.findall(text) if found_kind == kind]


def sections(text: str) -> dict[str, str]:
    """Heading -> what follows it, up to the next heading of any level."""
    parts = re.split(r"^#+ (.*)$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def rows(text: str) -> list[dict[str, str]]:
    """Every row of every table, by the names of its columns."""
    found_rows: list[dict[str, str]] = []
    header: list[str] = []
    for line in text.splitlines():
        cells = [c.strip() for c in re.split(r"(?<!\\)\|", line.strip("|"))]
        if not line.startswith("|"):
            header = []
        elif not header:
            header = cells
        elif not set(line) <= set("|-: "):
            assert len(cells) == len(header), line
            found_rows.append(dict(zip(header, cells, strict=True)))
    return found_rows


def code_of(cell: str) -> str:
    return cell.strip("`")


# files.md --------------------------------------------------------------------

WRITTEN = "Written by `install`"
_WORDS = {"NAME": r"[a-z][a-z0-9-]*", "MODEL": r".+", "FILE": r"[^/]+"}
VARIANTS = [
    dict(zip(("profile", "supervisor", "simulate"), chosen, strict=True))
    for chosen in product(("qwen", "nemotron", "multi"), ("systemd", "supervisord"), (True, False))
]
_CONDITIONS = {
    "always": lambda _: True,
    "each service": lambda _: True,
    "the shipped ones that the profile uses": lambda _: True,
    "`site.yaml` changes the engine settings of an instance": lambda _: True,
    "with a proxy": lambda v: v["profile"] == "multi",
    "`site.yaml` says `access_log`": lambda v: v["profile"] == "multi",
    "with `--simulate`": lambda v: v["simulate"],
    "an engine was named or added": lambda _: True,
    "supervisord": lambda v: v["supervisor"] == "supervisord",
    "supervisord, or `access_log`": lambda v: (
        v["supervisor"] == "supervisord" or v["profile"] == "multi"
    ),
    "systemd": lambda v: v["supervisor"] == "systemd",
    "systemd, each service": lambda v: v["supervisor"] == "systemd",
}


@cache
def desired(profile: str, supervisor: str, *, simulate: bool) -> Desired:
    """What install writes on a host whose site file changes every engine's settings."""
    host = debian()
    host.add_directory(layout.ETC)
    changes = "".join(f"  {name}: {{max_seq_len: 4096}}\n" for name in ("qwen", "nemotron"))
    host.add_file(layout.SITE_FILE, f"instances:\n{changes}proxy: {{access_log: true}}\n")
    options = Options(
        profile=profile,
        weights_dir=None if simulate else WEIGHTS,
        init="systemd" if supervisor == "systemd" else "supervisord",
        simulate=simulate,
        engine_path=None if simulate else "/srv/engine/bin/trtllm-serve",
    )
    return desired_tree(prepare(host, options, None), FACTS)


def documented(columns: set[str]) -> list[dict[str, str]]:
    """Rows of "Written by install" in the table that has exactly these columns."""
    return [r for r in rows(sections(document("files.md"))[WRITTEN]) if set(r) == columns]


FOLDERS = documented({"Path", "Mode", "Owner", "When", "What"})
FILES = documented({"Path", "Mode", "Owner", "When", "Who edits"})
LINKS = documented({"Path", "When", "To"})


def row_for(path: str, table: list[dict[str, str]]) -> dict[str, str]:
    """The row that speaks of ``path``: the fewest placeholders, then the longest text."""
    fitting = [row for row in table if re.fullmatch(pattern_of(row["Path"]), path)]
    assert fitting, f"files.md does not know {path}"
    return min(fitting, key=lambda row: (_placeholders(row["Path"]), -len(row["Path"])))


def _placeholders(cell: str) -> int:
    return sum(word in cell for word in _WORDS)


def pattern_of(cell: str) -> str:
    pattern = re.escape(code_of(cell))
    for word, form in _WORDS.items():
        pattern = re.sub(rf"\b{word}\b", lambda _, form=form: form, pattern)
    return pattern


def entries(tree: Desired) -> Iterator[tuple[list[dict[str, str]], str, str, str]]:
    """Table, path, mode and owner of everything in a tree."""
    for directory in tree.directories:
        yield FOLDERS, directory.path, f"{directory.mode:04o}", directory.owner
    for file in tree.files:
        yield FILES, file.path, f"{file.mode:04o}", file.owner
    for link in tree.links:
        yield LINKS, link.path, "", ""


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda v: "-".join(map(str, v.values())))
def test_every_path_of_install_has_its_row(variant: dict[str, str]) -> None:
    for table, path, mode, owner in entries(desired(**variant)):  # type: ignore[arg-type]
        row = row_for(path, table)
        assert (row.get("Mode", ""), row.get("Owner", "")) == (mode, owner), path
        assert _CONDITIONS[row["When"]](variant), f"{path} is written although {row['When']}"


def test_every_row_is_a_path_that_install_writes_when_it_says() -> None:
    assert FOLDERS
    assert FILES
    assert LINKS
    for table, row in [(t, row) for t in (FOLDERS, FILES, LINKS) for row in t]:
        due = [v for v in VARIANTS if _CONDITIONS[row["When"]](v)]
        assert due, row
        for variant in due:
            mine = {
                row_for(path, table)["Path"]
                for seen, path, _, _ in entries(desired(**variant))  # type: ignore[arg-type]
                if seen is table
            }
            assert row["Path"] in mine, (row["Path"], variant)


def test_every_path_of_the_layout_is_in_files() -> None:
    text = document("files.md")
    paths = {
        name: value
        for name, value in vars(layout).items()
        if name.isupper() and isinstance(value, str) and value.startswith("/")
    }
    assert paths
    missing = {name: path for name, path in paths.items() if f"`{path}" not in text}
    assert missing == {}


def test_what_the_installer_keeps_has_the_modes_that_files_says(tmp_path: Path) -> None:
    machine = FakeSystemd(debian())
    install(machine.host, Options(profile="multi", simulate=True), Heard())
    change = Change(action=Action.CREATE, kind="file", path="/etc/trtllm/x", reason="new")
    Journal(machine.host).announce(change)
    modes = {
        path: machine.host.look(path).mode
        for path in (layout.RECEIPT, layout.JOURNAL, layout.GENERATIONS)
    }  # type: ignore[union-attr]
    local = LocalHost(str(tmp_path))
    with local.lock(layout.LOCK):
        modes[layout.LOCK] = local.look(layout.LOCK).mode  # type: ignore[union-attr]
    machine.host.add_directory("/var/log")
    RunLog(machine.host, "install", [], complain=print).open()
    modes[layout.TOOL_LOGS] = machine.host.look(layout.TOOL_LOGS).mode  # type: ignore[union-attr]
    said = rows(sections(document("files.md"))["Kept by the installer"])
    assert {code_of(r["Path"]): int(r["Mode"], 8) for r in said} == modes


# exit-codes.md ---------------------------------------------------------------


def test_exit_codes_are_the_ones_of_the_code() -> None:
    table = rows(prose_of(document("exit-codes.md")))
    said = [(int(r["Code"]), code_of(r["Name"])) for r in table if "Code" in r]
    assert said == [(code.value, code.name) for code in ExitCode]


def test_every_verb_says_how_it_can_end() -> None:
    table = rows(sections(document("exit-codes.md"))["Which verb ends how"])
    said = [verb for r in table for verb in re.findall(r"`([a-z -]+)`", r["Verb"])]
    assert sorted(said) == sorted(set(arguments.VERBS) - {"gpu-ready"})


# command-line.md -------------------------------------------------------------


def verb_parsers() -> dict[str, argparse.ArgumentParser]:
    top = arguments._parser()
    (verbs,) = [a for a in top._actions if isinstance(a, argparse._SubParsersAction)]
    return dict(verbs.choices)


def actions_of(verb: str) -> list[argparse.Action]:
    return [a for a in verb_parsers()[verb]._actions if a.dest != "help"]


def test_every_verb_has_its_section() -> None:
    part = document("command-line.md").partition("## Verbs")[2].partition("## Options")[0]
    said = re.findall(r"^### `([a-z -]+)`$", part, flags=re.MULTILINE)
    assert sorted(said) == sorted(verb_parsers())


@pytest.mark.parametrize("verb", arguments.VERBS)
def test_synopsis_names_every_option_of_the_verb(verb: str) -> None:
    (synopsis,) = fences(sections(document("command-line.md"))[f"`{verb}`"], "text")
    said = set(re.findall(r"(?<![\w-])--?[a-z][a-z0-9-]*", synopsis))
    assert said == {name for action in actions_of(verb) for name in action.option_strings}
    for action in actions_of(verb):
        if not action.option_strings:
            assert str(action.metavar) in synopsis
        if action.choices:
            assert f"{action.option_strings[0]} {'|'.join(action.choices)}" in synopsis


def test_options_table_has_every_option_with_its_choices_and_default() -> None:
    table = {
        code_of(r["Option"]): r for r in rows(sections(document("command-line.md"))["Options"])
    }
    known = {
        a.option_strings[-1]: a
        for verb in arguments.VERBS
        for a in actions_of(verb)
        if a.option_strings
    }
    assert table.keys() == known.keys()
    for name, action in known.items():
        value = table[name]["Value"]
        if action.choices:
            assert re.findall(r"`(\w+)`", value) == list(action.choices), name
        else:
            assert bool(value) == (action.nargs != 0), name
        if action.default not in (None, False, []):
            assert code_of(table[name]["Default"]) == str(action.default), name
        elif action.nargs == 0:
            assert table[name]["Default"] == "off", name


# profiles.md -----------------------------------------------------------------

SHAPES: dict[str, type[BaseModel]] = {
    "Fields of a profile": schemas.ProfileShape,
    "Fields of an instance": schemas.InstanceShape,
    "Fields of the proxy": schemas.ProxyShape,
    "Fields of the site file": schemas.SiteShape,
    "Fields of an instance in the site file": schemas.SiteInstanceShape,
    "Fields of the proxy in the site file": schemas.SiteProxyShape,
    "Fields of the limits": schemas.LimitsShape,
    "Fields of `tls` in the site file": schemas.TlsShape,
    "Fields of a peer in the site file": schemas.PeerShape,
}


@pytest.mark.parametrize("heading", SHAPES)
def test_profile_fields_are_the_ones_of_the_shapes(heading: str) -> None:
    table = rows(sections(document("profiles.md"))[heading])
    fields = SHAPES[heading].model_fields
    assert [code_of(r["Field"]) for r in table] == list(fields)
    for row in table:
        field = fields[code_of(row["Field"])]
        assert (row["Default"] == "required") == field.is_required(), row
        if field.default not in (PydanticUndefined, None) and not isinstance(
            field.default, (dict, BaseModel)
        ):
            assert code_of(row["Default"]) == str(field.default), row


def test_every_shape_of_the_files_is_documented() -> None:
    shapes = {
        value
        for value in vars(schemas).values()
        if isinstance(value, type) and issubclass(value, BaseModel) and value.__name__ != "_Strict"
    } - {BaseModel}
    assert set(SHAPES.values()) == shapes


def test_examples_of_profiles_can_be_used() -> None:
    examples = fences(document("profiles.md"), "yaml")
    (profile,) = [e for e in examples if e.startswith("description:")]
    (site,) = [e for e in examples if e.startswith("profile:")]
    shipped = resources.read_text("configs/profiles/multi.yaml")
    assert parse_profile(profile, "example") == parse_profile(shipped, "multi.yaml")
    parse_site(site, "example", frozenset({"qwen", "nemotron"}))
    (site,) = fences((HOWTO / "troubleshooting.md").read_text(encoding="utf-8"), "yaml")
    parse_site(site, "example", frozenset({"qwen"}))


def test_own_profile_can_be_installed_as_it_stands() -> None:
    """The two files of the howto, and the mistake it shows."""
    text = (HOWTO / "own-profile.md").read_text(encoding="utf-8")
    written = dict(
        re.findall(r"^sudo tee (\S+) <<'YAML'\n(.*?)^YAML$", text, re.MULTILINE | re.DOTALL)
    )
    host = debian()
    for folder in (layout.ETC, layout.PROFILES, layout.ENGINE_CONFIGS):
        host.add_directory(folder)
    for path, content in written.items():
        host.add_file(path, content)
    wanted = prepare(host, Options(profile="trio", simulate=True), None).installation
    assert [i.name for i in wanted.instances] == ["qwen", "nemotron", "small"]
    version = resources.read_text("configs/engine/VERSION").strip()
    contract = parse_contract(json.loads(resources.read_text(f"configs/contract/{version}.json")))
    (engine,) = (c for p, c in written.items() if p.startswith(layout.ENGINE_CONFIGS))
    assert engine_config_problems(engine, "small.yaml", "pytorch", contract) == ()
    wrong = written[f"{layout.PROFILES}/trio.yaml"].replace(
        "[nemotron]\n    route: [qwen3-8b]", "[nemotro]\n    route: [qwen3-8b]"
    )
    with pytest.raises(errors.ConfigError) as refusal:
        parse_profile(wrong, f"{layout.PROFILES}/trio.yaml")
    assert f"error: {refusal.value.message}\n\nhint: {refusal.value.hint}\n" in fences(text, "text")


# json-output.md --------------------------------------------------------------

BACKEND = Backend(name="qwen", state="healthy", serving=True, draining=False, in_flight=0)
EXAMPLES = [json.loads(body) for body in fences(document("json-output.md"), "json")]
_ONLY = {
    "plan": {"pending"},
    "verify": {"generation", "drift"},
    "logs": {"log"},
    "timeline": {"timeline"},
    "status": {*("installation", "backends", "gpus", "traffic", "unknown", "drifted")},
    "drain": {"backends"},
    "undrain": {"backends"},
    "rollback": {"generations"},
    "keys add": {"key"},
    **{f"keys {word}": {"client_names"} for word in ("list", "remove")},
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


# drift.md --------------------------------------------------------------------


def test_drift_table_has_every_kind_and_aspect() -> None:
    text = (HOWTO / "drift.md").read_text(encoding="utf-8")
    table = rows(sections(text)["What is compared"])
    said = {code_of(r["Kind"]): tuple(re.findall(r"`([a-z -]+)`", r["Aspects"])) for r in table}
    assert said == ASPECTS


# every document --------------------------------------------------------------


def anchors_of(path: Path) -> set[str]:
    """What a heading is called in a link, as the usual forges name it."""
    headings = re.findall(r"^#+ (.*)$", prose_of(path.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: str(p.relative_to(checkout.ROOT)))
def test_every_link_leads_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", prose_of(path.read_text(encoding="utf-8"))):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        there = (path.parent / name).resolve() if name else path
        assert there.exists(), target
        assert there.is_relative_to(checkout.ROOT), target
        assert not anchor or anchor in anchors_of(there), target


def test_both_readmes_have_the_same_parts() -> None:
    english, japanese = (
        prose_of((checkout.ROOT / name).read_text(encoding="utf-8"))
        for name in ("README.md", "README.ja.md")
    )

    def skeleton(text: str) -> list[str]:
        """Levels of headings, rows of tables, and where links lead within the checkout."""
        shapes = []
        for line in text.splitlines():
            if line.startswith(("#", "|")):
                shapes.append(line.split(" ")[0])
            shapes += re.findall(r"\]\(([^)#\s]+)\)", line)
        ours = [s for s in shapes if s not in {"README.md", "README.ja.md"}]
        return [shape.replace(".ja.md", ".md") for shape in ours]

    assert skeleton(japanese) == skeleton(english)


def test_adrs_are_numbered_once_and_have_the_same_parts() -> None:
    records = checkout.below("docs/adr", suffix=".md")
    numbers = [path.name[:4] for path in records]
    assert numbers == sorted(set(numbers))
    for path in records:
        lines = path.read_text(encoding="utf-8").splitlines()
        assert lines[0].startswith(f"# {int(path.name[:4])}. "), path
        headings = [line for line in lines if line.startswith("## ")]
        assert headings == ["## Context", "## Decision", "## Consequences"], path
