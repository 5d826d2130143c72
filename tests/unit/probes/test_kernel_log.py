"""Which errors of the driver are in the kernel's log, and when silence means nothing."""

from fakes.fake_host import FakeHost
from trtllm_install.model.facts import Unknown
from trtllm_install.model.facts.gpu import Xid
from trtllm_install.probes.kernel_log import parse_xids, probe_xids

BOOT = "[    0.000000] Linux version 6.8\n"
BUS = "[ 5000.1] NVRM: Xid (PCI:0000:65:00): 79, pid='<unknown>', GPU has fallen off the bus.\n"


def host(dmesg: str | None = None, journal: str | None = None) -> FakeHost:
    made = FakeHost()
    for program, text in (("dmesg", dmesg), ("journalctl", journal)):
        made.add_program(f"/usr/bin/{program}")
        code = 1 if text is None else 0
        made.answer_command([program], text or "", code=code, stderr="not permitted\n")
    return made


def test_code_is_kept_once_for_each_gpu_with_its_count() -> None:
    other = BUS.replace("0000:65:00", "0000:A1:00.0")
    found = parse_xids(BUS + other + BUS.replace("5000.1", "6000") + "NVRM: Xid nonsense: x\n")
    text = "pid='<unknown>', GPU has fallen off the bus."
    assert found == (
        Xid(code=79, pci="0000:65:00", text=text, count=2),
        Xid(code=79, pci="0000:a1:00", text=text),
    )


def test_ring_buffer_that_holds_the_boot_is_enough() -> None:
    on = host(BOOT + BUS, journal=None)
    found = probe_xids(on)
    assert not isinstance(found, Unknown)
    assert [x.code for x in found] == [79]
    assert [c[0] for c in on.ran] == ["dmesg"]


def test_journal_is_asked_where_the_buffer_has_lost_the_boot_or_is_closed() -> None:
    for dmesg in ("[ 9999.0] later\n", None):
        found = probe_xids(host(dmesg, journal=BUS))
        assert not isinstance(found, Unknown)
        assert [x.code for x in found] == [79]


def test_half_a_log_can_tell_of_an_error_and_never_that_there_was_none() -> None:
    half = "[ 9999.0] later\n"
    assert isinstance(probe_xids(host(half, journal=None)), Unknown)
    found = probe_xids(host(half + BUS, journal=None))
    assert not isinstance(found, Unknown)
    assert isinstance(probe_xids(host(None, None)), Unknown)
    rotated = probe_xids(host(None, journal="nvidia: loaded\n"))
    assert isinstance(rotated, Unknown)
    assert probe_xids(host(None, journal="Linux version 6.8\nnvidia: loaded\n")) == ()
    assert isinstance(probe_xids(FakeHost()), Unknown)
    assert probe_xids(host(BOOT)) == ()
