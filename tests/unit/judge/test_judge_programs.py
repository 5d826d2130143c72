"""What is said of proxy, supervisor and engine, and of what they need."""

from dataclasses import replace

from fakes.healthy import FACTS, INSTALLATION
from fakes.judged import findings
from trtllm_install.model import facts as f


def test_missing_proxy_program_and_modules_name_the_packages() -> None:
    assert "libnginx-mod-http-lua" in findings(proxy=None)["proxy-binary-missing"].remedy
    bare = f.ProxyBinary(kind="nginx", path="/usr/sbin/nginx", version="1", missing=("lua-cjson",))
    found = findings(proxy=bare)["proxy-module-missing"]
    assert found.remedy == "sudo apt-get install lua-cjson"
    alone = replace(INSTALLATION, proxy=None)
    assert findings(installation=alone, proxy=None) == {}


def test_supervisor_that_was_chosen_must_be_there() -> None:
    plain = f.SupervisorFacts(
        init="docker-init", systemd=False, systemd_version=None, supervisord=None
    )
    found = findings(supervisor=plain)["supervisor-missing"]
    assert (found.found, found.remedy) == ("process 1 is docker-init", "--init supervisord")
    other = replace(INSTALLATION, supervisor="supervisord")
    assert findings(installation=other, supervisor=plain)["supervisor-missing"].subject == (
        "supervisord"
    )
    old = f.SupervisorFacts(init="systemd", systemd=True, systemd_version=249, supervisord=None)
    assert set(findings(supervisor=old)) == {"systemd-untried"}


def test_engine_that_is_missing_simulated_or_of_another_version() -> None:
    assert isinstance(FACTS.engine, f.EngineFacts)
    absent = replace(FACTS.engine, present=False, version="")
    found = findings(engine=absent)
    assert set(found) == {"engine-missing"}
    assert "engine add 1.3.0rc2" in found["engine-missing"].remedy
    assert set(findings(engine=replace(FACTS.engine, simulated=True))) == {"engine-simulated"}
    other = findings(engine=replace(FACTS.engine, version="1.2.1"))["engine-version-differs"]
    assert (other.found, other.expected) == ("version 1.2.1", "1.3.0rc2")
    assert (
        "no version"
        in findings(engine=replace(FACTS.engine, version=""))["engine-version-differs"].found
    )
    simulated = replace(INSTALLATION, simulate=True)
    assert findings(installation=simulated, engine=absent) == {}


def test_libraries_of_the_engine_are_asked_of_a_real_one_only() -> None:
    assert isinstance(FACTS.system, f.SystemFacts)
    bare = replace(FACTS.system, account=False, cuda_home=None, open_mpi=None)
    assert set(findings(system=bare)) == {
        "account-absent",
        "open-mpi-missing",
        "cuda-toolkit-missing",
    }
    assert set(findings(system=replace(FACTS.system, open_mpi="5.0.6"))) == {"open-mpi-too-new"}
    assert set(findings(system=replace(FACTS.system, open_mpi=""))) == {"open-mpi-version-unknown"}
    simulated = replace(INSTALLATION, simulate=True)
    assert set(findings(installation=simulated, system=bare)) == {"account-absent"}
