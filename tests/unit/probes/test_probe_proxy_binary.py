"""Proxy program, supervisor and engine as they lie on a host."""

import pytest

from fakes.fake_host import FakeHost
from trtllm_install.model.errors import HostError
from trtllm_install.model.facts import (
    EngineFacts,
    ProxyBinary,
    SupervisorFacts,
    Unknown,
)
from trtllm_install.probes.engine import probe_engine
from trtllm_install.probes.proxy_binary import probe_proxy_binary
from trtllm_install.probes.supervisor import probe_supervisor, runs_systemd

DEBIAN = (
    "nginx version: nginx/1.22.1\nconfigure arguments: --prefix=/usr/share/nginx "
    "--modules-path=/usr/lib/nginx/modules --with-threads\n"
)
OPENRESTY = (
    "nginx version: openresty/1.27.1.2\nconfigure arguments: "
    "--prefix=/usr/local/openresty/nginx --add-module=../ngx_lua-0.10.28\n"
)
MODULES = "/usr/lib/nginx/modules"
CJSON = "/usr/lib/x86_64-linux-gnu/lua/5.1/cjson.so"


@pytest.fixture
def debian() -> FakeHost:
    """nginx, ngx_lua and lua-cjson as Debian 12 lays them out."""
    host = FakeHost()
    host.add_program("/usr/sbin/nginx")
    host.answer_command(["/usr/sbin/nginx", "-V"], stderr=DEBIAN)
    host.add_file(f"{MODULES}/ndk_http_module.so")
    host.add_file(f"{MODULES}/ngx_http_lua_module.so")
    host.add_file("/usr/share/lua/5.1/resty/core.lua")
    host.add_file("/usr/lib/x86_64-linux-gnu/liblua5.1-cjson.so.0.0.0")
    host.add_link(CJSON, "../../liblua5.1-cjson.so.0.0.0")
    return host


def test_debian_nginx_has_its_modules_in_load_order(debian: FakeHost) -> None:
    assert probe_proxy_binary(debian) == ProxyBinary(
        kind="nginx",
        path="/usr/sbin/nginx",
        version="1.22.1",
        modules=(f"{MODULES}/ndk_http_module.so", f"{MODULES}/ngx_http_lua_module.so"),
        lua_path="/usr/share/lua/5.1/?.lua;;",
        lua_cpath="/usr/lib/x86_64-linux-gnu/lua/5.1/?.so;;",
    )


@pytest.mark.parametrize(
    ("path", "package"),
    [
        (f"{MODULES}/ndk_http_module.so", "libnginx-mod-http-ndk"),
        (f"{MODULES}/ngx_http_lua_module.so", "libnginx-mod-http-lua"),
        ("/usr/share/lua/5.1/resty/core.lua", "lua-resty-core"),
        ("/usr/lib/x86_64-linux-gnu/liblua5.1-cjson.so.0.0.0", "lua-cjson"),
    ],
)
def test_each_missing_part_names_its_package(debian: FakeHost, path: str, package: str) -> None:
    debian.remove(path)
    found = probe_proxy_binary(debian)
    assert isinstance(found, ProxyBinary)
    assert found.missing == (package,)


def test_nginx_with_lua_built_in_loads_nothing(debian: FakeHost) -> None:
    built = DEBIAN.rstrip() + " --add-module=/src/lua-nginx-module\n"
    debian.answer_command(["/usr/sbin/nginx", "-V"], stderr=built)
    found = probe_proxy_binary(debian)
    assert isinstance(found, ProxyBinary)
    assert (found.modules, found.missing) == ((), ())


def test_openresty_is_preferred_and_brings_its_own_lualib(debian: FakeHost) -> None:
    debian.add_program("/usr/local/openresty/nginx/sbin/nginx")
    debian.add_link("/usr/bin/openresty", "/usr/local/openresty/nginx/sbin/nginx")
    debian.add_file("/usr/local/openresty/lualib/cjson.so")
    debian.answer_command(["/usr/bin/openresty", "-V"], stderr=OPENRESTY)
    found = probe_proxy_binary(debian)
    assert isinstance(found, ProxyBinary)
    assert (found.kind, found.path, found.version) == (
        "openresty",
        "/usr/bin/openresty",
        "1.27.1.2",
    )
    assert found.lua_cpath == "/usr/local/openresty/lualib/?.so;;"
    assert (found.modules, found.missing) == ((), ())


def test_openresty_off_the_path_is_found_where_it_installs_itself() -> None:
    host = FakeHost()
    program = "/usr/local/openresty/nginx/sbin/nginx"
    host.add_program(program)
    host.answer_command([program, "-V"], stderr=OPENRESTY)
    found = probe_proxy_binary(host)
    assert isinstance(found, ProxyBinary)
    assert found.path == program


def test_host_without_nginx_has_no_proxy_program() -> None:
    assert probe_proxy_binary(FakeHost()) is None


def test_nginx_that_does_not_run_is_unknown(debian: FakeHost) -> None:
    said = "nginx: error while loading shared libraries: libpcre2-8.so.0"
    debian.answer_command(["/usr/sbin/nginx", "-V"], code=127, stderr=said)
    assert probe_proxy_binary(debian) == Unknown(
        reason=f"/usr/sbin/nginx -V ended with 127 and said: {said}"
    )
    refusal = HostError("cannot run /usr/sbin/nginx: permission denied", hint="")
    debian.answer_command(["/usr/sbin/nginx", "-V"], by=refusal)
    assert probe_proxy_binary(debian) == Unknown(reason=refusal.message)


OURS = "/opt/trtllm/tool/bin/supervisord"


def booted(*, comm: str = "systemd") -> FakeHost:
    host = FakeHost()
    host.add_file("/proc/1/comm", f"{comm}\n")
    host.add_directory("/run/systemd/system")
    host.answer_command(["systemctl", "--version"], "systemd 252 (252.39-1~deb12u1)\n+PAM\n")
    return host


def test_systemd_as_process_1_is_seen_with_its_version() -> None:
    seen = probe_supervisor(booted(), OURS)
    assert isinstance(seen, SupervisorFacts)
    assert (seen.systemd, seen.systemd_version, seen.supervisord) == (True, 252, None)


def test_whether_systemd_runs_is_told_without_a_process() -> None:
    host = booted()
    assert runs_systemd(host)
    assert host.ran == []
    assert not runs_systemd(booted(comm="docker-init"))
    host.forbid("/proc/1/comm")
    assert not runs_systemd(host)


def test_container_that_shows_the_hosts_run_is_not_taken_for_systemd() -> None:
    host = booted(comm="docker-init")
    host.add_program(OURS)
    seen = probe_supervisor(host, OURS)
    assert seen == SupervisorFacts(
        init="docker-init", systemd=False, systemd_version=None, supervisord=OURS
    )
    assert host.ran == []


def test_supervisord_on_the_path_is_second_choice() -> None:
    host = FakeHost()
    host.add_program("/usr/bin/supervisord")
    seen = probe_supervisor(host, OURS)
    assert isinstance(seen, SupervisorFacts)
    assert seen.supervisord == "/usr/bin/supervisord"


def test_systemctl_that_fails_leaves_the_version_open() -> None:
    host = booted()
    host.answer_command(["systemctl", "--version"], by=HostError("cannot run it: x", hint=""))
    seen = probe_supervisor(host, OURS)
    assert isinstance(seen, SupervisorFacts)
    assert (seen.systemd, seen.systemd_version) == (True, None)


CURRENT = "/opt/trtllm/engines/current/bin/trtllm-serve"


def with_engine(version: str = "1.3.0rc2") -> FakeHost:
    host = FakeHost()
    home = f"/opt/trtllm/engines/{version}"
    host.add_program(f"{home}/bin/trtllm-serve")
    host.add_file(f"{home}/lib/python3.12/site-packages/tensorrt_llm-{version}.dist-info/METADATA")
    host.add_link("/opt/trtllm/engines/current", version)
    return host


def test_engine_states_its_version_without_being_run() -> None:
    host = with_engine()
    assert probe_engine(host) == EngineFacts(path=CURRENT, present=True, version="1.3.0rc2")
    assert host.ran == []


def test_engine_elsewhere_is_found_by_its_path() -> None:
    host = FakeHost()
    host.add_program("/srv/venv/bin/trtllm-serve")
    host.add_file("/srv/venv/lib/python3.10/site-packages/tensorrt_llm-1.2.1.dist-info/RECORD")
    host.add_link("/usr/local/bin/serve", "/srv/venv/bin/trtllm-serve")
    found = probe_engine(host, "/usr/local/bin/serve")
    assert found == EngineFacts(path="/usr/local/bin/serve", present=True, version="1.2.1")


def test_absent_or_unexecutable_engine_is_not_present() -> None:
    host = FakeHost()
    assert probe_engine(host) == EngineFacts(path=CURRENT, present=False)
    host.add_file(CURRENT, "#!/bin/sh\n")
    assert probe_engine(host) == EngineFacts(path=CURRENT, present=False)


@pytest.mark.parametrize(
    "build",
    [
        lambda h: h.add_link(CURRENT, "/opt/trtllm/tool/bin/trtllm-serve-simulated"),
        lambda h: h.add_file(CURRENT, "from trtllm_install.simulator.main import x", mode=0o755),
        lambda h: (
            h.add_program("/opt/trtllm/engines/simulated/bin/trtllm-serve"),
            h.add_link("/opt/trtllm/engines/current", "simulated"),
        ),
    ],
)
def test_simulated_engine_is_recognised(build: object) -> None:
    host = FakeHost()
    host.add_program("/opt/trtllm/tool/bin/trtllm-serve-simulated")
    build(host)  # type: ignore[operator]
    found = probe_engine(host)
    assert isinstance(found, EngineFacts)
    assert found.simulated


def test_engine_that_may_not_be_read_is_unknown() -> None:
    host = with_engine()
    host.forbid("/opt/trtllm/engines")
    assert isinstance(probe_engine(host), Unknown)


def test_systemd_is_known_by_its_folder_where_process_1_is_hidden() -> None:
    host = FakeHost(root=False)  # /proc mounted with hidepid=2
    host.add_directory("/run/systemd/system")
    host.answer_command(["systemctl", "--version"], "systemd 255 (255.4-1ubuntu8)\n")
    seen = probe_supervisor(host, "/none")
    assert isinstance(seen, SupervisorFacts)
    assert (seen.systemd, seen.systemd_version) == (True, 255)
    assert not getattr(probe_supervisor(FakeHost(), "/none"), "systemd", True)
