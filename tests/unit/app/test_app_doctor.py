"""The report for a bug: all of it, bounded, without secrets."""

import io
import tarfile

import pytest

from fakes.command_line import CommandLine
from fakes.fake_host import FakeHost
from fakes.fake_systemd import debian
from fakes.installed import installed
from trtllm_install.app.doctor import gather, packed
from trtllm_install.model import layout
from trtllm_install.model.errors import HostError

REPORT = "/srv/report.tar.gz"


def contents(raw: bytes) -> dict[str, str]:
    with tarfile.open(fileobj=io.BytesIO(raw)) as archive:
        return {
            member.name.partition("/")[2]: (archive.extractfile(member) or io.BytesIO())
            .read()
            .decode()
            for member in archive
        }


@pytest.fixture
def line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    return CommandLine(monkeypatch, capsys).installed()


def test_it_holds_what_is_installed_and_how_it_runs(line: CommandLine) -> None:
    assert line.run("doctor", "report", "--file", REPORT).code == 0
    found = contents(line.host.read(REPORT) or b"")
    for name in (
        "files/etc/trtllm/instances/qwen.json",
        "files/etc/trtllm/engine/nano_v3.yaml",
        "files/run/trtllm/qwen.json",
        "files/var/lib/trtllm/receipt.json",
        "check.json",
        "CONTENTS",
    ):
        assert found[name], name
    entry = line.host.look(REPORT)
    assert entry
    assert entry.mode == 0o600


def test_secrets_are_masked(line: CommandLine) -> None:
    line.host.add_file(f"{layout.PROFILES}/own.yaml", b"hf_token: hf_abcdefgh12345678\n")
    line.host.answer_command(["ps"], "1 0 root S 1 1 serve --api-key=sk-0123456789abcdef0\n")
    line.run("doctor", "report", "--file", REPORT)
    everything = "".join(contents(line.host.read(REPORT) or b"").values())
    assert "********" in everything
    assert "hf_abcdefgh" not in everything
    assert "sk-0123456789" not in everything


def test_nothing_is_overwritten(line: CommandLine) -> None:
    line.host.add_file(REPORT, b"before")
    ran = line.run("doctor", "report", "--file", REPORT)
    assert (ran.code, line.host.read(REPORT)) == (2, b"before")
    assert "it is there already" in ran.err


def test_a_large_log_is_cut_to_its_end_and_that_is_said() -> None:
    host = installed().host
    host.add_file(f"{layout.TOOL_LOGS}/x.log", b"begin" + b"x" * (1 << 20) + b"end")
    (item,) = [i for i in gather(host) if i.name == f"files{layout.TOOL_LOGS}/x.log"]
    assert item.text.endswith("end")
    assert "begin" not in item.text
    assert item.note == "the last 512 KiB of 1024"


def test_what_refuses_is_a_note_and_never_a_failure() -> None:
    host = installed().host
    refusal = HostError("cannot run nvidia-smi: no answer within 20 s", hint="reboot")
    host.answer_command(["nvidia-smi"], by=refusal)
    items = {item.name: item for item in gather(host)}
    assert items["commands/nvidia-smi_-q.txt"].note == refusal.message
    listed = contents(packed(list(items.values()), folder="r", at=0))["CONTENTS"]
    assert refusal.message in listed


@pytest.mark.parametrize("host", [FakeHost(), debian()])
def test_it_works_where_nothing_is_installed(host: FakeHost) -> None:
    items = list(gather(host))
    assert items
    assert contents(packed(items, folder="r", at=0))["CONTENTS"]


def test_a_damaged_receipt_is_in_it_and_does_not_stop_it(line: CommandLine) -> None:
    line.host.add_file(layout.RECEIPT, b"{}")
    ran = line.run("doctor", "report", "--file", REPORT)
    assert ran.code == 0
    found = contents(line.host.read(REPORT) or b"")
    assert found["receipt-refused.txt"]
    assert found["files/var/lib/trtllm/receipt.json"] == "{}"
