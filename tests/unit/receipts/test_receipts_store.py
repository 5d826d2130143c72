"""The receipt: what is written is read again, and what cannot be read is never guessed."""

import json
from dataclasses import replace

import pytest

from fakes.fake_host import FakeHost
from fakes.unit_values import receipt
from trtllm_install.apply.changes import apply_change, undo_change
from trtllm_install.model import layout
from trtllm_install.model.errors import ConfigError
from trtllm_install.model.receipt import OwnedFile, Receipt
from trtllm_install.model.sealed import seal
from trtllm_install.model.tree import Action, Fingerprint
from trtllm_install.receipts.store import encode, read_receipt, receipt_change

WHOLE = receipt(
    models=("nvidia/Qwen3", "n"),
    order=("qwen", "proxy"),
    files={"/etc/trtllm/a": OwnedFile(digest="0" * 64, template="t")},
    directories=("/etc/trtllm", "/var/lib/trtllm"),
    links={"/opt/trtllm/engines/current": "/opt/e"},
    accounts=("trtllm",),
    services={"qwen": Fingerprint(restart="1", reload="2")},
)


@pytest.fixture
def host() -> FakeHost:
    machine = FakeHost()
    machine.add_directory(layout.STATE)
    return machine


def refusal(host: FakeHost) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        read_receipt(host)
    return caught.value


@pytest.mark.parametrize("value", [WHOLE, receipt()])
def test_what_is_written_is_read_again(host: FakeHost, value: Receipt) -> None:
    host.add_file(layout.RECEIPT, encode(value))
    assert read_receipt(host) == value


def test_the_same_receipt_has_the_same_bytes(host: FakeHost) -> None:
    host.add_file(layout.RECEIPT, encode(WHOLE))
    again = read_receipt(host)
    assert again is not None
    assert encode(again) == host.read(layout.RECEIPT)


def test_a_host_without_us_has_no_receipt(host: FakeHost) -> None:
    assert read_receipt(host) is None


def test_a_newer_receipt_is_refused(host: FakeHost) -> None:
    host.add_file(layout.RECEIPT, encode(WHOLE))
    record = json.loads(host.read(layout.RECEIPT) or b"")
    host.add_file(layout.RECEIPT, json.dumps({**record, "schema": 3, "news": []}))
    error = refusal(host)
    said = "cannot use /var/lib/trtllm/receipt.json: it has schema 3, this tool knows 2"
    assert error.message == said
    assert "newer" in error.hint


DAMAGED = [
    *(b"", b"{", b"null", b"[]", b"7", b"\xff", b"{}", b'{"schema": 1}'),
    b'{"schema": 1, "files": {}}',
]


@pytest.mark.parametrize("content", DAMAGED)
def test_a_damaged_receipt_is_refused_with_a_way_out(host: FakeHost, content: bytes) -> None:
    host.add_file(layout.RECEIPT, content)
    error = refusal(host)
    assert error.message.startswith("cannot use /var/lib/trtllm/receipt.json: ")
    assert "mv /var/lib/trtllm/receipt.json{,.damaged}" in error.hint


@pytest.mark.parametrize(
    "damage",
    [
        {"files": {"/a": {"digest": "x"}}},
        {"files": []},
        {"services": {"qwen": {}}},
        {"unknown": 1},
        {"directories": None},
    ],
)
def test_a_receipt_with_one_wrong_part_is_refused(
    host: FakeHost, damage: dict[str, object]
) -> None:
    host.add_file(layout.RECEIPT, encode(WHOLE))
    record = json.loads(host.read(layout.RECEIPT) or b"")
    host.add_file(layout.RECEIPT, json.dumps({**record, **damage}))
    assert "its checksum differs" in refusal(host).message
    del record["sha256"]
    host.add_file(layout.RECEIPT, seal({**record, **damage}, 2))
    assert "cannot be understood" in refusal(host).message


@pytest.mark.parametrize("path", ["etc/trtllm", "/etc/trtllm/../passwd", "/etc//x", ""])
def test_a_path_with_a_way_out_is_refused_even_under_a_right_checksum(
    host: FakeHost, path: str
) -> None:
    there = {path: OwnedFile(digest="0" * 64, template="t")}
    host.add_file(layout.RECEIPT, encode(replace(WHOLE, files=there)))
    assert "no path of ours" in refusal(host).message


def test_recording_and_forgetting_are_changes_that_can_be_undone(host: FakeHost) -> None:
    record = receipt_change(host, WHOLE)
    assert (record.action, record.path) == (Action.CREATE, layout.RECEIPT)
    apply_change(host, record)
    assert read_receipt(host) == WHOLE
    assert receipt_change(host, WHOLE).action is Action.REPLACE
    forget = receipt_change(host, None)
    apply_change(host, forget)
    assert read_receipt(host) is None
    undo_change(host, forget)
    assert read_receipt(host) == WHOLE
    undo_change(host, record)
    assert host.look(layout.RECEIPT) is None
