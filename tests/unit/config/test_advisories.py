"""The shipped advisories, and what an ill-formed file is told."""

import pytest
import yaml
from jsonschema import Draft202012Validator

from trtllm_install import resources
from trtllm_install.app.observe import ADVISORIES, shipped_advisories
from trtllm_install.config.advisories import AdvisoriesShape, parse_advisories
from trtllm_install.config.schemas import json_schema
from trtllm_install.model.errors import ConfigError

SCHEMA = json_schema(AdvisoriesShape, "advisories")
ENTRY = """
advisories:
  - id: some-fault
    about: instance
    severity: warning
    when: {capability: ["12.1"]}
    what: it fails
    remedy: do something
    sources: ["https://example.org/1"]
"""


def test_shipped_file_follows_its_schema_and_its_shape() -> None:
    document = yaml.safe_load(resources.read_text(ADVISORIES))
    assert list(Draft202012Validator(SCHEMA).iter_errors(document)) == []
    assert shipped_advisories() == parse_advisories(resources.read_text(ADVISORIES), ADVISORIES)
    assert len(shipped_advisories()) == len(document["advisories"])


def test_example_is_taken() -> None:
    (advisory,) = parse_advisories(ENTRY, "a.yaml")
    assert advisory.when.capability == ("12.1",)
    assert Draft202012Validator(SCHEMA).is_valid(yaml.safe_load(ENTRY))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('{capability: ["12.1"]}', "{}", "condition under when"),
        ('{capability: ["12.1"]}', '{engine: ["1.3.0"]}', "not a comparison"),
        ('{capability: ["12.1"]}', '{capabilty: ["12.1"]}', "did you mean capability"),
        ('{capability: ["12.1"]}', '{nginx: ["<1.30"]}', "about the proxy"),
        ('{capability: ["12.1"]}', "{settings: [{key: a}]}", "exactly one of"),
        ("about: instance", "about: proxy", "versions of nginx or openresty"),
        ("about: instance", "about: host\n    change: {a: 1}", "about an instance"),
        ("    remedy: do something\n", "", "remedy or a change"),
        ("what: it fails", "what: it fails.", "must match"),
        ('["https://example.org/1"]', "[]", "sources"),
        ("id: some-fault", "id: Some", "must match"),
    ],
)
def test_ill_formed_entry_is_refused_with_the_reason(old: str, new: str, words: str) -> None:
    assert old in ENTRY
    with pytest.raises(ConfigError) as refusal:
        parse_advisories(ENTRY.replace(old, new), "a.yaml")
    assert words in refusal.value.message


def test_same_id_twice_is_refused() -> None:
    twice = ENTRY + ENTRY.partition("advisories:")[2]
    with pytest.raises(ConfigError, match="each id once: some-fault"):
        parse_advisories(twice, "a.yaml")
