"""The whole host in one reading."""

from dataclasses import replace
from unittest.mock import patch

from fakes.fake_checkpoint import add_checkpoint
from fakes.fake_host import FakeHost
from fakes.fake_systemd import debian
from fakes.healthy import INSTALLATION
from trtllm_install.judge.judge import judge
from trtllm_install.model.facts import GpuFacts, Unknown, WeightsFacts
from trtllm_install.model.findings import blocking
from trtllm_install.probes.observe import observe

SIMULATED = replace(INSTALLATION, simulate=True, supervisor="supervisord")


def test_observing_writes_nothing_and_asks_about_every_service() -> None:
    host = FakeHost()
    before = host.tree()
    facts = observe(host, SIMULATED, supervisord="/none")
    assert host.tree() == before
    assert host.changes == []
    assert [name for name, _ in facts.weights] == ["qwen", "nemotron"]
    assert [name for name, _ in facts.ports] == ["qwen", "nemotron", "proxy"]


def test_simulation_replaces_the_gpus_and_nothing_else() -> None:
    facts = observe(FakeHost(), SIMULATED, supervisord="/none")
    assert isinstance(facts.gpu, GpuFacts)
    assert facts.gpu.simulated
    real = observe(FakeHost(), replace(SIMULATED, simulate=False), supervisord="/none")
    assert isinstance(real.gpu, Unknown)
    assert facts.platform is None
    assert replace(real, gpu=facts.gpu, platform=None) == facts


def test_host_that_refuses_everything_is_unknown_in_every_part() -> None:
    host = FakeHost(root=False)
    for path in ("/proc", "/home", "/usr", "/opt", "/run"):
        host.forbid(path)
    facts = observe(host, SIMULATED, supervisord="/none")
    assert not facts.root
    for part in (facts.supervisor, facts.engine, facts.system, *(w for _, w in facts.weights)):
        assert isinstance(part, Unknown)


def test_installation_without_proxy_looks_for_no_nginx() -> None:
    host = FakeHost()
    host.add_program("/usr/sbin/nginx")
    alone = replace(SIMULATED, proxy=None, instances=SIMULATED.instances[:1])
    assert observe(host, alone, supervisord="/none").proxy is None
    assert [argv[0] for argv in host.ran] == ["uname", "getconf"]


def test_good_host_passes_from_reading_to_verdict() -> None:
    host = debian()
    for instance in SIMULATED.instances:
        add_checkpoint(host, instance.weights)
    host.add_program("/usr/bin/openresty")
    host.answer_command(["/usr/bin/openresty", "-V"], stderr="nginx version: openresty/1.27.1\n")
    host.add_program("/opt/trtllm/tool/bin/supervisord")
    facts = observe(host, SIMULATED, supervisord="/opt/trtllm/tool/bin/supervisord")
    assert blocking(judge(facts, SIMULATED)) == ()


def test_folder_that_two_instances_share_is_read_once() -> None:
    host = debian()
    first, second = SIMULATED.instances
    add_checkpoint(host, first.weights)
    shared = replace(SIMULATED, instances=(first, replace(second, weights=first.weights)))
    reads: list[str] = []
    read = host.read

    def counting(path: str, *, limit: int | None = None, offset: int = 0) -> bytes | None:
        reads.append(path)
        return read(path, limit=limit, offset=offset)

    host_read = patch.object(FakeHost, "read", lambda _, path, **more: counting(path, **more))
    with host_read:
        facts = observe(host, shared, supervisord="/none", parts=frozenset({"weights"}))
    assert reads.count(f"{first.weights}/config.json") == 1
    names = [seen.instance for _, seen in facts.weights if isinstance(seen, WeightsFacts)]
    assert names == [first.name, second.name]
