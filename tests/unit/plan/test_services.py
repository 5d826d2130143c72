"""No process is restarted that need not be."""

from dataclasses import replace

from fakes.unit_values import receipt
from trtllm_install.model.desired import Desired, File, Service
from trtllm_install.model.tree import Seen, Tree
from trtllm_install.plan.services import fingerprints, plan_services
from trtllm_install.plan.tree import plan_tree

SERVICES = (
    Service(name="qwen", inputs=("/etc/qwen.json", "/etc/shared")),
    Service(name="proxy", inputs=("/etc/proxy.json",), reload_inputs=("/etc/nginx.conf",)),
)
PATHS = ("/etc/qwen.json", "/etc/shared", "/etc/proxy.json", "/etc/nginx.conf")
ALL = frozenset({"qwen", "proxy"})


def desired(**changed: bytes) -> Desired:
    files = tuple(
        File(path=p, content=changed.get(p.rsplit("/", 1)[1].replace(".", "_"), b"v1"), template="")
        for p in PATHS
    )
    return Desired(files=files, services=SERVICES)


def tree(content: bytes = b"v1") -> Tree:
    return Tree(
        paths={p: Seen(kind="file", mode=0o644, owner="root", content=content) for p in PATHS}
    )


def planned(wanted: Desired, running: frozenset[str] = ALL) -> list[tuple[str, str]]:
    before = receipt(
        services=fingerprints(desired(), tree(), ()),
    )
    changes = plan_tree(wanted, tree(), None, "replace")
    now = fingerprints(wanted, tree(), changes)
    return [(s.action.value, s.name) for s in plan_services(wanted, now, before, running)]


def test_nothing_changed_touches_nothing() -> None:
    assert planned(desired()) == []


def test_what_is_not_running_is_started_in_order() -> None:
    assert planned(desired(), frozenset()) == [("start", "qwen"), ("start", "proxy")]


def test_only_the_service_that_reads_a_file_is_restarted() -> None:
    assert planned(desired(qwen_json=b"v2")) == [("restart", "qwen")]
    assert planned(desired(shared=b"v2")) == [("restart", "qwen")]


def test_the_proxy_is_reloaded_for_its_configuration_and_not_restarted() -> None:
    assert planned(desired(nginx_conf=b"v2")) == [("reload", "proxy")]


def test_another_address_to_listen_at_needs_a_new_start() -> None:
    opened = replace(SERVICES[1], binds="0.0.0.0")
    assert planned(replace(desired(), services=(SERVICES[0], opened))) == [("restart", "proxy")]


def test_an_edit_on_disk_restarts_what_reads_it() -> None:
    edited = Tree(
        paths={
            **tree().paths,
            "/etc/shared": Seen(kind="file", mode=0o644, owner="root", content=b"edited"),
        }
    )
    before = receipt(services=fingerprints(desired(), tree(), ()))
    now = fingerprints(desired(), edited, plan_tree(desired(), edited, None, "keep"))
    touched = plan_services(desired(), now, before, ALL)
    assert [(s.action.value, s.name) for s in touched] == [("restart", "qwen")]


def test_a_service_that_left_the_profile_is_stopped_first() -> None:
    assert planned(desired(qwen_json=b"v2"), ALL | {"nemotron"}) == [
        ("stop", "nemotron"),
        ("restart", "qwen"),
    ]


def test_a_service_that_we_did_not_start_is_restarted() -> None:
    now = fingerprints(desired(), tree(), ())
    assert [s.action.value for s in plan_services(desired(), now, None, ALL)] == ["restart"] * 2
