"""Keys of clients: made, listed, refused; the proxy follows."""

import hashlib

import pytest

from fakes.fake_proxy import LOCAL_KEY
from fakes.fake_systemd import FakeSystemd, debian
from fakes.heard import Heard
from fakes.installed import installed
from trtllm_install.app.install import install
from trtllm_install.app.keys import add_key, list_keys, remove_key
from trtllm_install.app.options import Options
from trtllm_install.app.prove import prove
from trtllm_install.model import layout
from trtllm_install.model.clientkeys import hash_key, parse_keys
from trtllm_install.model.errors import ConfigError, GateFailed, NeedsRoot
from trtllm_install.receipts.store import read_receipt


@pytest.fixture(name="systemd")
def installed_host() -> FakeSystemd:
    return installed()


def test_a_key_is_kept_as_a_hash_that_only_the_proxy_may_read(systemd: FakeSystemd) -> None:
    key = add_key(systemd.host, "alice", Heard())
    raw = systemd.host.read(layout.PROXY_KEYS) or b""
    entry = systemd.host.look(layout.PROXY_KEYS)
    assert entry
    assert (entry.mode, entry.owner, entry.group) == (0o640, "root", layout.USER)
    assert key.encode() not in raw
    assert f"alice {hashlib.sha256(key.encode()).hexdigest()}\n".encode() in raw
    assert len(key) > 43  # 256 bits in base 64


def test_keys_come_and_go_and_each_is_another(systemd: FakeSystemd) -> None:
    assert list_keys(systemd.host, Heard()) is None
    keys = {add_key(systemd.host, name, Heard()) for name in ("alice", "bob", "carol")}
    assert len(keys) == 3
    left = remove_key(systemd.host, "bob", Heard())
    assert [key.name for key in left] == ["alice", "carol"]
    assert list_keys(systemd.host, Heard()) == left


def test_the_last_key_leaves_an_empty_file_not_an_open_door(systemd: FakeSystemd) -> None:
    add_key(systemd.host, "alice", Heard())
    assert remove_key(systemd.host, "alice", Heard()) == ()
    assert list_keys(systemd.host, Heard()) == ()


def test_the_running_proxy_is_reloaded_and_asked_whether_it_follows(systemd: FakeSystemd) -> None:
    add_key(systemd.host, "alice", Heard())
    assert ("systemctl", "reload", "trtllm-proxy.service") in systemd.host.ran
    assert ("GET", "/-/generation") in systemd.host.requests


def test_a_proxy_that_does_not_follow_is_told(
    systemd: FakeSystemd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trtllm_install.proxy.keys.mark_of", lambda _: "another")
    with pytest.raises(GateFailed, match="does not take the new keys"):
        add_key(systemd.host, "alice", Heard())


@pytest.mark.parametrize("name", ["", "local", "a b", "-a", "a" * 64, "a\nb", "ä"])
def test_a_name_that_no_key_can_have_is_refused(systemd: FakeSystemd, name: str) -> None:
    with pytest.raises(ConfigError, match="cannot name a key"):
        add_key(systemd.host, name, Heard())
    assert systemd.host.look(layout.PROXY_KEYS) is None


def test_a_name_is_given_once_and_an_unknown_one_is_not_removed(systemd: FakeSystemd) -> None:
    add_key(systemd.host, "alice", Heard())
    with pytest.raises(ConfigError, match="there is one of this name"):
        add_key(systemd.host, "alice", Heard())
    with pytest.raises(ConfigError, match="did you mean alice"):
        remove_key(systemd.host, "alise", Heard())


def test_a_damaged_file_is_told_with_its_line_and_left_alone(systemd: FakeSystemd) -> None:
    systemd.host.add_file(layout.PROXY_KEYS, "# heading\nalice 12\n")
    with pytest.raises(ConfigError, match="line 2 is not NAME and 64 hex digits"):
        add_key(systemd.host, "bob", Heard())
    assert systemd.host.read(layout.PROXY_KEYS) == b"# heading\nalice 12\n"


def test_keys_need_root_and_a_proxy() -> None:
    systemd = FakeSystemd(debian())
    install(systemd.host, Options(profile="qwen", simulate=True), Heard())
    with pytest.raises(ConfigError, match="profile qwen has no proxy"):
        add_key(systemd.host, "alice", Heard())
    systemd.host.root = False
    with pytest.raises(NeedsRoot):
        list_keys(systemd.host, Heard())


def test_the_proof_of_an_install_shows_a_key_of_the_host(systemd: FakeSystemd) -> None:
    add_key(systemd.host, "alice", Heard())
    receipt = read_receipt(systemd.host)
    assert receipt
    list(prove(systemd.host, receipt, Heard()))
    posted = systemd.host.headers_of["POST", "http://127.0.0.1:8000/v1/chat/completions"]
    assert posted == {"Authorization": f"Bearer {LOCAL_KEY}"}


def test_what_is_written_is_read_back() -> None:
    keys = (hash_key("alice", "a"), hash_key("bob.2", "b"))
    text = "".join(f"{key.name} {key.sha256}\n" for key in keys)
    assert parse_keys(f"# x\n\n{text}", "/f") == keys
