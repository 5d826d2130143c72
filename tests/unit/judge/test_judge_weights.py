"""What is said of weights, and of code that a checkpoint brings."""

from dataclasses import replace
from typing import Any

import pytest

from fakes.healthy import FACTS, INSTALLATION, WEIGHTS
from fakes.judged import QWEN, findings, instances, weights
from trtllm_install.judge.judge import judge
from trtllm_install.judge.weights import check_remote_code
from trtllm_install.model import facts as f
from trtllm_install.model import layout


def test_missing_weights_say_where_and_how_to_get_them() -> None:
    found = findings(weights=weights(present=False))["weights-missing"]
    assert QWEN.weights in found.found
    assert WEIGHTS in found.found
    assert found.remedy == (
        f"hf download nvidia/Qwen3-30B-A3B-FP4 --local-dir {QWEN.weights} "
        "(or say where they are: --weights-dir DIR)"
    )


def test_weights_are_fetched_as_their_owner_also_where_that_is_a_bare_number() -> None:
    for owner, said in (("models", "sudo -u models hf "), ("4242", "sudo -u '#4242' hf ")):
        found = findings(weights=weights(present=False, download_as=owner))["weights-missing"]
        assert found.remedy.startswith(said)


def test_weights_behind_a_disk_that_is_not_mounted_are_not_downloaded_there() -> None:
    why = "/srv/w is a link to /mnt/w, and nothing is there"
    found = findings(weights=weights(present=False, in_the_way=why))["weights-missing"]
    assert f"because {why}" in found.found
    assert "hf download" not in found.remedy


def test_weights_that_simulation_writes_itself_are_not_missed() -> None:
    own = replace(
        INSTALLATION,
        simulate=True,
        instances=instances(weights=f"{layout.SIMULATED_WEIGHTS}/nvidia/Qwen3-30B-A3B-FP4"),
    )
    absent = weights(present=False)
    assert "weights-missing" not in findings(installation=own, weights=absent)
    elsewhere = replace(INSTALLATION, simulate=True)
    assert "weights-missing" in findings(installation=elsewhere, weights=absent)


@pytest.mark.parametrize(
    ("fault", "code", "removes"),
    [
        ("absent", "weights-incomplete", False),
        ("not-a-file", "weights-not-a-file", True),
        ("short", "weights-truncated", True),
        ("long", "weights-overlong", True),
        ("header", "weights-header-invalid", True),
        ("layout", "weights-layout-invalid", True),
        ("config", "weights-config-invalid", True),
        ("differs", "weights-index-differs", True),
        ("total", "weights-total-differs", True),
    ],
)
def test_each_fault_has_its_code_and_a_damaged_file_is_removed_first(
    fault: f.FileFault, code: str, removes: bool
) -> None:
    path = f"{QWEN.weights}/model 1.safetensors"
    problem = f.FileProblem(fault=fault, path=path, found="7 bytes", expected="9 bytes")
    found = findings(weights=weights(problems=(problem,)))[code]
    assert found.found == f"{path}: 7 bytes"
    assert found.remedy.startswith("rm ") is removes
    assert f"hf download {QWEN.model}" in found.remedy


def blocked(path: str, *, above: bool) -> f.Blocked:
    return f.Blocked(path=path, mode=0o700, owner="me", group="me", above=above)


@pytest.mark.parametrize(
    ("supervisor", "path", "above", "matters"),
    [
        ("systemd", "/home/me", True, False),  # process 1 binds past it
        ("systemd", "/root", True, False),
        ("systemd", "/data", True, True),  # nothing is bound there
        ("systemd", WEIGHTS, True, True),  # bound as it is
        ("systemd", f"{WEIGHTS}/nvidia", True, True),
        ("systemd", QWEN.weights, False, True),
        ("supervisord", "/home/me", True, True),
    ],
)
def test_closed_folder_matters_where_no_bind_goes_round_it(
    supervisor: str, path: str, above: bool, matters: bool
) -> None:
    facts = replace(
        FACTS,
        weights=weights(blocked=(blocked(path, above=above),)),
        supervisor=f.SupervisorFacts(
            init="systemd", systemd=True, systemd_version=252, supervisord="/x"
        ),
    )
    found = judge(facts, replace(INSTALLATION, supervisor=supervisor))
    assert ([x.code for x in found] == ["weights-unreadable"]) is matters


def test_unreadable_weights_are_opened_no_further_than_needed() -> None:
    closed = (
        blocked("/data", above=True),
        blocked(QWEN.weights, above=False),
        blocked(f"{QWEN.weights}/config.json", above=False),
    )
    found = findings(weights=weights(blocked=closed))["weights-unreadable"]
    assert found.found == "/data is 0700 me:me, and 2 more"
    assert found.remedy == f"sudo chmod o+x /data && sudo chmod -R o+rX {QWEN.weights}"


# code that a checkpoint brings ----------------------------------------------


@pytest.mark.parametrize(
    ("keys", "told"),
    [({}, False), ({"trust_remote_code": False}, False), ({"trust_remote_code": True}, True)],
)
def test_code_of_a_checkpoint_is_listed_by_hash_where_it_runs(
    keys: dict[str, Any], told: bool
) -> None:
    code = f.RemoteCode(name="modeling_x.py", sha256="ab" * 32)
    weights = tuple(
        (name, replace(seen, remote_code=(code,)))
        for name, seen in FACTS.weights
        if isinstance(seen, f.WeightsFacts)
    )
    found = list(
        check_remote_code(replace(FACTS, weights=weights), INSTALLATION, {"nemotron": keys})
    )
    assert [x.subject for x in found] == (["nemotron"] if told else [])
    assert all(f"modeling_x.py sha256:{'ab' * 32}" in x.message for x in found)


@pytest.mark.parametrize("allowed", [True, False])
def test_code_of_another_repository_stops_an_install_where_it_would_run(allowed: bool) -> None:
    weights = tuple(
        (name, replace(seen, code_elsewhere=("them/code--conf.Conf",)))
        for name, seen in FACTS.weights
        if isinstance(seen, f.WeightsFacts)
    )
    keys = {"nemotron": {"trust_remote_code": allowed}}
    found = list(check_remote_code(replace(FACTS, weights=weights), INSTALLATION, keys))
    assert [x.code for x in found] == (["weights-code-elsewhere"] if allowed else [])
    assert all("hf download them/code --include '*.py'" in x.remedy for x in found)
