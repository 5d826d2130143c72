"""What is said of ports and addresses."""

from dataclasses import replace

import pytest

from fakes.healthy import FACTS, INSTALLATION
from fakes.judged import QWEN, findings
from trtllm_install.model import facts as f
from trtllm_install.model.findings import Severity


def port(**changed: object) -> tuple[tuple[str, f.PortFacts], ...]:
    (name, first), *others = FACTS.ports
    assert isinstance(first, f.PortFacts)
    return ((name, replace(first, free=False, **changed)), *others)  # type: ignore[arg-type]


def test_taken_port_names_the_process_and_its_unit() -> None:
    holder = f.Holder(
        pid=42, name="ollama", command="ollama serve", unit="ollama.service", ours=False
    )
    found = findings(ports=port(listening=True, holder=holder))["port-taken"]
    assert found.message == (
        "cannot listen on 127.0.0.1:8001 for qwen: ollama (pid 42 of ollama.service) "
        "listens there: ollama serve; expected a free port"
    )
    assert found.remedy.startswith("sudo systemctl stop ollama.service")
    unnamed = findings(ports=port(listening=True))["port-taken"]
    assert "ss -ltnp" in unnamed.remedy


def test_port_of_our_own_service_is_no_conflict() -> None:
    holder = f.Holder(pid=42, name="x", command="x", unit="", ours=True)
    assert findings(ports=port(listening=True, holder=holder)) == {}


def test_closing_port_is_information_and_unusable_address_an_error() -> None:
    assert findings(ports=port(lingering=True))["port-lingering"].severity is Severity.INFO
    assert set(findings(ports=port())) == {"address-unusable"}


@pytest.mark.parametrize(
    ("address", "exposed"),
    [
        ("127.0.0.1", False),
        ("::1", False),
        ("localhost", False),
        ("0.0.0.0", True),
        ("10.1.2.3", True),
        ("::", True),
        ("gpu7.example", True),
    ],
)
def test_listening_beyond_loopback_needs_keys(address: str, exposed: bool) -> None:
    assert INSTALLATION.proxy is not None
    wide = replace(INSTALLATION, proxy=replace(INSTALLATION.proxy, host=address))
    assert ("listen-without-keys" in findings(installation=wide)) is exposed
    assert "listen-without-keys" not in findings(installation=wide, keys=True)
    alone = replace(INSTALLATION, proxy=None, instances=(replace(QWEN, host=address),))
    assert ("listen-without-keys" in findings(installation=alone)) is exposed


def test_port_of_ours_is_known_by_its_user_where_its_process_is_hidden() -> None:
    taken = f.PortFacts(
        wanted_by="qwen", address="127.0.0.1", port=8001, free=False, listening=True, user="trtllm"
    )
    assert findings(root=False, ports=(("qwen", taken), *FACTS.ports[1:])) == {}
    other = replace(taken, user="postgres")
    found = findings(root=False, ports=(("qwen", other), *FACTS.ports[1:]))
    assert set(found) == {"port-taken"}


def test_low_port_is_for_root_to_try() -> None:
    low = f.PortFacts(wanted_by="proxy", address="127.0.0.1", port=80, free=False)
    ports = (*FACTS.ports[:2], ("proxy", low))
    assert set(findings(root=False, ports=ports)) == {"needs-root-to-see"}
    assert set(findings(root=True, ports=ports)) == {"address-unusable"}


@pytest.mark.parametrize(("address", "opens"), [("127.0.0.1", True), ("0.0.0.0", False)])
def test_a_proxy_without_a_key_lets_nobody_in_wherever_it_listens(
    address: str, opens: bool
) -> None:
    """On loopback alone it may do without keys again; beyond it that would open the door."""
    assert INSTALLATION.proxy is not None
    there = replace(INSTALLATION, proxy=replace(INSTALLATION.proxy, host=address))
    found = findings(installation=there, keys=True, keyless=True)["nobody-let-in"]
    assert found.severity is Severity.WARNING
    assert found.remedy.startswith("sudo trtllm-install keys add NAME")
    assert ("sudo rm /etc/trtllm/proxy-keys" in found.remedy) is opens
    assert findings(installation=replace(there, proxy=None), keyless=True) == {}
