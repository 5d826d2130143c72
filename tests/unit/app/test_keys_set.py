"""Keys that an operator brings: the file becomes what was given, and the proxy follows."""

import hashlib

import pytest

from fakes.fake_systemd import FakeSystemd, debian
from fakes.heard import Heard
from fakes.installed import installed
from trtllm_install.app.install import install
from trtllm_install.app.keys import add_key
from trtllm_install.app.keys_set import Setting, given_keys, plan_setting, set_keys
from trtllm_install.app.options import Options
from trtllm_install.host.protocol import Answer
from trtllm_install.model import layout
from trtllm_install.model.errors import ConfigError, GateFailed, NeedsRoot
from trtllm_install.proxy.keys import CLIENTS, PEERS, KeyFile

ALICE, BOB, OTHER = (letter * 32 for letter in "abc")
RELOAD = ("systemctl", "reload", "trtllm-proxy.service")


@pytest.fixture(name="systemd")
def installed_host() -> FakeSystemd:
    return installed()


def set_(
    systemd: FakeSystemd, *, exclusive: str | None = None, file: KeyFile = CLIENTS, **keys: str
) -> Setting:
    text = "".join(f"{name} {key}\n" for name, key in keys.items())
    return set_keys(systemd.host, given_keys(text, file), file, Heard(), exclusive=exclusive)


def told(setting: Setting) -> list[tuple[str, str]]:
    return [(change.action.value, change.name) for change in setting.changes]


def test_given_keys_are_kept_as_hashes_and_the_proxy_follows(systemd: FakeSystemd) -> None:
    done = set_(systemd, alice=ALICE, bob=BOB)
    assert told(done) == [("create", "alice"), ("create", "bob")]
    raw = systemd.host.read(layout.PROXY_KEYS) or b""
    assert f"alice {hashlib.sha256(ALICE.encode()).hexdigest()}\n".encode() in raw
    assert ALICE.encode() not in raw
    entry = systemd.host.look(layout.PROXY_KEYS)
    assert entry
    assert (entry.mode, entry.owner, entry.group) == (0o640, "root", layout.USER)
    assert systemd.host.ran.count(RELOAD) == 1


def test_the_same_again_touches_nothing(systemd: FakeSystemd) -> None:
    set_(systemd, alice=ALICE, bob=BOB)
    before = systemd.host.nodes[layout.PROXY_KEYS]
    assert set_(systemd, bob=BOB).is_empty
    assert systemd.host.nodes[layout.PROXY_KEYS] is before
    assert systemd.host.ran.count(RELOAD) == 1


def test_another_secret_takes_the_place_and_others_stay_unless_told(systemd: FakeSystemd) -> None:
    add_key(systemd.host, "laptop", Heard())
    set_(systemd, alice=ALICE)
    changed = set_(systemd, alice=OTHER)
    assert told(changed) == [("replace", "alice")]
    assert [key.name for key in changed.keys] == ["laptop", "alice"]
    only = set_(systemd, alice=OTHER, exclusive="")
    assert told(only) == [("remove", "laptop")]


def test_a_prefix_says_whose_keys_go(systemd: FakeSystemd) -> None:
    set_(systemd, alice=ALICE, front=BOB)
    only = set_(systemd, exclusive="front", **{"front-2": OTHER})
    assert told(only) == [("create", "front-2"), ("remove", "front")]
    assert [key.name for key in only.keys] == ["alice", "front-2"]


def test_a_plan_says_what_the_run_does_and_writes_nothing(systemd: FakeSystemd) -> None:
    set_(systemd, alice=ALICE, bob=BOB)
    given = given_keys(f"alice {OTHER}\ncarol {'d' * 32}\n", CLIENTS)
    before = dict(systemd.host.nodes)
    planned = plan_setting(systemd.host, given, CLIENTS, Heard(), exclusive="")
    assert systemd.host.nodes == before
    assert told(planned) == [("create", "carol"), ("replace", "alice"), ("remove", "bob")]
    assert set_keys(systemd.host, given, CLIENTS, Heard(), exclusive="") == planned


def test_keys_may_come_before_the_first_install_and_are_asked_for_from_its_start() -> None:
    systemd = FakeSystemd(debian())
    done = set_(systemd, alice=ALICE)
    assert [change.path for change in done.account] == [layout.USER]
    assert systemd.host.account_exists(layout.USER)
    assert done.services == ()
    install(systemd.host, Options(profile="multi", simulate=True), Heard())
    assert set_(systemd, alice=ALICE).is_empty


def test_a_file_that_others_could_read_is_closed(systemd: FakeSystemd) -> None:
    set_(systemd, alice=ALICE)
    content = systemd.host.read(layout.PROXY_KEYS) or b""
    systemd.host.write(layout.PROXY_KEYS, content, mode=0o644, owner="root")
    assert set_(systemd, alice=ALICE).guard
    entry = systemd.host.look(layout.PROXY_KEYS)
    assert entry
    assert (entry.mode, entry.group) == (0o640, layout.USER)


def test_a_run_that_ended_before_the_reload_is_made_up_for(
    systemd: FakeSystemd, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as lagging:
        lagging.setattr("trtllm_install.proxy.keys.mark_of", lambda _: "another")
        with pytest.raises(GateFailed, match="does not take the new keys"):
            set_(systemd, alice=ALICE)
        planned = plan_setting(
            systemd.host, given_keys(f"alice {ALICE}", CLIENTS), CLIENTS, Heard(), exclusive=None
        )
        assert (planned.changes, len(planned.services)) == ((), 1)
    assert set_(systemd, alice=ALICE).is_empty


def test_a_proxy_from_before_that_says_nothing_of_peers_is_reloaded_and_believed(
    systemd: FakeSystemd,
) -> None:
    systemd.host.answer_http(
        "GET",
        "/-/generation",
        Answer(status=200, body=b'{"generation":"x","keys":""}'),
        unix_socket=layout.PROXY_ADMIN_SOCKET,
    )
    assert told(set_(systemd, file=PEERS, gpu1=ALICE)) == [("create", "gpu1")]
    assert systemd.host.ran.count(RELOAD) == 1
    assert set_(systemd, file=PEERS, gpu1=ALICE).is_empty


def test_keys_of_peers_are_kept_whole_and_shown_nowhere(systemd: FakeSystemd) -> None:
    done = set_(systemd, file=PEERS, gpu1="sk-short")
    assert told(done) == [("create", "gpu1")]
    assert "sk-short" not in repr(done)
    raw = systemd.host.read(layout.PEER_KEYS) or b""
    assert raw.endswith(b"\ngpu1 sk-short\n")
    entry = systemd.host.look(layout.PEER_KEYS)
    assert entry
    assert (entry.mode, entry.owner, entry.group) == (0o640, "root", layout.USER)
    assert systemd.host.read(layout.PROXY_KEYS) is None
    assert set_(systemd, file=PEERS, gpu1="sk-short").is_empty
    assert told(set_(systemd, file=PEERS, gpu1="sk-other")) == [("replace", "gpu1")]


@pytest.mark.parametrize(
    "text",
    [
        f"alice {ALICE[:-1]}\n",
        f"alice {ALICE} {BOB}\n",
        f"alice {ALICE[:-1]}ä\n",
        f"alice trtllm-local-{ALICE}\n",
        f"local {ALICE}\n",
        f"{ALICE}\n",
        f"{ALICE * 2} alice\n",
        f"{ALICE} alice\n",
        f"alice {ALICE}\nalice {BOB}\n",
        "",
        "# nobody\n\n",
    ],
)
def test_what_is_no_key_is_refused_and_not_shown(systemd: FakeSystemd, text: str) -> None:
    with pytest.raises(ConfigError, match="cannot") as caught:
        set_keys(systemd.host, given_keys(text, CLIENTS), CLIENTS, Heard(), exclusive=None)
    assert ALICE[:-1] not in caught.value.message + caught.value.hint
    assert systemd.host.read(layout.PROXY_KEYS) is None


def test_two_names_may_not_have_one_key_also_where_one_is_there_already(
    systemd: FakeSystemd,
) -> None:
    set_(systemd, alice=ALICE)
    with pytest.raises(ConfigError, match="cannot tell alice from bob"):
        set_(systemd, bob=ALICE)
    assert told(set_(systemd, bob=ALICE, exclusive="")) == [
        ("create", "bob"),
        ("remove", "alice"),
    ]


def test_it_needs_root_and_a_proxy_where_something_is_installed() -> None:
    systemd = FakeSystemd(debian())
    install(systemd.host, Options(profile="qwen", simulate=True), Heard())
    with pytest.raises(ConfigError, match="profile qwen has no proxy"):
        set_(systemd, alice=ALICE)
    systemd.host.root = False
    with pytest.raises(NeedsRoot):
        set_(systemd, alice=ALICE)
