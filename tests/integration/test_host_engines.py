"""A bundle is made on one host and installed on another without a network; engines change there.

Real pip, real venv, small wheels: tests/lab/wheels.py. Stages share the second host.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from lab import checkout, images, roots, wheels
from lab.manifest import RESTLESS, assert_same, manifest_of
from lab.visitor import NEMOTRON, QWEN, assert_answers, await_true, health
from trtllm_install import resources
from trtllm_install.bundles.archive import archive_parts
from trtllm_install.model.bundle import Manifest, parse_manifest
from trtllm_install.simulator.program import engine_program

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]
STAGED = True

TOOL = "trtllm-install"
HEADING = f"  {'longest time without an answer, s':<45}{'restart':>10}{'failed upgrade':>17}"
VERSION = "1.3.0rc2"
ENGINES = "opt/trtllm/engines"
# Debian has neither of the Pythons that TensorRT-LLM is published for.
UNTRIED = ("--accept", "engine-python-untried")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a bundle with an engine and packages, made twice by an installed tool."""
    folder = tmp_path_factory.mktemp("bundle")
    run(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation",
        "--no-index", "--target", str(folder / "tool"), str(checkout.ROOT))  # fmt: skip
    wheels.make_engine_wheels(folder / "engine")
    archives = images.base_of(images.DEBIAN_12) / "var/cache/apt/archives"
    links = f"{images.wheelhouse()} {folder / 'engine'}"
    for name in ("a.tar", "b.tar"):
        said = run(
            *(sys.executable, "-m", "trtllm_install.cli.main", "bundle", "create"),
            *(str(folder / name), "--engine", VERSION, "--packages", str(archives)),
            *("--platform", "manylinux_2_36_x86_64", "--python", images.DEBIAN_12.python),
            *("--output", "json"),
            PYTHONPATH=str(folder / "tool"),
            SOURCE_DATE_EPOCH="1767225600",
            PIP_NO_INDEX="1",
            PIP_FIND_LINKS=links,
        )
    document = json.loads(said)
    schema = json.loads(resources.read_text("configs/schema/output.schema.json"))
    Draft202012Validator(schema).validate(document)
    assert document["bundle"]["sha256"] == pin_of(folder / "b.tar")
    assert (folder / "a.tar").read_bytes() == (folder / "b.tar").read_bytes()
    return folder / "a.tar"


def run(*argv: str, **environment: str) -> str:
    """Run a program of this machine; AssertionError unless it ends 0."""
    ended = subprocess.run(
        argv, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def manifest_bytes(bundle: Path) -> bytes:
    raw = bundle.read_bytes()
    return raw[512 : 512 + int(raw[124:135], 8)]


def pin_of(bundle: Path) -> str:
    return sha256(manifest_bytes(bundle)).hexdigest()


@pytest.fixture(scope="module")
def host(bundle: Path) -> Iterator[roots.BootedRoot]:
    """Return a host that has the bundle, no network, no package list, no wheel."""
    with roots.BootedRoot(images.DEBIAN_12, bare=True) as root:
        root.check("sh", "-c", "rm -rf /var/cache/apt/archives/*.deb /var/lib/apt/lists/*")
        (root.tree / "srv/in").mkdir()
        shutil.copy(bundle, root.tree / "srv/in/bundle.tar")
        root.check("tar", "xf", "/srv/in/bundle.tar", "-C", "/srv/in")
        yield root


def bootstrap(host: roots.Root, bundle: str, *arguments: str) -> Any:
    offline = {"PIP_FIND_LINKS": "", "PIP_NO_INDEX": "1"}
    words = ("/srv/in/bootstrap.sh", "--bundle", bundle, *arguments)
    return host.run(*words, environment=offline, timeout=200)


# bundles -------------------------------------------------------------------------
def for_another(bundle: Path) -> bytes:
    """Return a whole bundle whose wheels are for another machine and Python."""
    manifest = parse_manifest(manifest_bytes(bundle))
    target = replace(manifest.target, machine="aarch64", python="3.12")
    other = Manifest(tool=manifest.tool, created=0, target=target, engine=None, files=())
    return b"".join(archive_parts(other, lambda _: []))


def test_a_bundle_that_was_changed_or_is_for_another_host_writes_nothing(
    host: roots.BootedRoot, bundle: Path
) -> None:
    raw = bytearray(bundle.read_bytes())
    raw[raw.index(b"PK\x03\x04") + 100] ^= 1
    (host.tree / "srv/in/changed.tar").write_bytes(raw)
    (host.tree / "srv/in/other.tar").write_bytes(for_another(bundle))
    before = manifest_of(host.tree)
    for name, says in (
        ("changed.tar", ".whl: its content was changed"),
        ("other.tar", "it is for aarch64, glibc 2.36, Python 3.12; this host is x86_64, glibc"),
    ):
        ended = bootstrap(host, f"/srv/in/{name}", "--profile", "multi", "--simulate")
        assert ended.returncode == 2, ended.stderr
        assert f"error: cannot use bundle /srv/in/{name}: " in ended.stderr
        assert says in ended.stderr
    pinned = bootstrap(host, "/srv/in/bundle.tar", "--bundle-sha256", "0" * 64)
    assert "manifest.json: its hash is" in pinned.stderr
    assert_same(before, manifest_of(host.tree))


def test_a_bundle_installs_everything_without_a_network(
    host: roots.BootedRoot, bundle: Path
) -> None:
    arguments = ("--bundle-sha256", pin_of(bundle), "--profile", "multi", "--simulate")
    ended = bootstrap(host, "/srv/in/bundle.tar", *arguments)
    assert ended.returncode == 0, ended.stderr
    assert health(host)[0] == 200
    assert_answers(host, NEMOTRON)
    assert list((host.tree / "var/tmp").glob("trtllm-*")) == []


def test_an_engine_comes_out_of_the_bundle(host: roots.BootedRoot) -> None:
    """No GPU is here, so the install behind it is refused; the engine stays."""
    python = host.tree / "opt/trtllm/python/brought/bin/python3.12"
    python.parent.mkdir(parents=True)
    python.symlink_to("/usr/bin/python3")
    words = ("--bundle", "/srv/in/bundle.tar", "--profile", "multi", "--weights-dir", "/tmp")
    ended = host.run(TOOL, *words, *UNTRIED, environment={"PIP_FIND_LINKS": ""}, timeout=120)
    assert ended.returncode == 3, ended.stderr
    assert "tensorrt_llm==1.3.0rc2 by its lock" in ended.stderr
    assert "driver-missing" in ended.stderr
    (built,) = [e for e in engines(host) if e["version"] == VERSION]
    assert (built["origin"], built["torch"], built["current"]) == ("built", "2.9.1+cu130", False)
    assert built["notes"] == ["simulated"]
    assert health(host)[0] == 200
    other = add(host, "9.9", "--from", "/srv/in/bundle.tar")
    assert other.returncode == 2
    assert "it brings engine 1.3.0rc2" in other.stderr


# adding ----------------------------------------------------------------------------
def engines(host: roots.Root) -> list[dict[str, Any]]:
    listed = json.loads(host.check(TOOL, "engine", "list", "--output", "json"))
    return list(listed["engines"])


def add(host: roots.Root, version: str, *arguments: str) -> Any:
    return host.run(TOOL, "engine", "add", version, *arguments, timeout=120)


def without_logs(host: roots.Root) -> dict[str, str]:
    """The tree but for the logs that each run of root leaves."""
    logs = "var/log/trtllm-install"
    return manifest_of(host.tree, leaving_out=(*RESTLESS, logs, f"{logs}/"))


def test_a_build_that_fails_or_is_killed_leaves_what_was_there(host: roots.BootedRoot) -> None:
    host.check(TOOL, "engine", "remove", VERSION, "--yes")
    before = without_logs(host)
    folder = host.tree / "srv/engine-wheels"
    wheels.make_engine_wheels(folder)
    host.check("mkdir", f"/{ENGINES}/.builds")
    host.check("mount", "-t", "tmpfs", "-o", "size=6m", "none", f"/{ENGINES}/.builds")
    full = add(host, VERSION, "--from", "/srv/engine-wheels", *UNTRIED)
    host.check("umount", f"/{ENGINES}/.builds")
    assert full.returncode == 4, full.stderr
    assert ": no space left on device" in full.stderr
    lock = wheels.lock_wheels(folder)
    lock.write_text(lock.read_text().replace("sha256:", "sha256:0000")[:-5] + "\n")
    wrong = add(host, VERSION, "--from", "/srv/engine-wheels", *UNTRIED)
    assert wrong.returncode == 4, wrong.stderr
    assert "error: cannot build 1.3.0rc2: " in wrong.stderr
    assert "hash" in wrong.stderr
    host.check(
        *("systemd-run", "--quiet", "--unit=half", "/usr/local/bin/trtllm-install", "engine"),
        *("add", VERSION, "--from", "/srv/engine-wheels", *UNTRIED),
    )
    begun = f"{ENGINES}/.builds/*/pyvenv.cfg"
    (half,) = await_true("a half-built engine", lambda: list(host.tree.glob(begun)), seconds=20)
    host.check("systemctl", "kill", "--kill-whom=all", "--signal=KILL", "half")
    assert [e["version"] for e in engines(host)] == ["simulated"]
    narrow = host.tree / "srv/narrow/bin/trtllm-serve"
    narrow.parent.mkdir(parents=True)
    narrow.write_text("#!/bin/sh\necho '  --host TEXT'\n", encoding="utf-8")
    narrow.chmod(0o755)
    refused = add(host, VERSION, "--path", "/srv/narrow")
    assert refused.returncode == 3, refused.stderr
    assert "option --max_batch_size is not in the engine" in refused.stderr
    assert "removed what a build that was cut off had left: " in refused.stderr
    assert half.parent.name in refused.stderr
    for path in ("srv/engine-wheels", "srv/narrow"):
        shutil.rmtree(host.tree / path)
    assert_same(before, without_logs(host))


# switching -------------------------------------------------------------------------
def place_engine(host: roots.Root, version: str, faults: str) -> None:
    """Adopt a simulated engine that has these faults from its first breath on."""
    program = host.tree / f"srv/{version}/bin/trtllm-serve"
    program.parent.mkdir(parents=True)
    text = engine_program("/opt/trtllm/tool/bin/python3")
    fault = f'import os\nos.environ["TRTLLM_SIMULATED_FAULTS"] = "{faults}"\nimport sys'
    program.write_text(text.replace("import sys", fault, 1), encoding="utf-8")
    program.chmod(0o755)
    accept = ("--accept", "engine-version-unknown")
    ended = add(host, version, "--path", f"/srv/{version}", *accept)
    assert ended.returncode == 0, ended.stderr


@contextmanager
def polled(host: roots.Root) -> Iterator[dict[str, float]]:
    """Ask all the while; the longest times without an answer are there at the end."""
    program = str(Path(__file__).parents[1] / "lab/poll.py")
    longest: dict[str, float] = {}
    client = host.start_on_network(sys.executable, program, QWEN, NEMOTRON)
    try:
        yield longest
    finally:
        out, _ = client.communicate(timeout=30)
    longest.update(json.loads(out))


def current(host: roots.Root) -> str:
    return str((host.tree / ENGINES / "current").readlink())


def test_a_failed_upgrade_ends_with_the_old_engine_serving(
    host: roots.BootedRoot, capsys: pytest.CaptureFixture[str]
) -> None:
    place_engine(host, "1.3.0rc3", "generation_fails=true")
    with polled(host) as plain:
        host.check(TOOL, "restart", "qwen", "nemotron", timeout=120)
    receipt = host.check("cat", "/var/lib/trtllm/receipt.json")
    with polled(host) as failed:
        ended = host.run(TOOL, "engine", "use", "1.3.0rc3", "--timeout", "4", timeout=120)
    assert ended.returncode == 6, ended.stderr
    assert current(host) == "/opt/trtllm/engines/simulated"
    assert host.check("cat", "/var/lib/trtllm/receipt.json") == receipt
    assert_answers(host, QWEN)
    assert_answers(host, NEMOTRON)
    table = [f"  {what:<45}{plain[what]:10.2f}{failed[what]:17.2f}" for what in plain]
    with capsys.disabled():
        sys.stdout.write("\n".join(["", HEADING, *table, ""]))
    # The proxy answers all the while; half a second is for a core that is shared.
    assert failed["port"] <= plain["port"] + 0.5
    again = host.run(TOOL, "--profile", "multi", "--simulate")
    assert "done: 0 changes" in again.stdout


def test_a_good_upgrade_serves_and_is_kept(host: roots.BootedRoot) -> None:
    place_engine(host, "1.3.0rc4", "load_seconds=0.3")
    ended = host.run(TOOL, "engine", "use", "1.3.0rc4", timeout=120)
    assert ended.returncode == 0, ended.stderr
    assert_answers(host, QWEN)
    again = host.run(TOOL, "--profile", "multi", "--simulate")
    assert "done: 0 changes" in again.stdout
    assert current(host) == "/opt/trtllm/engines/1.3.0rc4"
    refused = host.run(TOOL, "engine", "remove", "1.3.0rc4", "--yes")
    assert refused.returncode == 2
    assert "it is in use" in refused.stderr


def test_uninstall_leaves_engines_that_were_added(host: roots.BootedRoot) -> None:
    host.check(TOOL, "uninstall", "--yes", timeout=120)
    assert [e["version"] for e in engines(host)] == ["1.3.0rc3", "1.3.0rc4"]
    for version in ("1.3.0rc3", "1.3.0rc4"):
        host.check(TOOL, "engine", "remove", version, "--yes")
        assert (host.tree / f"srv/{version}/bin/trtllm-serve").exists()
    assert engines(host) == []
