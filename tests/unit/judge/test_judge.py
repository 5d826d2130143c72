"""Facts in, findings out."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fakes.healthy import FACTS, GPU, INSTALLATION, WEIGHTS
from trtllm_install.judge.judge import judge
from trtllm_install.judge.programs import choose_supervisor
from trtllm_install.model import facts as f
from trtllm_install.model import layout
from trtllm_install.model.catalogue import CATALOGUE
from trtllm_install.model.findings import Finding, Severity, blocking
from trtllm_install.model.installation import Installation, Instance

QWEN, NEMOTRON = INSTALLATION.instances
HOPPER = replace(GPU, name="NVIDIA H100 80GB HBM3", capability=(9, 0))
GIB = 2**30


def findings(*, installation: Installation = INSTALLATION, **changed: object) -> dict[str, Finding]:
    """Judge the healthy host with parts replaced; return code -> finding."""
    return {x.code: x for x in judge(replace(FACTS, **changed), installation)}


def with_gpus(*gpus: f.Gpu, **changed: object) -> f.GpuFacts:
    assert isinstance(FACTS.gpu, f.GpuFacts)
    return replace(FACTS.gpu, gpus=gpus, **changed)


def weights(**changed: object) -> tuple[tuple[str, f.WeightsFacts], ...]:
    """Return the facts with Qwen's weights changed."""
    (name, qwen), *others = FACTS.weights
    assert isinstance(qwen, f.WeightsFacts)
    return ((name, replace(qwen, **changed)), *others)  # type: ignore[arg-type]


def instances(**changed: object) -> tuple[Instance, ...]:
    return (replace(QWEN, **changed), NEMOTRON)  # type: ignore[arg-type]


def test_healthy_host_has_no_findings() -> None:
    assert judge(FACTS, INSTALLATION) == ()


# the driver ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("library-missing", "driver-missing"),
        ("not-loaded", "driver-not-loaded"),
        ("mismatch", "driver-library-mismatch"),
        ("no-permission", "driver-no-permission"),
        ("gpu-lost", "gpu-lost"),
        ("timeout", "nvml-timeout"),
        ("failed", "driver-failed"),
    ],
)
def test_missing_or_broken_driver_mutes_gpu_findings(fault: f.DriverFault, code: str) -> None:
    problem = f.DriverProblem(fault=fault, detail="as told", kernel_module="580.1")
    found = judge(replace(FACTS, gpu=problem), INSTALLATION)
    assert [x.code for x in blocking(found)] == [code]
    assert "580.1" in blocking(found)[0].found
    assert {(x.code, x.muted_by) for x in found if x.muted_by} == {("gpu-missing", code)}


@pytest.mark.parametrize(("driver", "old"), [("535.104", True), ("580.65.06", False), ("x", True)])
def test_driver_older_than_580_is_refused(driver: str, old: bool) -> None:
    assert ("driver-too-old" in findings(gpu=with_gpus(GPU, driver=driver))) is old


def test_simulated_gpus_have_no_driver_to_judge() -> None:
    simulated = with_gpus(GPU, driver="simulated", simulated=True)
    assert findings(gpu=simulated) == {}


# GPUs ---------------------------------------------------------------------


def test_fp4_weights_are_refused_on_hopper_with_the_reason() -> None:
    found = findings(gpu=with_gpus(HOPPER))["gpu-too-old-for-quantization"]
    assert found.found == "the weights are NVFP4, and GPU 0 (NVIDIA H100 80GB HBM3) has 9.0"
    assert "10.0" in found.expected


def test_quantization_of_absent_weights_is_read_from_the_model_name() -> None:
    absent = weights(present=False, quantization="")
    codes = findings(gpu=with_gpus(HOPPER), weights=absent)
    assert "the weights are FP4" in codes["gpu-too-old-for-quantization"].found or (
        codes["gpu-too-old-for-quantization"].subject == "nemotron"
    )
    assert (
        sum(
            x.code == "gpu-too-old-for-quantization"
            for x in judge(replace(FACTS, gpu=with_gpus(HOPPER), weights=absent), INSTALLATION)
        )
        == 2
    )


def test_fp8_weights_run_on_hopper_whatever_their_name_says() -> None:
    alone = replace(INSTALLATION, instances=(QWEN,))
    fp8 = findings(installation=alone, gpu=with_gpus(HOPPER), weights=weights(quantization="FP8"))
    assert fp8 == {}
    mixed = weights(quantization="MIXED_PRECISION")
    assert "gpu-too-old-for-quantization" in findings(
        installation=alone, gpu=with_gpus(HOPPER), weights=mixed
    )


def test_instance_judged_by_the_gpus_it_names_only() -> None:
    both = with_gpus(replace(HOPPER, uuid="GPU-h"), replace(GPU, index=1, uuid="GPU-b200"))
    by_index = replace(INSTALLATION, instances=(replace(QWEN, gpus=("1",)),))
    by_uuid = replace(INSTALLATION, instances=(replace(QWEN, gpus=("GPU-b2",)),))
    assert findings(installation=by_index, gpu=both) == {}
    assert findings(installation=by_uuid, gpu=both) == {}


def test_gpu_that_is_named_and_absent_is_missing() -> None:
    wanted = replace(INSTALLATION, instances=instances(gpus=("0", "3", "MIG-1")))
    found = findings(installation=wanted)["gpu-missing"]
    assert (found.subject, found.expected) == ("qwen", "GPU 3")
    assert "0 (NVIDIA B200, GPU-0)" in found.found


def test_host_without_gpu_is_told_about_simulation() -> None:
    assert "--simulate" in findings(gpu=with_gpus())["gpu-missing"].remedy


def test_lost_gpu_mutes_that_it_is_missing() -> None:
    lost = with_gpus(lost=(f.LostGpu(index=0, detail="GPU is lost"),))
    found = findings(gpu=lost)
    assert found["gpu-lost"].muted_by is None
    assert found["gpu-missing"].muted_by == "gpu-lost"


def test_weights_larger_than_the_memory_are_refused_with_both_figures() -> None:
    small = replace(GPU, memory=f.GpuMemory(total=32 * GIB, free=32 * GIB))
    found = findings(gpu=with_gpus(small))["gpu-memory-too-small"]
    assert found.found == ("the weights of qwen, nemotron take 36.0 GiB, the memory is 32.0 GiB")
    apart = replace(
        INSTALLATION, instances=(replace(QWEN, gpus=("0",)), replace(NEMOTRON, gpus=("1",)))
    )
    assert findings(installation=apart, gpu=with_gpus(small, replace(small, index=1))) == {}


def test_unified_memory_is_the_hosts_and_a_silent_gpu_is_not() -> None:
    assert isinstance(FACTS.system, f.SystemFacts)
    gb10 = replace(GPU, name="NVIDIA GB10", capability=(12, 1), memory=None)
    assert set(findings(gpu=with_gpus(gb10))) == {"gpu-memory-unified"}
    poor = replace(FACTS.system, memory_total=20 * GIB)
    assert "gpu-memory-too-small" in findings(gpu=with_gpus(gb10), system=poor)
    silent = replace(GPU, memory=None)
    assert set(findings(gpu=with_gpus(silent))) == {"gpu-memory-unknown"}
    broken = replace(gb10, memory=f.Unknown(reason="Unknown Error"))
    assert findings(gpu=with_gpus(broken))["gpu-memory-unknown"].found == "Unknown Error"


def test_strangers_on_the_gpu_are_named_and_our_own_are_not() -> None:
    ours = f.GpuProcess(pid=1, name="python", memory=GIB, ours=True)
    assert findings(gpu=with_gpus(replace(GPU, processes=(ours,)))) == {}
    other = f.GpuProcess(pid=7, name="ollama", memory=2 * GIB)
    found = findings(gpu=with_gpus(replace(GPU, processes=(ours, other))))["gpu-in-use"]
    assert found.found == "ollama (pid 7, 2.0 GiB)"
    assert found.severity is Severity.WARNING


def test_mig_is_a_warning_and_a_pending_change_an_error() -> None:
    assert set(findings(gpu=with_gpus(replace(GPU, mig=True, mig_pending=True)))) == {"mig-enabled"}
    assert set(findings(gpu=with_gpus(replace(GPU, mig_pending=True)))) == {"mig-pending"}


# weights ------------------------------------------------------------------


def test_missing_weights_say_where_and_how_to_get_them() -> None:
    found = findings(weights=weights(present=False))["weights-missing"]
    assert QWEN.weights in found.found
    assert WEIGHTS in found.found
    assert found.remedy == (
        f"hf download nvidia/Qwen3-30B-A3B-FP4 --local-dir {QWEN.weights} "
        "(or say where they are: --weights-dir DIR)"
    )


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


# network -------------------------------------------------------------------


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


# programs ------------------------------------------------------------------


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


def test_supervisor_is_chosen_by_process_1_unless_told() -> None:
    assert isinstance(FACTS.supervisor, f.SupervisorFacts)
    assert choose_supervisor(FACTS.supervisor, "auto") == "systemd"
    assert choose_supervisor(replace(FACTS.supervisor, systemd=False), "auto") == "supervisord"
    assert choose_supervisor(f.Unknown(reason="x"), "auto") == "supervisord"
    assert choose_supervisor(FACTS.supervisor, "supervisord") == "supervisord"


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


# the whole -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("root", "code"), [(True, "host-unreadable"), (False, "needs-root-to-see")]
)
def test_part_that_could_not_be_read_is_never_a_pass(root: bool, code: str) -> None:
    unknown = f.Unknown(reason="permission denied")
    parts = ("gpu", "proxy", "supervisor", "engine", "system")
    facts = replace(
        FACTS,
        root=root,
        weights=(("qwen", unknown),),
        ports=(("qwen", unknown),),
        **dict.fromkeys(parts, unknown),
    )
    found = judge(facts, INSTALLATION)
    assert {x.code for x in found} == {code}
    assert len(found) == len(parts) + 2 + 3  # weights of two models, ports of three services
    assert bool(blocking(found)) is root


def any_facts() -> st.SearchStrategy[f.Facts]:
    """Any facts at all, with names that meet those of the installation."""
    names = st.sampled_from(["qwen", "nemotron", "proxy", "other"])

    def named(kind: type) -> st.SearchStrategy[object]:
        value = st.one_of(st.from_type(kind), st.from_type(f.Unknown))
        return st.lists(st.tuples(names, value), max_size=3).map(tuple)

    return st.builds(f.Facts, weights=named(f.WeightsFacts), ports=named(f.PortFacts))


def any_installation() -> st.SearchStrategy[Installation]:
    gpus = st.lists(st.sampled_from(["", "0", "1", "GPU-0", "MIG-1", "x"]), max_size=2).map(tuple)
    hosts = st.sampled_from(["127.0.0.1", "0.0.0.0", "::1", "", "nowhere"])
    return st.builds(
        lambda g, h, s, simulate, proxy: replace(
            INSTALLATION,
            instances=instances(gpus=g, host=h),
            supervisor=s,
            simulate=simulate,
            proxy=proxy,
        ),
        gpus,
        hosts,
        st.sampled_from(["systemd", "supervisord"]),
        st.booleans(),
        st.sampled_from([INSTALLATION.proxy, None]),
    )


@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow])
@given(facts=any_facts(), installation=any_installation())
def test_judge_answers_any_facts_in_order_and_never_without_a_next_step(
    facts: f.Facts, installation: Installation
) -> None:
    found = judge(facts, installation)
    assert judge(facts, installation) == found
    order = [list(CATALOGUE).index(x.code) for x in found]
    assert order == sorted(order)
    for finding in found:
        assert finding.severity is Severity.INFO or finding.remedy
        assert finding.message
        if finding.muted_by:
            assert any(x.code == finding.muted_by and x.muted_by is None for x in found)
    # Whatever is muted, an error is never silenced without another that stands.
    errors = [x for x in found if x.severity is Severity.ERROR]
    assert bool(errors) == bool(blocking(found))
