"""Fields and examples of profiles and site files are what the documents say."""

import json
import re

import pytest
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from fakes.fake_systemd import debian
from lab.reference import HOWTO, code_of, document, fences, rows, sections
from trtllm_install import resources
from trtllm_install.app.options import Options
from trtllm_install.app.prepare import prepare
from trtllm_install.config import schemas
from trtllm_install.config.engine import engine_config_problems
from trtllm_install.config.profile import parse_profile, parse_site
from trtllm_install.model import errors, layout
from trtllm_install.model.contract import parse_contract

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
