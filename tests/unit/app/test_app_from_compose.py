"""``from-compose``: what is printed, what is written, and that it installs."""

import pytest

from fakes.command_line import CommandLine
from trtllm_install.app.from_compose import read_compose, write_files
from trtllm_install.model.errors import ConfigError
from unit.config.test_from_compose import THREE_PROFILES

FILE = "/home/mika/serve/compose.yml"
ENGINE = "max_batch_size: 2\nkv_cache_config:\n  free_gpu_memory_fraction: 0.3\n"


@pytest.fixture
def line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    line = CommandLine(monkeypatch, capsys)
    line.host.add_account("mika", "/home/mika")
    line.host.variables["SUDO_USER"] = "mika"
    line.host.add_file(FILE, THREE_PROFILES.encode())
    for name in ("qwen.yaml", "nano_v3.yaml", "qwen_multi.yaml"):
        line.host.add_file(f"/home/mika/serve/{name}", ENGINE.encode())
    return line


def test_printing_changes_nothing(line: CommandLine) -> None:
    before = dict(line.host.nodes)
    ran = line.run("from-compose", FILE)
    assert ran.code == 0
    assert "# /etc/trtllm/profiles/multi.yaml" in ran.out
    assert "# /etc/trtllm/engine/qwen.yaml is a copy of /home/mika/serve/qwen.yaml" in ran.out
    assert "note: service trtllm-multi-proxy: our proxy takes its place" in ran.err
    assert line.host.nodes == before


@pytest.mark.parametrize("profile", ["qwen", "nemotron", "multi"])
def test_what_is_written_installs(line: CommandLine, profile: str) -> None:
    wrote = line.run("from-compose", FILE, "--write", "/etc/trtllm")
    assert wrote.code == 0, wrote.err
    ran = line.run("install", "--profile", profile, "--simulate")
    assert ran.code == 0, ran.err
    # The compose setup's own engine settings are kept as edits are.
    assert line.host.read("/etc/trtllm/engine/nano_v3.yaml") == ENGINE.encode()
    assert "profile multi of the compose file" in str(
        line.host.read("/etc/trtllm/profiles/multi.yaml")
    )


def test_a_second_time_writes_nothing(line: CommandLine) -> None:
    line.run("from-compose", FILE, "--write", "/etc/trtllm")
    again = line.run("from-compose", FILE, "--write", "/etc/trtllm", "--output", "json")
    assert (again.code, again.document["changed"]) == (0, False)


def test_somebody_elses_file_stops_all_of_it(line: CommandLine) -> None:
    line.host.add_file("/srv/there/site.yaml", b"port: 8080\n")
    with pytest.raises(ConfigError, match=r"there already, with other content: /srv/there/site"):
        write_files(line.host, "/srv/there", {"/profiles/a.yaml": b"x", "/site.yaml": b"y"})
    assert line.host.look("/srv/there/profiles") is None


def test_a_mount_that_is_not_there_is_named(line: CommandLine) -> None:
    line.host.remove("/home/mika/serve/nano_v3.yaml")
    ran = line.run("from-compose", FILE, "--write", "/etc/trtllm")
    assert ran.code == 2
    assert "cannot read /home/mika/serve/nano_v3.yaml: no such file" in ran.err


def test_an_env_file_beside_it_counts(line: CommandLine) -> None:
    text = THREE_PROFILES.replace("[~/model_weights:/models:ro", "['${WEIGHTS}:/models:ro'")
    line.host.add_file(FILE, text.encode())
    line.host.add_file("/home/mika/serve/.env", b"# here\nexport WEIGHTS='/srv/w'\n")
    assert "weights_dir: /srv/w" in read_compose(line.host, FILE).site
