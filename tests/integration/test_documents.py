"""The documents, followed word for word on one Debian 12: bare, simulated, then with GPUs.

The GPUs are described ones (tests/nvml) and the engine that is added is the simulated one in
a wheel of its own; what runs them is what runs real ones.
"""

import json
import re
from collections.abc import Iterator

import pytest

from fakes.compose_file import THREE_PROFILES
from lab import documents, images, stories, wheels
from lab.reader import CHECKOUT, HOME, Reader
from lab.roots import BootedRoot
from lab.visitor import NEMOTRON, QWEN, assert_answers, await_true, health
from nvml import rig
from trtllm_install.simulator.weights import simulated_checkpoint

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]
STAGED = True

HOWTO, REFERENCE = "docs/howto/", "docs/reference/"
FIRST = f"{HOWTO}first-install.md"
GPU_HOST = f"{HOWTO}gpu-host.md"
MIGRATE = f"{HOWTO}migrate-from-compose.md"
OWN = f"{HOWTO}own-profile.md"
TROUBLE = f"{HOWTO}troubleshooting.md"
UPGRADE = f"{HOWTO}upgrade.md"
SITE = "/etc/trtllm/site.yaml"
SMALL = "nvidia/Qwen3-8B-FP4"
# Debian has neither of the Pythons that TensorRT-LLM is published for.
ADD = {"engine add 1.3.0rc2": "engine add 1.3.0rc2 --accept engine-python-untried"}
ADOPTED = """#!/opt/trtllm/tool/bin/python3
import runpy
runpy.run_module(".".join(("trtllm_install", "simulator", "main")), run_name="__main__")
"""


@pytest.fixture(scope="module")
def host() -> Iterator[BootedRoot]:
    with BootedRoot(images.DEBIAN_12) as booted:
        # A server that is killed leaves no port in TIME_WAIT: that minute has tests of its own.
        booted.check("sysctl", "--quiet", "--write", "net.ipv4.tcp_max_tw_buckets=0")
        yield booted


@pytest.fixture(scope="module")
def reader(host: BootedRoot) -> Reader:
    return Reader(host)


def text_of(document: str, kind: str, *, heading: str = "") -> str:
    """The one block of a kind in a document, or in a part of it."""
    (text,) = (
        b.text
        for b in documents.blocks_of(document)
        if b.kind == kind and heading in {"", b.heading}
    )
    return text


def shape(line: str) -> str:
    """A line without its figures."""
    return re.sub(r"\b(?=[0-9a-f]*\d)[0-9a-f]{6,}\b|\d+(\.\d+)?", "N", line).strip()


def assert_shown(shown: str, printed: str) -> None:
    """Demand that every line which a document shows was printed, whatever its figures."""
    lines = {shape(line) for line in printed.splitlines()}
    assert [line for line in shown.splitlines() if shape(line) not in {"", *lines}] == [], printed


# on a bare host -----------------------------------------------------------------------------


def test_the_readme_shows_what_is_printed(reader: Reader) -> None:
    printed = reader.follow("README.md", only="--profile multi --simulate")
    # How often a load is seen depends on the machine; the phases and results do not.
    seen = [
        line
        for line in text_of("README.md", "text").splitlines()
        if not re.match(r"    \w+ +(absent|waiting|loading|healthy) ", line)
    ]
    assert_shown("\n".join(seen), printed)


def test_every_command_of_the_readme_works_in_its_order(reader: Reader) -> None:
    answers = [
        json.loads(line)
        for line in reader.follow("README.md", "Ask the models").splitlines()
        if line.startswith('{"')
    ]
    listed, qwen, nemotron, quiet = answers[:4]
    assert [m["id"] for m in listed["data"]] == [QWEN, NEMOTRON]
    thinking, silent = (a["choices"][0]["message"]["content"] for a in (qwen, quiet))
    assert thinking.startswith("<think>")
    assert "</think>" in thinking
    assert "<think>" not in silent
    apart = nemotron["choices"][0]["message"]
    assert apart["reasoning_content"]
    assert "think>" not in (apart["content"] or "")
    reader.follow("README.md", "Operate")
    reader.follow("README.md", "Remove")


def test_nothing_of_ours_is_left_but_what_it_says(host: BootedRoot) -> None:
    for path in ("/etc/trtllm", "/opt/trtllm", "/usr/local/bin/trtllm-install", "/run/trtllm"):
        assert host.run("test", "-e", path).returncode == 1, path


# with the simulated engine ------------------------------------------------------------------


def test_every_command_of_the_first_howto_works_in_its_order(
    host: BootedRoot, reader: Reader
) -> None:
    reader.follow(FIRST, "1. Install", "2. Look", "3. Ask", "4. Change something")
    assert "done: 0 changes" in reader.say("sudo trtllm-install --simulate")
    reader.follow(FIRST, "5. Break something")
    assert_answers(host, QWEN)


def test_faults_are_switched_as_the_reference_says(reader: Reader) -> None:
    told = reader.follow(f"{REFERENCE}simulated-engine.md")
    assert '"hang"' in told
    reader.say("""curl -f http://127.0.0.1:8001/simulated/faults -d '{"hang": false}'""")


# with GPUs ----------------------------------------------------------------------------------


def test_a_gpu_host_is_looked_at_before_anything_is_there(host: BootedRoot, reader: Reader) -> None:
    reader.say("sudo trtllm-install uninstall")
    kept = host.check("cat", "/etc/trtllm/engine/qwen_multi.yaml")
    assert "max_batch_size: 8" in kept  # the edit that the first howto makes
    host.check("rm", "-r", "/etc/trtllm")
    rig.put_gpu(host.tree, "b200x8")
    reader.place("/usr/bin/mpirun", "#!/bin/sh\necho 'mpirun (Open MPI) 4.1.6'\n", mode=0o755)
    printed = reader.follow(GPU_HOST, "1. The tool, and what it says about the host", ends={3})
    for code in ("engine-missing", "weights-missing"):
        assert f"[{code}]" in printed


def test_engines_are_added_in_every_way(host: BootedRoot, reader: Reader) -> None:
    python = host.tree / "opt/trtllm/python/brought/bin/python3.12"
    python.parent.mkdir(parents=True)
    python.symlink_to("/usr/bin/python3")
    wheels.make_engine_wheels(host.tree / "srv/torch")
    reader.place("/etc/pip.conf", "[global]\nno-index = yes\nfind-links = /srv/wheels /srv/torch\n")
    reader.place("/srv/venv/bin/trtllm-serve", ADOPTED, mode=0o755)
    # The wheels lie on a disk; /srv/wheels has those of the tool here.
    instead = {"URL": "file:///srv/torch", "--from /srv/wheels": "--from /srv/torch", **ADD}
    again = "sudo trtllm-install engine remove 1.3.0rc2 --yes"
    reader.say("trtllm-install bundle create trtllm.tar --engine 1.3.0rc2")
    for way in ("--from /srv/wheels", "--from trtllm.tar", "--path /srv/venv"):
        reader.follow(UPGRADE, only=way, instead=instead)
        reader.say(again)
    reader.follow(UPGRADE, only="--index URL", instead=instead)
    reader.say(again)
    assert "engine 1.3.0rc2 is added" in reader.follow(GPU_HOST, "2. The engine", instead=instead)


def test_weights_are_put_where_the_documents_say(reader: Reader) -> None:
    for model in (QWEN, NEMOTRON, SMALL):
        for name, content in simulated_checkpoint(model).items():
            reader.place(f"{HOME}/model_weights/{model}/{name}", content)
            reader.place(f"/srv/model_weights/{model}/{name}", content)


def test_an_image_is_planned_and_installed(reader: Reader) -> None:
    """The tree is this host with a layer over it; what is written goes to the layer."""
    layers = "/run/layers"
    reader.say(
        f"mkdir {layers} image && mount -t tmpfs none {layers} && mkdir {layers}/u {layers}/w &&"
        f" mount -t overlay none -o lowerdir=/,upperdir={layers}/u,workdir={layers}/w image",
        as_root=True,
    )
    printed = reader.follow(f"{HOWTO}images.md", "2. The installation")
    assert "done: " in printed
    assert reader.say("ls image/etc/systemd/system").count("trtllm-") == 4
    reader.say(f"umount image {layers} && rmdir image {layers}", as_root=True)


def test_a_compose_file_becomes_profiles_that_serve(host: BootedRoot, reader: Reader) -> None:
    """All three profiles of the file, each with completions, and back to an empty host."""
    reader.place(f"{CHECKOUT}/compose.yml", THREE_PROFILES)
    for name in ("qwen", "qwen_multi", "nano_v3"):
        text = reader.say(f"cat configs/engine/{name}.yaml")
        reader.place(f"{CHECKOUT}/{name}.yaml", f"{text}max_input_len: 1024\n")
    printed = reader.follow(MIGRATE, "Your compose file")
    for name in ("qwen", "nemotron", "multi"):
        assert f"# /etc/trtllm/profiles/{name}.yaml" in printed
    assert health(host)[0] == 200
    for model in (QWEN, NEMOTRON):
        assert_answers(host, model)
    assert "max_input_len: 1024" in host.check("cat", "/etc/trtllm/engine/nano_v3.yaml")
    for name, model in (("qwen", QWEN), ("nemotron", NEMOTRON)):
        reader.say(f"sudo trtllm-install --profile {name}")
        assert_answers(host, model)
    reader.say("sudo trtllm-install uninstall")
    assert health(host)[0] == 0
    host.check("rm", "-r", "/etc/trtllm")


def test_a_gpu_host_is_installed(host: BootedRoot, reader: Reader) -> None:
    reader.follow(GPU_HOST, "4. How much memory each model gets")
    host.check("mv", "/usr/bin/mpirun", "/srv")  # which no network brings, and nothing waits for
    printed = reader.follow(GPU_HOST, "5. Install")
    assert "install cannot bring openmpi-bin: cannot run apt-get --download-only: " in printed
    host.check("mv", "/srv/mpirun", "/usr/bin")
    assert "CUDA works on 8 GPUs, also as services run it" in printed
    assert health(host)[0] == 200
    again = reader.follow("README.md", only="bootstrap.sh --profile multi\n")
    assert "done: 0 changes" in again
    reader.follow(MIGRATE, "Move a host")
    reader.follow(f"{HOWTO}images.md", "3. The boot")


def test_the_reference_can_be_typed(host: BootedRoot, reader: Reader) -> None:
    assert "it serves" in reader.follow(f"{REFERENCE}exit-codes.md")
    assert "qwen healthy" in reader.follow(f"{REFERENCE}json-output.md")
    assert '"name": "qwen"' in reader.follow(f"{REFERENCE}profiles.md")
    assert "alerts.yaml" in reader.follow(f"{HOWTO}monitoring.md", "Prometheus and Grafana")
    host.check("mkdir", "-p", "/var/lib/prometheus/node-exporter")
    reader.follow(f"{HOWTO}monitoring.md", "Drift", as_root=True)
    told = host.check("cat", "/var/lib/prometheus/node-exporter/trtllm.prom")
    assert told == "trtllm_host_drift 0\n"


def test_drift_is_shown_as_it_is_printed(host: BootedRoot, reader: Reader) -> None:
    assert "no drift" in reader.follow(f"{HOWTO}drift.md")
    host.check("sed", "-i", "s/^worker_processes .*/worker_processes 4;/",
               "/etc/trtllm/proxy/nginx.conf")  # fmt: skip
    reader.place("/etc/systemd/system/trtllm-qwen.service.d/override.conf", "[Service]\nNice=1\n")
    host.check("systemctl", "daemon-reload")
    printed = reader.follow(f"{HOWTO}drift.md", ends={10})
    assert_shown(text_of(f"{HOWTO}drift.md", "text"), printed)
    host.check("rm", "-r", "/etc/systemd/system/trtllm-qwen.service.d")
    host.check("systemctl", "daemon-reload")
    reader.say("sudo trtllm-install --on-conflict replace && sudo trtllm-install verify")


def test_troubleshooting_can_be_typed(host: BootedRoot, reader: Reader) -> None:
    edit = f"{HOME}/edit"
    script = "#!/bin/sh\nsed -i 's/fraction: 0.30/fraction: 0.25/' \"$1\"\n"
    reader.place(edit, script, mode=0o755)
    printed = reader.follow(TROUBLE, given={"EDITOR": edit})
    assert "restart service   qwen (its inputs changed)" in printed
    assert health(host)[0] == 200
    reader.say("sudo trtllm-install stop qwen && setsid --fork"
               " python3 -m http.server 8001 --bind 127.0.0.1 >/dev/null 2>&1")  # fmt: skip
    await_true("a holder", lambda: ":8001" in host.check("ss", "-ltn"), seconds=20)
    taken = reader.say("sudo trtllm-install check --only port-taken || [ $? -eq 3 ]")
    assert_shown(text_of(TROUBLE, "text", heading="Port taken"), taken)
    (fix,) = re.findall(r"sudo kill \d+", taken)
    reader.say(f"{fix} && sudo trtllm-install start")


def test_engines_are_switched_and_removed(host: BootedRoot, reader: Reader) -> None:
    reader.place("/srv/next/bin/trtllm-serve", ADOPTED, mode=0o755)
    reader.place("/srv/next/lib/python3.11/site-packages/tensorrt_llm-1.4.0.dist-info/METADATA", "")
    unknown = "--accept engine-version-unknown"
    reader.say(f"sudo trtllm-install engine add 1.4.0 --path /srv/next {unknown}")
    reader.say(f"sudo trtllm-install engine use 1.4.0 {unknown}")
    printed = reader.follow(UPGRADE, "Switch")
    assert "restart service   qwen" in printed
    for model in (QWEN, NEMOTRON):
        assert_answers(host, model)
    reader.follow(UPGRADE, "Go back, and clean up", instead={"remove 1.4.0": "remove 1.4.0 --yes"})
    assert "1.4.0" not in reader.say("trtllm-install engine list")


def test_a_profile_of_their_own_serves(host: BootedRoot, reader: Reader) -> None:
    reader.follow(OWN)
    assert_answers(host, "small")
    profile = "/etc/trtllm/profiles/trio.yaml"
    host.check("sed", "-i", "s/after: .nemotron./after: [nemotro]/", profile)
    refused = reader.say("trtllm-install check --profile trio || [ $? -eq 2 ]")
    assert_shown(text_of(OWN, "text"), refused)


def test_two_gpus_are_given_to_two_models(host: BootedRoot, reader: Reader) -> None:
    document = f"{HOWTO}two-gpus.md"
    reader.place(SITE, text_of(document, "yaml", heading="With the shipped profile"))
    printed = reader.follow(document, "With the shipped profile")
    assert "GPU 1" in printed
    profile = text_of(document, "yaml", heading="Both at once")
    reader.place("/etc/trtllm/profiles/side-by-side.yaml", profile)
    reader.follow(document, "Both at once")
    for model in (QWEN, NEMOTRON):
        assert_answers(host, model)
    host.check("rm", SITE)


def test_a_dgx_spark_is_installed(host: BootedRoot, reader: Reader) -> None:
    rig.put_gpu(host.tree, "gb10")
    printed = reader.follow(f"{HOWTO}dgx-spark.md")
    assert "GB10" in printed
    rig.put_gpu(host.tree, "b200x8")


def test_the_port_is_opened_with_keys_and_tls(host: BootedRoot, reader: Reader) -> None:
    document = f"{HOWTO}open-to-the-network.md"
    key = re.findall(r"\S{40,}", reader.follow(document, only="keys add alice"))[-1]
    reader.say(
        "openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=gpu7.example"
        " -addext subjectAltName=DNS:gpu7.example -keyout privkey.pem -out fullchain.pem"
    )
    reader.follow(document, only="fullchain.pem privkey.pem")
    reader.place(SITE, text_of(document, "yaml"))
    reader.follow(document, only="trtllm-install check")
    host.check("sh", "-c", "echo 127.0.1.1 gpu7.example >>/etc/hosts")
    ca = {"KEY": key, "CURL_CA_BUNDLE": f"{CHECKOUT}/fullchain.pem"}
    assert QWEN in reader.follow(document, only="gpu7.example", given=ca)
    reader.say("sudo trtllm-install keys remove alice")
    proxy = f"{REFERENCE}proxy.md"
    reader.follow(proxy, "Keys")
    reader.follow(proxy, "TLS", as_root=True, given={"RENEWED_LINEAGE": CHECKOUT})
    assert '"backends"' in reader.follow(proxy, "Admin socket")


def test_the_first_howto_ends_with_a_host_without_us(host: BootedRoot, reader: Reader) -> None:
    reader.follow(FIRST, "6. Remove")
    assert "fraction: 0.25" in host.check("cat", "/etc/trtllm/engine/qwen_multi.yaml")
    assert host.run("test", "-e", "/opt/trtllm/tool").returncode == 1


def test_wheels_in_a_folder_are_enough(host: BootedRoot, reader: Reader) -> None:
    """The last part of the howto for hosts without a network, on one that has nothing of ours."""
    document = f"{HOWTO}offline.md"
    host.check("rm", "-r", "/etc/pip.conf", "/etc/trtllm")
    reader.say("ln -s /srv/wheels wheels; mkdir debs; cp /var/cache/apt/archives/*.deb debs/")
    reader.follow(document, only="./debs/*.deb")
    reader.follow(document, only="PIP_FIND_LINKS")
    assert_answers(host, QWEN)
    reader.follow(document, "Remove the tool")


def test_every_block_of_these_documents_was_followed(reader: Reader) -> None:
    assert reader.left(stories.STORIES["test_documents.py"]) == []
