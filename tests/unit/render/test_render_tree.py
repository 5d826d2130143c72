"""Installation in, everything that has to be on the host out."""

import dataclasses
from posixpath import dirname
from typing import Any

import pytest

from fakes.healthy import INSTALLATION, instance
from trtllm_install.model import layout
from trtllm_install.model.desired import Desired
from trtllm_install.render.tree import Surroundings, render_tree

SURROUNDINGS = Surroundings(
    proxy_binary="/usr/sbin/nginx",
    engine_target="/opt/trtllm/engines/1.3.0rc2",
    engine_configs={
        "/etc/trtllm/engine/qwen.yaml": "max_batch_size: 4\n",
        "/etc/trtllm/engine/nemotron.yaml": "max_batch_size: 4\n",
    },
)
SUPERVISORS = pytest.mark.parametrize("supervisor", ["systemd", "supervisord"])
# Folders that every Linux has, or the supervisor's own package makes.
SYSTEM = {"/etc/systemd/system", "/etc/tmpfiles.d"}


def rendered(supervisor: str = "systemd", **changed: Any) -> Desired:
    installation = dataclasses.replace(INSTALLATION, supervisor=supervisor, **changed)
    return render_tree(installation, SURROUNDINGS)


@SUPERVISORS
def test_the_same_input_gives_the_same_bytes(supervisor: str) -> None:
    assert rendered(supervisor) == rendered(supervisor)


@SUPERVISORS
def test_every_folder_comes_before_what_is_in_it(supervisor: str) -> None:
    tree = rendered(supervisor)
    made: list[str] = []
    for directory in tree.directories:
        above = dirname(directory.path)
        assert above in made or above in {"/etc", "/opt", "/run", "/var/lib", "/var/log"}, above
        made.append(directory.path)
    assert len(made) == len(set(made))
    for path in [f.path for f in tree.files] + [link.path for link in tree.links]:
        assert dirname(path) in {*made, *SYSTEM}, path


@SUPERVISORS
def test_no_path_is_wanted_twice(supervisor: str) -> None:
    tree = rendered(supervisor)
    paths = [x.path for group in (tree.directories, tree.files, tree.links) for x in group]
    assert len(paths) == len(set(paths))


@SUPERVISORS
def test_services_are_restarted_for_files_that_exist(supervisor: str) -> None:
    tree = rendered(supervisor)
    present = {f.path for f in tree.files} | {link.path for link in tree.links}
    assert [s.name for s in tree.services] == ["qwen", "nemotron", "proxy"]
    for service in tree.services:
        assert service.inputs
        assert {*service.inputs, *service.reload_inputs} <= present


def test_a_service_is_restarted_only_for_what_it_reads() -> None:
    inputs = {s.name: set(s.inputs) for s in rendered().services}
    assert inputs["qwen"] == {
        layout.launch_spec("qwen"),
        f"{layout.UNITS}/trtllm-qwen.service",
        "/etc/trtllm/engine/qwen.yaml",
        layout.ENGINE_CURRENT,
    }
    assert inputs["proxy"] == {
        layout.launch_spec("proxy"),
        f"{layout.UNITS}/trtllm-proxy.service",
    }


def test_the_proxy_is_reloaded_for_its_configuration_and_its_lua() -> None:
    proxy = rendered().services[-1]
    assert f"{layout.PROXY}/nginx.conf" in proxy.reload_inputs
    assert f"{layout.PROXY}/routes.lua" in proxy.reload_inputs
    assert any(path.endswith(".lua") and "/lualib/" in path for path in proxy.reload_inputs)


def test_only_the_service_user_reads_what_services_leave() -> None:
    tree = rendered("supervisord")
    state = {d.path: (d.mode, d.owner) for d in tree.directories}
    for path in ("/var/lib/trtllm/qwen", "/var/lib/trtllm/proxy", "/var/log/trtllm"):
        assert state[path] == (0o750, layout.USER)
    assert state[layout.RUN] == (0o755, layout.USER)
    assert state[layout.ETC] == (0o755, "root")


def test_each_supervisor_has_its_own_files_and_none_of_the_other() -> None:
    systemd = {f.path for f in rendered("systemd").files}
    supervisord = {f.path for f in rendered("supervisord").files}
    assert layout.SUPERVISORD_CONF in supervisord - systemd
    assert f"{layout.UNITS}/trtllm.target" in systemd - supervisord
    assert not any("systemd" in path for path in supervisord)


def test_an_engine_elsewhere_is_linked_to_in_a_folder_that_is_there() -> None:
    tree = rendered()
    (link,) = tree.links
    assert (link.path, link.target) == (layout.ENGINE_CURRENT, "/opt/trtllm/engines/1.3.0rc2")
    assert layout.ENGINES in {d.path for d in tree.directories}


def test_no_engine_was_named_and_the_link_stays_as_it_is() -> None:
    tree = render_tree(INSTALLATION, dataclasses.replace(SURROUNDINGS, engine_target=""))
    assert tree.links == ()


def test_without_a_proxy_nothing_of_it_is_there() -> None:
    tree = rendered(instances=INSTALLATION.instances[:1], proxy=None)
    assert tree.generation == ""
    assert not any("proxy" in path for path in tree.paths)


def test_the_generation_stands_for_the_configuration() -> None:
    other = tuple(dataclasses.replace(i, port=i.port + 1000) for i in INSTALLATION.instances)
    assert rendered().generation == rendered().generation != rendered(instances=other).generation
    text = next(f.content for f in rendered().files if f.path.endswith("routes.lua"))
    assert f'generation = "{rendered().generation}"'.encode() in text


def test_any_number_of_instances_has_a_unit_a_spec_and_a_state_folder_each() -> None:
    names = ["a", "b-2", "qwen", "x" * 31, *(f"n{n}" for n in range(12))]
    model = instance("qwen", 8001)
    instances = tuple(
        dataclasses.replace(model, name=name, port=9000 + n) for n, name in enumerate(names)
    )
    tree = rendered(instances=instances)
    for name in names:
        assert {
            layout.launch_spec(name),
            f"{layout.UNITS}/{layout.unit(name)}",
            layout.instance_state(name),
        } <= tree.paths
