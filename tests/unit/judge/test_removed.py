"""What a removed file means, said before anything is started."""

from dataclasses import replace

import pytest

from fakes.healthy import FACTS, INSTALLATION
from trtllm_install.judge.removed import check_removed
from trtllm_install.model.findings import Finding

UNITS = "/etc/systemd/system"


def findings(*removed: str, supervisor: str = "systemd") -> list[Finding]:
    facts = replace(FACTS, removed=removed)
    return list(check_removed(facts, replace(INSTALLATION, supervisor=supervisor)))


@pytest.mark.parametrize(
    ("path", "loss"),
    [
        ("/etc/trtllm/engine/qwen.yaml", "qwen cannot start"),
        ("/etc/trtllm/instances/nemotron.json", "nemotron cannot start"),
        (f"{UNITS}/trtllm-proxy.service", "systemd cannot start proxy"),
        (f"{UNITS}/trtllm.target", "nothing starts at boot"),
        (f"{UNITS}/trtllm-gpu-ready.service", "no GPU may be ready after a reboot"),
        ("/etc/tmpfiles.d/trtllm.conf", "/run/trtllm is not made after a reboot"),
        ("/etc/trtllm/proxy/lualib/trtllm/router.lua", "the proxy cannot start"),
    ],
)
def test_each_file_says_what_is_lost_without_it(path: str, loss: str) -> None:
    (finding,) = findings(path)
    assert finding.message == f"cannot go on without {path}: removed here, and {loss}"
    assert finding.remedy.endswith("--on-conflict restore")


def test_what_is_not_wanted_any_more_is_no_loss() -> None:
    assert findings("/etc/trtllm/engine/small.yaml", "/etc/trtllm/instances/small.json") == []
    assert findings(f"{UNITS}/trtllm.target", supervisor="supervisord") == []
    (finding,) = findings("/etc/trtllm/supervisord.conf", supervisor="supervisord")
    assert finding.found.endswith("supervisord cannot start")


def test_one_loss_is_one_finding_however_many_files_it_takes() -> None:
    paths = [f"/etc/trtllm/proxy/{n}.lua" for n in range(5)]
    (finding,) = findings(*paths)
    assert finding.subject == ", ".join(paths[:3]) + " and 2 more"
