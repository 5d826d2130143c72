"""The fake machine refuses what a real one refuses."""

import pytest

from fakes.fake_host import FakeHost, KilledError
from trtllm_install.host.protocol import Answer, Completed, Host
from trtllm_install.model.errors import HostError, Locked


@pytest.fixture
def host() -> FakeHost:
    return FakeHost()


def test_fake_host_is_a_host(host: FakeHost) -> None:
    door: Host = host
    assert door.read("/absent") is None
    assert door.look("/absent") is None
    assert door.names_in("/absent") == ()


def test_write_needs_the_folder_above(host: FakeHost) -> None:
    with pytest.raises(HostError, match="no folder /etc/trtllm"):
        host.write("/etc/trtllm/site.yaml", b"", mode=0o644, owner="root")
    host.make_directory("/etc/trtllm", mode=0o755, owner="root")
    host.write("/etc/trtllm/site.yaml", b"x", mode=0o640, owner="trtllm")
    entry = host.look("/etc/trtllm/site.yaml")
    assert entry is not None
    assert (entry.kind, entry.mode, entry.owner, entry.size) == ("file", 0o640, "trtllm", 1)
    assert host.changes == [("make_directory", "/etc/trtllm"), ("write", "/etc/trtllm/site.yaml")]


def test_links_are_followed_by_read_and_resolve_but_not_by_look(host: FakeHost) -> None:
    host.add_file("/srv/blobs/1", b"weights")
    host.add_directory("/srv/snap")
    host.add_link("/srv/snap/a", "../blobs/1")
    host.add_link("/models", "/srv/snap")
    assert host.read("/models/a") == b"weights"
    assert host.resolve("/models/a") == "/srv/blobs/1"
    entry = host.look("/models/a")
    assert entry is not None
    assert (entry.kind, entry.target) == ("link", "../blobs/1")
    assert host.names_in("/models") == ("a",)


def test_write_replaces_a_link_instead_of_following_it(host: FakeHost) -> None:
    host.add_file("/etc/real", b"keep")
    host.add_link("/etc/link", "real")
    host.write("/etc/link", b"new", mode=0o644, owner="root")
    assert host.read("/etc/real") == b"keep"
    assert host.read("/etc/link") == b"new"


def test_link_loop_is_refused_when_read(host: FakeHost) -> None:
    host.add_link("/etc/a", "b")
    host.add_link("/etc/b", "a")
    with pytest.raises(HostError, match="too many links"):
        host.read("/etc/a")
    assert host.resolve("/etc/a") == "/etc/a"


def test_sparse_file_has_its_length_and_reads_zeros(host: FakeHost) -> None:
    host.add_file("/big", b"head", size=10**12)
    entry = host.look("/big")
    assert entry is not None
    assert entry.size == 10**12
    assert host.read("/big", limit=6) == b"head\0\0"
    assert host.read("/big", limit=2, offset=10**12 - 1) == b"\0"


def test_full_folder_is_not_removed(host: FakeHost) -> None:
    host.add_file("/etc/trtllm/a")
    with pytest.raises(HostError, match="not empty"):
        host.remove("/etc/trtllm")
    host.remove("/etc/trtllm/a")
    host.remove("/etc/trtllm")
    host.remove("/etc/trtllm")
    assert host.look("/etc/trtllm") is None


def test_failed_and_fatal_changes_happen_where_asked(host: FakeHost) -> None:
    before = host.tree()
    host.fail_at_change = 1
    with pytest.raises(HostError, match="no space left"):
        host.make_directory("/etc/x", mode=0o755, owner="root")
    host.die_before_change = 2
    with pytest.raises(KilledError):
        host.make_directory("/etc/x", mode=0o755, owner="root")
    assert host.tree() == before
    host.die_after_change = 3
    with pytest.raises(KilledError):
        host.make_directory("/etc/x", mode=0o755, owner="root")
    assert host.look("/etc/x") is not None


def test_untouched_host_keeps_its_serials(host: FakeHost) -> None:
    host.make_directory("/etc/x", mode=0o755, owner="root")
    before = host.serials()
    host.read("/etc/x") if host.look("/etc/y") else None
    assert host.serials() == before
    host.make_directory("/etc/x", mode=0o755, owner="root")
    assert host.serials() != before


def test_command_answers_by_longest_announced_beginning(host: FakeHost) -> None:
    host.answer_command(["systemctl"], "any")
    host.answer_command(["systemctl", "is-active"], "inactive", code=3)
    assert host.run(["systemctl", "daemon-reload"]).stdout == "any"
    ended = host.run(["systemctl", "is-active", "trtllm.target"])
    assert ended == Completed(
        argv=("systemctl", "is-active", "trtllm.target"), code=3, stdout="inactive", stderr=""
    )
    with pytest.raises(HostError, match="no such program"):
        host.run(["absent"])


def test_slow_command_is_ended_at_its_time_limit(host: FakeHost) -> None:
    host.answer_command(["nvidia-smi"], takes=60)
    start = host.monotonic()
    with pytest.raises(HostError, match="no end in 10 s"):
        host.run(["nvidia-smi"], timeout=10)
    assert host.monotonic() - start == 10


def test_things_happen_when_the_clock_reaches_them(host: FakeHost) -> None:
    host.take_port("127.0.0.1", 8000)
    host.later(5, lambda: host.free_port("127.0.0.1", 8000))
    host.pause(4)
    assert not host.can_bind("0.0.0.0", 8000)
    host.pause(1)
    assert host.can_bind("0.0.0.0", 8000)


def test_http_answers_as_announced_and_refuses_the_rest(host: FakeHost) -> None:
    host.answer_http("GET", "http://127.0.0.1:8000/health", Answer(status=200, body=b"{}"))
    assert host.http("GET", "http://127.0.0.1:8000/health").status == 200
    with pytest.raises(HostError, match="refused"):
        host.http("GET", "http://127.0.0.1:8001/health")


def test_held_lock_names_its_holder(host: FakeHost) -> None:
    with host.lock("/run/lock/x"), pytest.raises(Locked, match="this process"):
        host.lock("/run/lock/x").__enter__()
    host.hold_lock("/run/lock/x", "pid 42")
    with pytest.raises(Locked, match="pid 42"):
        host.lock("/run/lock/x").__enter__()


def test_forbidden_path_cannot_be_read(host: FakeHost) -> None:
    host.add_file("/home/me/weights/config.json")
    host.forbid("/home/me")
    with pytest.raises(HostError, match="permission denied"):
        host.look("/home/me/weights/config.json")
