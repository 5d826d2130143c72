"""The text that switches faults on."""

import json

import pytest

from trtllm_install.simulator.faults import FaultError, Faults, parse_faults


def test_no_text_is_no_fault() -> None:
    assert parse_faults("") == Faults()


@pytest.mark.parametrize(
    "text",
    [
        '{"load_seconds": 0, "stall_at": 37, "oom": true}',
        "load_seconds=0,stall_at=37,oom=true",
        "load_seconds=0 stall_at=37  oom",
    ],
)
def test_json_and_pairs_say_the_same(text: str) -> None:
    assert parse_faults(text) == Faults(load_seconds=0, stall_at=37, oom=True)


def test_every_fault_survives_its_document() -> None:
    faults = Faults(cut_after_events=3, token_seconds=0.5, orphan=True)
    assert parse_faults(json.dumps(faults.document())) == faults


def test_a_fault_is_switched_off_again() -> None:
    assert Faults(hang=True, exit_code=3).changed({"hang": False, "exit_code": None}) == Faults()


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("hangs", "unknown fault 'hangs': did you mean hang"),
        ("zzz", "unknown fault 'zzz': known are load_seconds"),
        ("oom=maybe", "oom must be true or false, found 'maybe'"),
        ("load_seconds=-1", "load_seconds must be seconds, 0 or more, found '-1'"),
        ("load_seconds=nan", "load_seconds must be seconds, 0 or more, found 'nan'"),
        ("stall_at=101", "stall_at must be a whole number from 0 to 100, found '101'"),
        ("{", "not valid JSON"),
    ],
)
def test_what_is_wrong_is_said(text: str, cause: str) -> None:
    with pytest.raises(FaultError, match=cause):
        parse_faults(text)
