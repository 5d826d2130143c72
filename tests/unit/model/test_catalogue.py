"""The catalogue, the reference page and the grammar agree."""

import re
from pathlib import Path

import pytest

from trtllm_install.model.catalogue import CATALOGUE
from trtllm_install.model.errors import ConfigError, ExitCode
from trtllm_install.model.findings import Severity, accepted, blocking, found

REFERENCE = Path(__file__).parents[3] / "docs/reference/findings.md"


def sections() -> dict[str, str]:
    """Return code -> text of every section of the reference page."""
    parts = re.split(r"^### `([^`]+)`$", REFERENCE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_every_finding_has_its_section_and_no_section_is_left_over() -> None:
    assert list(sections()) == list(CATALOGUE)


@pytest.mark.parametrize("code", CATALOGUE)
def test_section_states_severity_meaning_and_causes_of_the_catalogue(code: str) -> None:
    kind, text = CATALOGUE[code], sections()[code]
    assert f"**{kind.severity}**" in text
    assert kind.title in text
    assert kind.meaning in text
    named = set(re.findall(r"`([a-z0-9-]+)`", text.partition("Silent after:")[2]))
    assert named == set(kind.depends_on)


@pytest.mark.parametrize("code", CATALOGUE)
def test_codes_and_texts_follow_the_grammar(code: str) -> None:
    kind = CATALOGUE[code]
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)+", code)
    assert kind.sentence.count("{}") == 1
    assert kind.sentence.startswith("cannot ") == (kind.severity == "error")
    assert not kind.sentence.endswith(".")
    assert kind.meaning.endswith(".")


def test_causes_stand_before_their_consequences() -> None:
    order = list(CATALOGUE)
    for code, kind in CATALOGUE.items():
        for cause in kind.depends_on:
            assert order.index(cause) < order.index(code), (cause, code)


def test_message_is_one_line_of_found_and_expected() -> None:
    finding = found("port-taken", "127.0.0.1:8000", what="nginx listens there", expected="a port")
    assert finding.message == (
        "cannot listen on 127.0.0.1:8000: nginx listens there; expected a port"
    )


def test_accepted_error_becomes_a_warning_and_stops_nothing() -> None:
    error = found("driver-missing", "this host", what="x", remedy="y")
    info = found("account-absent", "trtllm", what="x")
    kept, demoted = accepted((info, error), ["driver-missing", "account-absent", "port-taken"])
    assert kept == info
    assert (demoted.severity, demoted.accepted) == (Severity.WARNING, True)
    assert blocking((error,)) == (error,)
    assert blocking((kept, demoted)) == ()


def test_unknown_code_is_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="nearest is port-taken") as refusal:
        accepted((), ["port-takn"])
    assert refusal.value.hint == "--accept port-taken"
    assert refusal.value.exit_code is ExitCode.USAGE
