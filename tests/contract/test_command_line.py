"""One document or one text, one exit code, whatever happens."""

import errno
import io
import json
import re
import shlex
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes.command_line import INSTALL, JSON_VERBS, CommandLine, words_for
from fakes.compose_file import THREE_PROFILES
from fakes.fake_systemd import Fate
from trtllm_install import __version__, resources
from trtllm_install.cli.arguments import module_of
from trtllm_install.cli.main import main


@pytest.fixture(autouse=True)
def _signals_are_given_back() -> Iterator[None]:
    """A program that has answered hears no signal any more, and here it is not the process."""
    before = {n: signal.getsignal(n) for n in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    return CommandLine(monkeypatch, capsys)


# exit codes ------------------------------------------------------------------
def test_done_is_0_and_the_endpoint_is_shown(line: CommandLine) -> None:
    ran = line.run(*INSTALL)
    assert ran.code == 0
    first, *rest = ran.out.splitlines()
    assert re.fullmatch(
        r"done: [1-9]\d+ changes; profile multi serves on http://127.0.0.1:8000 "
        r"\(simulated engine\)",
        first,
    )
    assert "  curl http://127.0.0.1:8000/v1/models" in rest
    assert "nvidia/Qwen3-30B-A3B-FP4 answered with 3 tokens" in ran.err


def test_the_second_run_says_0_changes(line: CommandLine) -> None:
    ran = line.installed().run(*INSTALL)
    assert (ran.code, ran.out.split(";")[0]) == (0, "done: 0 changes")


def test_install_needs_no_verb(line: CommandLine) -> None:
    assert line.run(*INSTALL[1:]).code == 0


@pytest.mark.parametrize("argv", [["instal"], ["--profile"], ["install", "--frobnicate"]])
def test_a_mistyped_command_line_is_2(line: CommandLine, argv: list[str]) -> None:
    ran = line.run(*argv)
    assert (ran.code, ran.out) == (2, "")
    message, blank, hint = ran.err.splitlines()
    assert message.startswith("error: cannot read the command line: ")
    assert blank == ""
    assert hint.startswith("hint: trtllm-install")
    assert hint.endswith(" --help")


@pytest.mark.parametrize("switch", [["--output", "json"], ["--output=json"]])
def test_a_mistyped_command_line_is_a_document_where_one_was_asked_for(
    line: CommandLine, switch: list[str]
) -> None:
    ran = line.run("instal", *switch)
    assert (ran.code, ran.document["kind"], ran.document["exit_code"]) == (2, "usage", 2)


@pytest.mark.parametrize(
    ("prepared", "argv", "code"),
    [
        ("unknown profile", ["--profile", "mutli"], 2),
        ("no proxy", INSTALL, 3),
        ("disk full", INSTALL, 4),
        ("failing model", INSTALL, 6),
        ("held lock", INSTALL, 7),
        ("not root", INSTALL, 8),
        ("edited", [*INSTALL, "--on-conflict", "fail"], 9),
        ("plan", ["plan", *INSTALL[1:], "--detailed-exitcode"], 10),
        ("interrupt", INSTALL, 130),
    ],
)
def test_each_ending_has_its_published_code(
    line: CommandLine, prepared: str, argv: list[str], code: int
) -> None:
    prepare(line, prepared)
    assert line.run(*argv).code == code


def prepare(line: CommandLine, what: str) -> None:
    if what == "edited":
        line.installed()
    host = line.host

    def interrupt() -> None:
        raise KeyboardInterrupt

    match what:
        case "no proxy":
            del host.nodes["/usr/sbin/nginx"]
        case "disk full":
            host.fail_at_change = 50
        case "failing model":
            line.systemd.fates["qwen"] = Fate(state="failed", code=66, reason="no weights")
        case "held lock":
            host.hold_lock("/run/trtllm-install.lock", "pid 7")
        case "not root":
            host.root = False
        case "edited":
            edited = resources.read_text("configs/engine/qwen_multi.yaml") + "# mine\n"
            host.add_file("/etc/trtllm/engine/qwen_multi.yaml", edited)
        case "interrupt":
            host.later(1, interrupt)


# errors ----------------------------------------------------------------------
@pytest.mark.parametrize(
    "said", ["restart qwen", "rollback --list", "rollback", "--profile 'my own' --simulate"]
)
def test_who_is_not_root_is_given_the_very_command(line: CommandLine, said: str) -> None:
    """Without its words, `restart qwen` would restart everything, and a list roll back."""
    line.installed().host.root = False
    ran = line.run(*shlex.split(said))
    assert (ran.code, ran.err.splitlines()[-1]) == (8, f"hint: sudo trtllm-install {said}")


@pytest.mark.parametrize("verb", ["start", "restart"])
def test_who_interrupts_the_wait_for_an_order_is_not_told_to_give_it_again(
    line: CommandLine, verb: str
) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    line.installed().run("stop", "qwen")
    line.host.later(1, interrupt)
    ran = line.run(verb, "qwen")
    assert ran.code == 130
    assert f"interrupted: the {verb} was ordered and goes on by itself" in ran.err
    assert "hint: trtllm-install wait" in ran.err


def test_a_table_is_redrawn_on_a_terminal_only(line: CommandLine) -> None:
    ran = line.installed().run("status", "--watch")
    assert (ran.code, "is no terminal" in ran.err) == (2, True)


def test_a_journal_that_shows_nothing_is_no_empty_log(line: CommandLine) -> None:
    line.installed().host.answer_command(["journalctl"], "")
    assert line.run("logs", "qwen").code == 0
    line.host.root = False
    ran = line.run("logs", "qwen")
    assert (ran.code, ran.err.splitlines()[-1]) == (8, "hint: sudo trtllm-install logs qwen")


def test_an_error_is_a_line_a_blank_line_and_a_hint_on_stderr(line: CommandLine) -> None:
    ran = line.run("--profile", "mutli")
    assert ran.out == ""
    assert ran.err.splitlines() == [
        "==> check the host",
        "error: cannot find profile mutli: did you mean multi?",
        "",
        "hint: trtllm-install --profile multi",
    ]


def test_details_stand_between_the_error_and_the_hint(line: CommandLine) -> None:
    del line.host.nodes["/usr/sbin/nginx"]
    err = line.run(*INSTALL, "--no-packages").err
    assert "\nerror: cannot install profile multi here: 1 reason; nothing was changed\n" in err
    assert err.index("nothing was changed") < err.index("apt-get install nginx") < err.index("hint")


@pytest.mark.parametrize("verb", JSON_VERBS)
def test_a_bug_still_owes_one_document(
    line: CommandLine, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    class Broken:
        def __getattr__(self, name: str) -> object:
            raise ZeroDivisionError(name)

    told_by = {
        "stop": "start",
        "restart": "start",
        "undrain": "drain",
        "bundle unpack": "bundle verify",
    }
    module = module_of(told_by.get(verb, verb))
    monkeypatch.setattr(f"{module}.HOST", Broken())
    ran = line.run(*words_for(verb), "--output", "json")
    assert ran.code == 1
    assert ran.document["error"]["code"] == "InternalError"
    assert "Traceback" in ran.err
    assert "error: this is a bug" in ran.err


class Refusing(io.StringIO):
    """A stdout that takes nothing."""

    def __init__(self, error: OSError) -> None:
        super().__init__()
        self.error = error

    def write(self, _: str) -> int:
        raise self.error


@pytest.mark.parametrize("output", ["text", "json", "jsonl"])
def test_a_reader_that_is_gone_changes_nothing(
    line: CommandLine, monkeypatch: pytest.MonkeyPatch, output: str
) -> None:
    """`install | head -1` must still install, and end as it would have."""
    monkeypatch.setattr("sys.stdout", Refusing(BrokenPipeError()))
    ran = line.run(*INSTALL, "--output", output)
    assert (ran.code, "Traceback" in ran.err) == (0, False)
    assert line.systemd.pids.keys() >= {"qwen", "nemotron", "proxy"}
    assert line.run("plan", "--profile", "mutli").code == 2


def test_an_answer_that_cannot_be_written_is_a_failure(
    line: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = OSError(errno.ENOSPC, "No space left on device")
    monkeypatch.setattr("sys.stdout", Refusing(full))
    ran = line.run("plan", *INSTALL[1:])
    assert (ran.code, ran.err.splitlines()[0]) == (
        1,
        "error: cannot write the answer: no space left on device",
    )
    assert line.run("plan", "--profile", "mutli").code == 2


def test_what_a_library_prints_is_no_part_of_the_document(
    line: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def chatty(*_: object) -> list[str]:
        sys.stdout.write("a library greets you\n")
        return []

    monkeypatch.setattr("trtllm_install.cli.verbs.plan.plan_lines", chatty)
    ran = line.run("plan", *INSTALL[1:], "--output", "json")
    assert (ran.document["kind"], ran.err) == ("plan", "a library greets you\n")


def test_a_module_that_cannot_be_loaded_still_owes_a_document(
    line: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "trtllm_install.cli.verbs.status", None)
    ran = line.run("status", "--output", "json")
    assert (ran.code, ran.document["error"]["code"]) == (1, "InternalError")


def test_the_profile_is_named_wherever_it_came_from(line: CommandLine) -> None:
    """Asked for, in the site file, or installed already; and in a failure as well."""
    line.host.add_file("/etc/trtllm/site.yaml", "profile: multi\n")
    document = line.run("plan", "--simulate", "--output", "json").document
    assert (document["profile"], document["dry_run"]) == ("multi", True)
    del line.host.nodes["/usr/sbin/nginx"]
    assert line.run("--simulate", "--output", "json").document["profile"] == "multi"
    line.installed()
    for verb in JSON_VERBS[JSON_VERBS.index("status") :]:
        if not verb.startswith(("render", "engine", "bundle", "from-", "doctor")):
            assert line.run(*words_for(verb), "--output", "json").document["profile"] == "multi"


# the verbs -------------------------------------------------------------------
def test_json_is_all_there_is_on_stdout(line: CommandLine) -> None:
    """For every verb and every ending: tests/contract/test_output_schema.py."""
    ran = line.installed().run("status", "--output", "json")
    document, end = json.JSONDecoder().raw_decode(ran.out)
    assert ran.out[end:] == "\n"
    assert (document["kind"], document["ok"], ran.code) == ("status", True, 0)


def test_the_version_is_shown(line: CommandLine) -> None:
    assert line.run("--version").out == f"trtllm-install {__version__}\n"


def test_check_changes_nothing_and_says_whether_it_can_run(line: CommandLine) -> None:
    ran = line.run("check", *INSTALL[1:])
    assert (ran.code, ran.out.splitlines()[-1]) == (0, "profile multi can run here")
    del line.host.nodes["/usr/sbin/nginx"]
    ran = line.run("check", *INSTALL[1:])
    assert (ran.code, ran.out.splitlines()[-1]) == (3, "profile multi cannot run: 1 error")
    assert line.host.changes == []


def test_plan_shows_what_install_does_and_does_nothing(line: CommandLine) -> None:
    ran = line.run("plan", *INSTALL[1:])
    assert "+ file /etc/trtllm/instances/qwen.json 0644 root (new)" in ran.out
    assert "! start qwen (not running)" in ran.out
    assert line.host.changes == []
    assert line.installed().run("plan", *INSTALL[1:]).out.strip() == "nothing to change"


def test_status_is_6_when_something_does_not_serve(line: CommandLine) -> None:
    line.installed()
    ran = line.run("status")
    assert ran.code == 0
    assert "profile multi under systemd, simulated engine, generation 1" in ran.out
    assert "curl" in ran.out
    line.systemd.end("qwen")
    ran = line.run("status")
    assert ran.code == 6
    assert "qwen      absent" in ran.out
    assert "curl" not in ran.out


def test_after_the_last_key_every_place_where_one_looks_says_that_nobody_is_let_in(
    line: CommandLine,
) -> None:
    line.installed()
    assert json.loads(line.run("status", "--output", "json").out)["lets_nobody_in"] is False
    line.run("keys", "add", "alice")
    line.run("keys", "add", "bob")
    assert "nobody" not in line.run("keys", "remove", "bob").err + line.run("status").out
    said = "the proxy lets nobody in: sudo trtllm-install keys add NAME\n"
    assert said in line.run("keys", "remove", "alice").err
    assert said in line.run("keys", "list").out
    assert said in line.run("status").out
    assert json.loads(line.run("status", "--output", "json").out)["lets_nobody_in"] is True
    checked = line.run("check", "--simulate", "--only", "network").out
    assert "[nobody-let-in]" in checked
    assert "fix: sudo trtllm-install keys add NAME" in checked
    line.run("keys", "add", "carol")
    assert "nobody" not in line.run("status").out


def test_stop_start_restart_and_wait(line: CommandLine) -> None:
    line.installed()
    assert line.run("stop").out == "stopped: qwen, nemotron, proxy\n"
    assert line.run("start", "qwen", "--no-wait").out == "ordered: start qwen\n"
    assert line.run("wait", "qwen").out == "healthy: qwen\n"
    assert line.run("start").out == "healthy: qwen, nemotron, proxy\n"
    assert line.run("restart", "nemotron").out == "healthy: nemotron\n"
    assert line.run("restart", "nemotorn").code == 2


def test_logs_show_the_last_lines_and_how_to_follow(line: CommandLine) -> None:
    assert line.installed().run("logs", "qwen").out.splitlines() == [
        "qwen said: loading",
        "qwen said: the last line",
        "follow it: sudo trtllm-install logs qwen -f",
    ]


def test_render_writes_below_a_folder_without_root(line: CommandLine, tmp_path: Path) -> None:
    line.host.root = False
    line.host.add_directory(str(tmp_path))
    ran = line.run("render", str(tmp_path), *INSTALL[1:])
    assert ran.code == 0
    assert (tmp_path / "etc/systemd/system/trtllm.target").is_file()
    assert (tmp_path / "opt/trtllm/engines/current").is_symlink()
    assert line.host.changes == []
    assert line.run("render", "/", *INSTALL[1:]).code == 2


def test_uninstall_purges_only_with_a_yes(
    line: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    line.installed()
    assert line.run("uninstall", "--purge").code == 2
    assert line.run("status").code == 0
    assert line.run("uninstall", "--purge", "--yes").code == 0
    assert line.run("uninstall").out == "nothing is installed\n"
    assert line.run("status").code == 2


def test_gpu_ready_looks_for_no_gpu_where_none_is_needed(line: CommandLine) -> None:
    ran = line.run("gpu-ready", "--simulate")
    assert (ran.code, ran.out) == (0, "simulated: no GPU is looked for\n")
    assert line.host.ran == []


def test_main_reads_the_words_of_the_process_when_it_is_given_none(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["trtllm-install", "--version"])
    assert main() == 0
    assert __version__ in capsys.readouterr().out


def test_check_only_is_never_taken_for_a_pass_of_the_whole(line: CommandLine) -> None:
    del line.host.nodes["/usr/sbin/nginx"]
    ran = line.run("check", *INSTALL[1:], "--only", "port-taken")
    assert ran.code == 0
    assert "can run here" not in ran.out
    assert "checks were made" in ran.out.splitlines()[-1]
    document = line.run("check", *INSTALL[1:], "--only", "network", "--output", "json").document
    assert "proxy-binary-missing" in document["checks"]["left_out"]
    assert "port-taken" in document["checks"]["only"]
    assert document["findings"] == []
    assert line.run("check", *INSTALL[1:], "--only", "programs").code == 3
    refused = line.run("check", *INSTALL[1:], "--only", "port-takn", "--output", "json")
    assert refused.code == 2
    assert "near is port-taken" in refused.document["error"]["message"]


def test_check_only_reads_nothing_else(line: CommandLine) -> None:
    line.host.ran.clear()
    line.run("check", *INSTALL[1:], "--only", "weights,network")
    assert line.host.ran == []


def test_what_another_user_may_not_see_is_no_pass(line: CommandLine) -> None:
    line.host.root = False
    assert line.run("check", *INSTALL[1:]).code == 0
    line.host.forbid("/proc/meminfo")
    ran = line.run("check", *INSTALL[1:])
    assert ran.code == 8
    assert ran.out.splitlines()[-1] == (
        "profile multi may run here or not: the system can be seen by root only; "
        "run it again with sudo"
    )
    line.host.root = True
    assert line.run("check", *INSTALL[1:]).code == 3


def test_a_compose_file_ends_with_a_command_for_each_of_its_profiles(line: CommandLine) -> None:
    """Each can be pasted: a shell would make several words of ``{qwen,multi}``."""
    line.host.add_file("/srv/compose.yml", THREE_PROFILES.encode())
    for name in ("qwen", "qwen_multi", "nano_v3"):
        line.host.add_file(f"/srv/{name}.yaml", b"max_batch_size: 4\n")
    ran = line.run("from-compose", "/srv/compose.yml")
    assert ran.code == 0
    assert ran.out.splitlines()[-3:] == [
        f"  sudo trtllm-install --profile {name}" for name in ("qwen", "nemotron", "multi")
    ]
