"""Who is in the way of a port."""

import json

import pytest

from fakes.fake_host import FakeHost
from trtllm_install.model.facts import PortFacts, Unknown
from trtllm_install.probes.ports import probe_ports

HEAD = "  sl  local_address rem_address st tx_queue rx_queue tr tm->when uid timeout inode\n"


def row(local: str, state: str, inode: int) -> str:
    queues = "00000000:00000000 00:00000000 00000000"
    return f"   0: {local} 00000000:0000 {state} {queues} 0 0 {inode} 1\n"


def add_process(
    host: FakeHost, pid: int, comm: str, cmdline: str, *, inode: int = 0, parent: int = 1
) -> None:
    host.add_file(f"/proc/{pid}/comm", f"{comm}\n")
    host.add_file(f"/proc/{pid}/cmdline", cmdline)
    host.add_file(f"/proc/{pid}/stat", f"{pid} (a name) b) S {parent} 1 1")
    host.add_file(f"/proc/{pid}/cgroup", "0::/\n")
    host.add_link(f"/proc/{pid}/fd/0", "/dev/null")
    if inode:
        host.add_link(f"/proc/{pid}/fd/3", f"socket:[{inode}]")


@pytest.fixture
def host() -> FakeHost:
    """A host on which a stranger listens on 127.0.0.1:8001 (1F41)."""
    host = FakeHost()
    host.take_port("127.0.0.1", 8001)
    host.add_file("/proc/net/tcp", HEAD + row("0100007F:1F41", "0A", 500))
    add_process(host, 42, "ollama", "/usr/bin/ollama\0serve\0", inode=500)
    return host


def probe(host: FakeHost, address: str = "127.0.0.1") -> PortFacts:
    ((name, port),) = probe_ports(host, [("qwen", address, 8001)])
    assert name == "qwen"
    assert isinstance(port, PortFacts)
    return port


def test_free_port_is_free_and_nothing_else_is_read() -> None:
    host = FakeHost()
    host.forbid("/proc")
    assert probe(host) == PortFacts(wanted_by="qwen", address="127.0.0.1", port=8001, free=True)


def test_stranger_is_named_with_its_command(host: FakeHost) -> None:
    holder = probe(host).holder
    assert holder is not None
    assert (holder.pid, holder.name, holder.command) == (42, "ollama", "/usr/bin/ollama serve")
    assert (holder.unit, holder.ours) == ("", False)


@pytest.mark.parametrize(
    ("cgroup", "unit", "ours"),
    [
        ("0::/system.slice/ollama.service\n", "ollama.service", False),
        ("0::/system.slice/trtllm-qwen.service\n", "trtllm-qwen.service", True),
        (
            "1:name=systemd:/user.slice/user-1.slice/session-3.scope\n0::/\n",
            "session-3.scope",
            False,
        ),
        ("0::/user.slice/user@1.service/app.slice/app-x.scope\n", "user@1.service", False),
    ],
)
def test_unit_of_the_holder_is_told(host: FakeHost, cgroup: str, unit: str, ours: bool) -> None:
    host.add_file("/proc/42/cgroup", cgroup)
    holder = probe(host).holder
    assert holder is not None
    assert (holder.unit, holder.ours) == (unit, ours)


def test_process_of_our_launcher_is_ours_by_the_state_file(host: FakeHost) -> None:
    host.add_file("/run/trtllm/qwen.json", json.dumps({"pid": 41, "child_pid": 42}))
    host.add_file("/run/trtllm/broken.json", "{")
    holder = probe(host).holder
    assert holder is not None
    assert holder.ours


def test_grandchild_of_our_launcher_is_ours(host: FakeHost) -> None:
    add_process(host, 42, "nginx", "nginx: worker process", inode=500, parent=41)
    add_process(host, 41, "nginx", "nginx: master process nginx -c /etc/trtllm/proxy/nginx.conf")
    holder = probe(host).holder
    assert holder is not None
    assert holder.ours


def test_process_tree_that_turns_in_a_circle_ends(host: FakeHost) -> None:
    add_process(host, 42, "a", "a", inode=500, parent=43)
    add_process(host, 43, "b", "b", parent=42)
    holder = probe(host).holder
    assert holder is not None
    assert not holder.ours


def test_listener_that_cannot_be_named_still_holds_the_port(host: FakeHost) -> None:
    host.forbid("/proc/42")
    port = probe(host)
    assert port.listening
    assert port.holder is None


def test_closing_connections_are_not_a_listener(host: FakeHost) -> None:
    host.add_file("/proc/net/tcp", HEAD + row("0100007F:1F41", "06", 0))
    port = probe(host)
    assert (port.free, port.listening, port.lingering) == (False, False, True)


def test_listener_with_closing_connections_is_a_listener(host: FakeHost) -> None:
    rows = row("0100007F:1F41", "06", 0) + row("0100007F:1F41", "0A", 500)
    host.add_file("/proc/net/tcp", HEAD + rows)
    port = probe(host)
    assert (port.listening, port.lingering) == (True, False)
    assert port.holder is not None


def test_unusable_address_is_neither_taken_nor_closing(host: FakeHost) -> None:
    host.add_file("/proc/net/tcp", HEAD + row("0100007F:2000", "0A", 500))
    port = probe(host)
    assert (port.free, port.listening, port.lingering) == (False, False, False)


@pytest.mark.parametrize(
    ("table", "local", "wanted", "clash"),
    [
        ("tcp", "00000000:1F41", "127.0.0.1", True),
        ("tcp", "0100007F:1F41", "0.0.0.0", True),
        ("tcp", "0500A8C0:1F41", "127.0.0.1", False),
        ("tcp", "0100007F:1F41", "localhost", True),
        ("tcp6", "00000000000000000000000000000000:1F41", "127.0.0.1", True),
        ("tcp6", "0000000000000000FFFF00000100007F:1F41", "127.0.0.1", True),
        ("tcp6", "00000000000000000000000001000000:1F41", "::1", True),
    ],
)
def test_only_addresses_that_overlap_are_in_the_way(
    table: str, local: str, wanted: str, clash: bool
) -> None:
    host = FakeHost()
    host.take_port("", 8001)
    host.add_file(f"/proc/net/{table}", HEAD + row(local, "0A", 500))
    assert probe(host, wanted).listening is clash


def test_unreadable_socket_table_is_unknown(host: FakeHost) -> None:
    host.forbid("/proc/net")
    ((_, port),) = probe_ports(host, [("qwen", "127.0.0.1", 8001)])
    assert isinstance(port, Unknown)


def test_user_of_a_socket_is_told_where_its_process_is_hidden(host: FakeHost) -> None:
    host.add_file("/etc/passwd", "root:x:0:0::/root:/bin/sh\ntrtllm:x:471:471::/:/bin/false\n")
    listening = row("0100007F:1F41", "0A", 500).replace(" 0 0 500", " 471 0 500")
    host.add_file("/proc/net/tcp", HEAD + listening)
    assert probe(host).user == ""  # the process is known, which says more
    host.forbid("/proc/42/fd")
    seen = probe(host)
    assert (seen.holder, seen.user) == (None, "trtllm")
