"""What is said of hosts without systemd, followed on one: a Debian 12 as a container is."""

from collections.abc import Iterator

import pytest

from lab import documents, images, stories
from lab.reader import Reader
from lab.roots import PlainRoot
from lab.visitor import NEMOTRON, QWEN, assert_answers, await_true
from trtllm_install.simulator.weights import simulated_checkpoint

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]
STAGED = True

DOCUMENT = "docs/howto/run-without-systemd.md"
# No GPU is here.
SIMULATED = {"--profile multi": "--profile multi --simulate"}
CONTAINER = "As the entrypoint of a container"


@pytest.fixture(scope="module")
def host() -> Iterator[PlainRoot]:
    with PlainRoot(images.DEBIAN_12) as root:
        yield root


@pytest.fixture(scope="module")
def reader(host: PlainRoot) -> Reader:
    return Reader(host)


def test_one_command_serves_and_supervisorctl_knows_the_services(
    host: PlainRoot, reader: Reader
) -> None:
    reader.follow(DOCUMENT, "Run without systemd", instead=SIMULATED)
    printed = reader.follow(DOCUMENT, "supervisorctl")
    assert printed.count("RUNNING") == 3
    reader.say("trtllm-install wait")
    assert_answers(host, NEMOTRON)


def test_the_command_of_the_boot_starts_everything(host: PlainRoot, reader: Reader) -> None:
    tctl = "/opt/trtllm/tool/bin/supervisorctl -c /etc/trtllm/supervisord.conf"
    reader.say(f"{tctl} shutdown; while pgrep supervisord; do :; done; rm -r /run/trtllm",
               as_root=True)  # fmt: skip
    reader.follow(DOCUMENT, "At boot", as_root=True)
    reader.say("trtllm-install wait")
    assert_answers(host, QWEN)


def test_an_entrypoint_serves_as_the_document_has_it(host: PlainRoot, reader: Reader) -> None:
    reader.say("sudo trtllm-install uninstall")
    (entrypoint,) = (
        b for b in documents.blocks_of(DOCUMENT) if b.heading == CONTAINER and "#!/bin/sh" in b.text
    )
    reader.place("/entrypoint.sh", entrypoint.text, mode=0o755)
    reader.skip(entrypoint)
    for model in (QWEN, NEMOTRON):
        for name, content in simulated_checkpoint(model).items():
            reader.place(f"/models/{model}/{name}", content)
    reader.say(
        "setsid --fork /entrypoint.sh --simulate >/tmp/entrypoint.log 2>&1",
        as_root=True,
    )
    await_true("its supervisord", lambda: host.run("pgrep", "supervisord").stdout, seconds=60)
    reader.say("trtllm-install wait")
    assert '"status":"healthy"' in reader.follow(DOCUMENT, only="/health")


def test_every_block_of_these_documents_was_followed(reader: Reader) -> None:
    assert reader.left(stories.STORIES["test_documents_supervisord.py"]) == []
