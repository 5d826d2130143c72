"""What an operator can get wrong: the exit code, one clear line, and nothing written."""

import json
import re
from collections.abc import Iterator

import pytest

from lab import images, roots
from lab.manifest import assert_same, manifest_of
from lab.visitor import await_true

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]

NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
SITE = "/tmp/site.yaml"  # a tmpfs of the root: not part of the tree that is compared


@pytest.fixture(scope="module")
def host() -> Iterator[roots.PlainRoot]:
    with roots.PlainRoot(images.DEBIAN_12) as root:
        yield root


@pytest.fixture(scope="module")
def bare(host: roots.PlainRoot) -> dict[str, str]:
    """Return the tree with packages and tool, before anything is installed."""
    ended = host.bootstrap("--version")
    assert ended.returncode == 0, ended.stderr
    return manifest_of(host.tree)


def assert_refused(
    host: roots.PlainRoot,
    bare: dict[str, str],
    *arguments: str,
    code: int,
    says: tuple[str, ...],
) -> None:
    """Demand that an install ends with ``code``, says each text, and writes nothing."""
    ended = host.run("trtllm-install", *arguments)
    assert ended.returncode == code, ended.stderr
    for text in (*says, "error: cannot ", "hint: "):
        assert text in ended.stderr
    assert "Traceback" not in ended.stderr
    assert_same(bare, manifest_of(host.tree))


def test_a_mistake_inside_a_root_cannot_set_the_clock_of_this_machine(
    host: roots.PlainRoot,
) -> None:
    """The clock (25) and the kernel's modules (16) have no namespace of their own."""
    (powers,) = re.findall(r"CapBnd:\s+(\w+)", host.check("cat", "/proc/self/status"))
    assert int(powers, 16) & (1 << 25 | 1 << 16) == 0


@pytest.mark.parametrize("named", ["/bin/true", "/nonexistent/python3"])
def test_a_python_that_is_named_and_is_none_is_told(host: roots.PlainRoot, named: str) -> None:
    ended = host.bootstrap("--only-tool", environment={"TRTLLM_PYTHON": named})
    assert (ended.returncode, f"cannot use {named} (TRTLLM_PYTHON)" in ended.stderr) == (3, True)


@pytest.mark.parametrize(
    ("named", "says"),
    [
        ("mutli", ("did you mean multi?", "hint: trtllm-install --profile multi\n")),
        ("gpt", ("known: front, multi, nemotron, qwen",)),
    ],
)
def test_an_unknown_profile_names_the_nearest_or_the_known_ones(
    host: roots.PlainRoot, bare: dict[str, str], named: str, says: tuple[str, ...]
) -> None:
    assert_refused(host, bare, "--profile", named, "--simulate", code=2, says=says)


def test_a_misspelt_key_is_shown_with_its_line_and_the_nearest_valid_one(
    host: roots.PlainRoot,
    bare: dict[str, str],
) -> None:
    host.run("tee", SITE, stdin="# site\nweights_dri: /data\n")
    says = (f"{SITE}:2", "weights_dri", "weights_dir")
    arguments = ("--profile", "multi", "--simulate", "--site", SITE)
    assert_refused(host, bare, *arguments, code=2, says=says)


def test_malformed_yaml_is_shown_with_its_line(
    host: roots.PlainRoot,
    bare: dict[str, str],
) -> None:
    host.run("tee", SITE, stdin="weights_dir: [\n")
    arguments = ("--profile", "multi", "--simulate", "--site", SITE)
    assert_refused(host, bare, *arguments, code=2, says=(SITE,))


def test_a_taken_port_names_the_process(host: roots.PlainRoot, bare: dict[str, str]) -> None:
    host.check(
        "sh", "-c", "python3 -m http.server -d /tmp 8001 >/dev/null 2>&1 & echo $! >/tmp/pid"
    )
    pid = host.check("cat", "/tmp/pid").strip()
    await_true(
        "the port being taken",
        lambda: "8001" in host.check("ss", "-ltn"),
        seconds=10,
    )
    says = ("8001", "python3", pid)
    assert_refused(host, bare, "--profile", "multi", "--simulate", code=3, says=says)
    host.check("kill", pid)
    await_true("the port being free", lambda: "8001" not in host.check("ss", "-ltn"), seconds=10)


def test_no_gpu_without_simulate_is_refused(host: roots.PlainRoot, bare: dict[str, str]) -> None:
    arguments = ("--profile", "multi", "--weights-dir", "/tmp")
    assert_refused(host, bare, *arguments, code=3, says=("--simulate",))


def test_root_has_no_weights_of_its_own_under_sudo(
    host: roots.PlainRoot,
    bare: dict[str, str],
) -> None:
    """Without SUDO_USER nobody's home is meant: --weights-dir is asked for."""
    ended = host.run("trtllm-install", "--profile", "multi")
    assert ended.returncode in {2, 3}, ended.stderr
    assert "--weights-dir" in ended.stderr
    assert_same(bare, manifest_of(host.tree))


@pytest.mark.parametrize("verb", ["check", "plan"])
def test_without_root_the_same_is_found_on_a_host_that_hides_nothing(
    host: roots.PlainRoot, bare: dict[str, str], verb: str
) -> None:
    words = ("trtllm-install", verb, "--profile", "multi", "--simulate", "--output", "json")
    seen = [json.loads(host.check(*caller, *words)) for caller in ((), NOBODY)]
    assert seen[0]["findings"] == seen[1]["findings"]
    assert seen[0]["changes"] == seen[1]["changes"]
    assert_same(bare, manifest_of(host.tree))


def test_without_root_what_is_hidden_is_unknown_and_not_missing(host: roots.PlainRoot) -> None:
    words = ("trtllm-install", "check", "--profile", "qwen", "--output", "json")
    ended = host.run(*NOBODY, *words, "--weights-dir", "/root/model_weights")
    found = {(f["code"], f["subject"]) for f in json.loads(ended.stdout)["findings"]}
    assert ("needs-root-to-see", "weights of qwen") in found
    assert not {code for code, _ in found if code.startswith("weights-")}


def test_without_root_nothing_is_installed(host: roots.PlainRoot, bare: dict[str, str]) -> None:
    ended = host.run(*NOBODY, "trtllm-install", "--profile", "multi", "--simulate")
    assert ended.returncode == 8, ended.stderr
    assert "sudo" in ended.stderr
    assert_same(bare, manifest_of(host.tree))


def test_json_is_one_document_also_on_failure(host: roots.PlainRoot, bare: dict[str, str]) -> None:
    ended = host.run("trtllm-install", "--profile", "mutli", "--simulate", "--output", "json")
    document = json.loads(ended.stdout)
    assert ended.returncode == document["exit_code"] == 2
    assert document["ok"] is False
    assert document["error"]["hint"]
    assert_same(bare, manifest_of(host.tree))
