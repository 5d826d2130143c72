"""What the proxy's files say; that nginx accepts them is tests/integration's to show."""

import dataclasses
import re

import pytest

from trtllm_install.model.errors import ConfigError
from trtllm_install.model.proxyspec import ProxySpec, Upstream
from trtllm_install.render.openresty import generation, models_of, render_proxy

QWEN = Upstream(
    name="qwen",
    host="127.0.0.1",
    port=8001,
    ids=("nvidia/Qwen3-30B-A3B-FP4",),
    contains=("Qwen",),
    state_file="/run/trtllm/qwen.json",
)
NEMOTRON = dataclasses.replace(
    QWEN, name="nemotron", port=8002, ids=("nvidia/Nemotron", "nemo"), contains=()
)
SPEC = ProxySpec(
    host="127.0.0.1",
    port=8000,
    upstreams=(QWEN, NEMOTRON),
    first_byte_s=1800,
    body_limit_mib=64,
    binary="nginx",
    modules=("/usr/lib/nginx/modules/ngx_http_lua_module.so",),
    lua_path="",
    lua_cpath="",
    conf_dir="/etc/trtllm/proxy",
    run_dir="/run/trtllm",
    temp_dir="/var/lib/trtllm/proxy",
    error_log="stderr",
    access_log="off",
    admin_socket="/run/trtllm/proxy-admin.sock",
    keys_file="/etc/trtllm/proxy-keys",
    peer_keys_file="/etc/trtllm/peer-keys",
    workers=2,
)


def changed(**changes: object) -> ProxySpec:
    return dataclasses.replace(SPEC, **changes)  # type: ignore[arg-type]


def test_everything_that_nginx_loads_is_rendered() -> None:
    files = render_proxy(SPEC)
    assert {"nginx.conf", "routes.lua"} < set(files)
    required = set(re.findall(r'require[ (]*"trtllm\.(\w+)"', "".join(files.values())))
    lua = {path for path in files if path.startswith("lualib/")}
    assert {f"lualib/trtllm/{name}.lua" for name in required} == lua


def test_same_spec_renders_the_same_bytes() -> None:
    assert render_proxy(SPEC) == render_proxy(SPEC)


def test_routes_carry_the_generation_of_all_files() -> None:
    files = render_proxy(SPEC)
    made = generation(files)
    assert re.fullmatch(r"[0-9a-f]{12}", made)
    assert f'generation = "{made}"' in files["routes.lua"]


@pytest.mark.parametrize(
    "other",
    [
        changed(port=8080),
        changed(workers=1),
        changed(upstreams=(QWEN,)),
        changed(upstreams=(NEMOTRON, QWEN)),
    ],
)
def test_any_change_makes_another_generation(other: ProxySpec) -> None:
    assert generation(render_proxy(other)) != generation(render_proxy(SPEC))


def test_changed_lua_makes_another_generation() -> None:
    files = render_proxy(SPEC)
    edited = files | {"lualib/trtllm/router.lua": files["lualib/trtllm/router.lua"] + "\n"}
    assert generation(edited) != generation(files)


def test_lua_is_shipped_as_it_is() -> None:
    assert not [
        path for path, text in render_proxy(SPEC).items() if path.endswith(".lua") and "{%" in text
    ]


def test_openresty_needs_no_modules() -> None:
    assert "load_module" not in render_proxy(changed(binary="openresty", modules=()))["nginx.conf"]
    conf = render_proxy(SPEC)["nginx.conf"]
    assert conf.count("load_module") == 1


def test_search_paths_end_in_the_built_in_ones() -> None:
    conf = render_proxy(SPEC)["nginx.conf"]
    assert 'lua_package_path "/etc/trtllm/proxy/?.lua;/etc/trtllm/proxy/lualib/?.lua;;"' in conf
    assert 'lua_package_cpath ";;"' in conf
    conf = render_proxy(changed(lua_path="/opt/l/?.lua", lua_cpath="/opt/l/?.so"))["nginx.conf"]
    assert "/etc/trtllm/proxy/lualib/?.lua;/opt/l/?.lua;;" in conf
    assert 'lua_package_cpath "/opt/l/?.so;;"' in conf


def test_access_log_has_a_format_only_if_there_is_one() -> None:
    assert "access_log off;" in render_proxy(SPEC)["nginx.conf"]
    conf = render_proxy(changed(access_log="/var/log/trtllm/access.log"))["nginx.conf"]
    assert "access_log /var/log/trtllm/access.log trtllm " in conf


@pytest.mark.parametrize(
    ("host", "dialled"),
    [
        ("localhost", "127.0.0.1:8001"),
        ("0.0.0.0", "127.0.0.1:8001"),
        ("::", "[::1]:8001"),
        ("::1", "[::1]:8001"),
        ("10.0.0.5", "10.0.0.5:8001"),
    ],
)
def test_backend_is_dialled_at_an_address_that_answers(host: str, dialled: str) -> None:
    files = render_proxy(changed(upstreams=(dataclasses.replace(QWEN, host=host),)))
    assert f"server {dialled} max_fails=0;" in files["nginx.conf"]
    assert f'host = "{dialled.rpartition(":")[0]}"' in files["routes.lua"]


def test_listen_address_is_what_was_asked_for() -> None:
    assert "listen [::]:8000 default_server;" in render_proxy(changed(host="::"))["nginx.conf"]
    assert "listen 0.0.0.0:8000" in render_proxy(changed(host="0.0.0.0"))["nginx.conf"]
    assert "listen 127.0.0.1:8000" in render_proxy(changed(host="localhost"))["nginx.conf"]


@pytest.mark.parametrize(
    "spec",
    [
        changed(host="my-host"),
        changed(upstreams=(dataclasses.replace(QWEN, host="gpu-1"),)),
        changed(upstreams=(dataclasses.replace(QWEN, name="a b"),)),
        changed(upstreams=(dataclasses.replace(QWEN, name="a;}"),)),
        changed(temp_dir="/var/lib/x; user root"),
        changed(access_log="/var/log/$host.log"),
        changed(peer_authority="/t/ca.pem;"),
    ],
)
def test_what_nginx_would_misread_is_refused(spec: ProxySpec) -> None:
    with pytest.raises(ConfigError, match=r"^cannot render the proxy: ") as caught:
        render_proxy(spec)
    assert caught.value.hint


def test_ids_cannot_leave_their_lua_strings() -> None:
    nasty = 'a"]]..os.exit()--\n\\é'
    routes = render_proxy(changed(upstreams=(dataclasses.replace(QWEN, ids=(nasty,)),)))[
        "routes.lua"
    ]
    assert r'"a\034]]..os.exit()--\010\092\195\169"' in routes


def test_substrings_are_compared_in_lower_case() -> None:
    assert 'contains = { "qwen" }' in render_proxy(SPEC)["routes.lua"]


def test_error_pages_keep_their_status() -> None:
    conf = render_proxy(SPEC)["nginx.conf"]
    assert not re.search(r"error_page[^;]* = ", conf)


def test_no_directive_is_newer_than_debian_12() -> None:
    conf = render_proxy(SPEC)["nginx.conf"]
    for newer in ("http2 on", "proxy_pass_trailers", "keepalive_min_timeout", " resolve;"):
        assert newer not in conf


def test_servers_of_one_model_share_its_routes() -> None:
    again = dataclasses.replace(QWEN, name="qwen2", port=8003, contains=("qwen", "kappa"))
    by_alias = Upstream(
        name="gpu2/nemo", peer="gpu2", host="10.0.0.2", port=80, ids=("NEMO",), contains=()
    )
    alone = dataclasses.replace(by_alias, name="gpu2/x", ids=("x",))
    models = models_of((QWEN, NEMOTRON, again, by_alias, alone))
    assert [(m.ids, m.contains, m.backends) for m in models] == [
        (["nvidia/Qwen3-30B-A3B-FP4"], ["qwen", "kappa"], [1, 3]),
        (["nvidia/Nemotron", "nemo"], [], [2, 4]),
        (["x"], [], [5]),
    ]


def test_an_alias_joins_no_instance_to_another_model() -> None:
    other = dataclasses.replace(QWEN, name="other", ids=("nemo",))
    assert [m.backends for m in models_of((NEMOTRON, other))] == [[1], [2]]


def test_certificates_of_peers_are_verified_wherever_tls_is_spoken() -> None:
    assert "ssl_verify" not in render_proxy(SPEC)["nginx.conf"]
    peer = dataclasses.replace(QWEN, name="gpu2", peer="gpu2", host="10.0.0.2")
    by_tls = dataclasses.replace(peer, tls_name="gpu2.example")
    files = render_proxy(changed(upstreams=(NEMOTRON, by_tls), peer_authority="/t/ca.pem"))
    conf = files["nginx.conf"]
    for line in (
        "proxy_ssl_trusted_certificate /t/ca.pem;",
        "proxy_ssl_verify on;",
        "proxy_ssl_name $trtllm_tls_name;",
        "lua_ssl_trusted_certificate /t/ca.pem;",
    ):
        assert conf.count(line) == 1
    assert "proxy_pass http://$trtllm_pool" not in conf
    assert 'tls_name = "gpu2.example"' in files["routes.lua"]
    assert "trtllm_path" not in conf
    both = changed(upstreams=(QWEN, by_tls), peer_authority="/t/ca.pem")
    assert "set $trtllm_path /v1/completions;" in render_proxy(both)["nginx.conf"]
    every_model = conf.partition("upstream every-model {")[2].partition("}")[0]
    assert ":8002" in every_model
    assert "10.0.0.2" not in every_model
    plain = render_proxy(changed(upstreams=(NEMOTRON, peer)))
    assert generation(plain) != generation(files)


def test_only_models_with_several_servers_cost_a_choice() -> None:
    conf = render_proxy(SPEC)["nginx.conf"]
    assert "balancer_by_lua" not in conf
    twice = dataclasses.replace(QWEN, name="again", port=8003)
    conf = render_proxy(changed(upstreams=(QWEN, NEMOTRON, twice)))["nginx.conf"]
    assert "balancer_by_lua" in conf
    assert "upstream backend-2 {" in conf
    assert "upstream backend-1 {" not in conf
