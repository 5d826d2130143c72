"""The filters of the collection: batches, rotation, skew, endpoints."""

from pathlib import Path
from typing import Any

import pytest

from lab import collection


def filter_called(home: Path, name: str) -> Any:
    return collection.load(home, f"filter.{name}").FilterModule().filters()[name]


ROTATION = {"a": ["g1", "g2", "g3"], "b": ["g3"]}


@pytest.mark.parametrize(
    ("sizes", "capacity", "wanted"),
    [
        ([1, "50%"], {}, [1, 2, 1]),
        (["100%"], {"a": 2}, [2, 1, 1]),
        ([1], {"a": 2}, [1, 1, 1, 1]),
        ([3], {"b": 0}, [3, 1]),
    ],
)
def test_batches_leave_the_capacity(
    home: Path, sizes: list[object], capacity: dict[str, int], wanted: list[int]
) -> None:
    order = ["g1", "g4", "g2", "g3"]
    assert filter_called(home, "batches")(order, sizes, ROTATION, capacity) == wanted


def test_a_batch_is_in_rotation_when_the_next_one_begins(home: Path) -> None:
    """Two were left drained, two must stay: the two come back first, and then there are four."""
    peers = [{"name": name, "models": ["a"]} for name in ("g1", "g2", "g3", "g4")]
    order = [peer["name"] for peer in peers]
    batches = filter_called(home, "batches")
    assert batches(order, [2], {"a": ["g3", "g4"]}, {"a": 2}, peers) == [2, 2]
    assert batches(order, [1, "100%"], {"a": []}, {"a": 2}, peers) == [1, 3]


def test_a_batch_that_is_too_much_is_told_with_its_model(home: Path) -> None:
    lacking = filter_called(home, "lacking")
    assert (
        lacking(["g1", "g2"], ROTATION, {"a": 2}) == "a would have 1 in rotation, and 2 must stay"
    )
    assert lacking(["g1"], ROTATION, {"a": 2, "b": 1}) == ""
    assert lacking(["g4"], ROTATION, {"a": 9}) == ""


def test_no_batch_is_made_when_one_host_is_too_much(home: Path) -> None:
    with pytest.raises(Exception, match="b would have 0 in rotation, and 1 must stay"):
        filter_called(home, "batches")(["g3"], [1], ROTATION, {"b": 1})


def test_only_a_peer_that_every_front_serves_is_in_rotation(home: Path) -> None:
    def front(*draining: str) -> dict[str, object]:
        return {
            "backends": [
                {
                    "name": f"{peer}/a",
                    "peer": peer,
                    "model": "a",
                    "serving": True,
                    "draining": peer in draining,
                }
                for peer in ("g1", "g2")
            ]
        }

    rotation = filter_called(home, "in_rotation")
    assert rotation([front(), front("g1")]) == {"a": ["g2"]}
    assert rotation([front("g1"), front("g2")]) == {"a": []}
    assert rotation([{"installed": False}]) == {}
    # A model that nobody is sent requests for is counted by what the hosts say of themselves.
    peers = [{"name": name, "models": ["a", "c"]} for name in ("g1", "g2")]
    assert rotation([front("g1")], peers, ["g1", "g2"]) == {"a": ["g2"], "c": ["g1", "g2"]}
    assert rotation([], peers, ["g2"]) == {"a": ["g2"], "c": ["g2"]}


KEYED = {"g1": ["alice", "bob"], "g2": ["bob", "alice"], "g3": None, "g4": []}


def test_skew_names_what_differs_and_who(home: Path) -> None:
    def info(host: str, engine: str) -> dict[str, object]:
        return {
            "host": host,
            "tool_version": "0.1.0",
            "profile": "multi",
            "serving": True,
            "installation": {"engine": engine, "tool_version": "0.1.0"},
        }

    skew = filter_called(home, "version_skew")
    assert skew([info("g1", "1"), info("g2", "1")]) == {}
    assert skew([info("g1", "1"), info("g2", "2"), info("g3", "1")]) == {
        "engine": {"1": ["g1", "g3"], "2": ["g2"]}
    }
    keyed = [{**info(host, "1"), "clients": names} for host, names in KEYED.items()]
    assert skew(keyed) == {
        "clients": {
            "alice, bob": ["g1", "g2"],
            "nobody is asked for a key": ["g3"],
            "nobody is let in": ["g4"],
        }
    }


def test_endpoints_are_peers_and_targets(home: Path) -> None:
    hosts = [
        {"inventory_hostname": "GPU1.example", "ansible_host": "10.0.0.1", "rollout_models": ["a"]},
        {"inventory_hostname": "g2", "rollout_address": "fd00::2", "rollout_port": 9000},
    ]
    peers = filter_called(home, "endpoints")(hosts, 8000)
    assert peers == [
        {"name": "gpu1-example", "url": "http://10.0.0.1:8000", "models": ["a"]},
        {"name": "g2", "url": "http://[fd00::2]:9000", "models": []},
    ]
    (target, _) = filter_called(home, "file_sd")(peers)
    assert target == {
        "targets": ["10.0.0.1:8000"],
        "labels": {"host": "gpu1-example", "models": ",a,"},
    }


@pytest.mark.parametrize(
    "variables",
    [{"host_tls_certificate": "PEM"}, {"host_site": {"proxy": {"tls": {"key": "/k"}}}}],
    ids=["brought", "there already"],
)
def test_a_host_with_a_certificate_is_asked_by_tls(
    home: Path, variables: dict[str, object]
) -> None:
    hosts = [{"inventory_hostname": "g1", "ansible_host": "10.0.0.1", **variables}]
    peers = filter_called(home, "endpoints")(hosts, 8000)
    assert (peers[0]["url"], peers[0]["tls_name"]) == ("https://10.0.0.1:8000", "g1")
    named = filter_called(home, "endpoints")([{**hosts[0], "rollout_tls_name": "g1.example"}], 8000)
    assert named[0]["tls_name"] == "g1.example"
    (target,) = filter_called(home, "file_sd")(peers)
    assert (target["targets"], target["labels"]["__scheme__"]) == (["10.0.0.1:8000"], "https")


def test_hosts_of_a_phase_are_servers_of_a_disaggregated_one(home: Path) -> None:
    hosts = [
        {"inventory_hostname": "g1", "ansible_host": "10.0.0.1", "rollout_phase": "context"},
        {"inventory_hostname": "g2", "ansible_host": "10.0.0.2", "rollout_phase": "generation"},
        {"inventory_hostname": "g3", "ansible_host": "10.0.0.3"},
    ]
    made = filter_called(home, "disaggregated")(hosts, 8000)
    assert made["context_servers"] == {"num_instances": 1, "urls": ["10.0.0.1:8000"]}
    assert made["generation_servers"] == {"num_instances": 1, "urls": ["10.0.0.2:8000"]}
    with pytest.raises(Exception, match="rollout_phase is 'prefill'"):
        filter_called(home, "disaggregated")([{**hosts[0], "rollout_phase": "prefill"}], 8000)


def test_a_file_cannot_leave_its_folder(home: Path) -> None:
    as_files = filter_called(home, "as_files")
    (made,) = as_files({"mine": {"a": 1}}, "/etc/trtllm/profiles", ".yaml")
    assert made["path"] == "/etc/trtllm/profiles/mine.yaml"
    assert made["content"].endswith("a: 1\n")
    for name in ("../site", "a/b", ".x", ""):
        with pytest.raises(Exception, match="not a usable name"):
            as_files({name: {}}, "/etc/trtllm/profiles", ".yaml")
