"""The modules for keys and certificates: nothing secret but on the tool's standard input."""

import json

from fakes.command_line import PEM, answer_openssl
from fakes.controlled import Controlled

SECRET = "hunter2-and-many-more-of-its-kind"


def test_keys_are_predicted_and_set_by_name_and_the_secret_goes_to_standard_input_alone(
    controlled: Controlled,
) -> None:
    controlled.line.installed()
    controlled.line.stdin = f"alice {SECRET}\n"
    wanted = {"keys": {"alice": f"{SECRET}\n"}, "exclusive": True, "prefix": "al"}
    controlled.answers("keys", "set", "--plan", "--exclusive", "al", verb="keys set")
    predicted = controlled.run("trtllm_keys", wanted, check=True)
    assert (predicted["changed"], predicted["client_names"]) == (True, ["alice"])
    assert [d["prepared"] for d in predicted["diff"]] == [
        "replace key alice (another key)\n",
        "reload service proxy (other keys)\n",
    ]
    controlled.answers("keys", "set", "--exclusive", "al", verb="keys set")
    done = controlled.run("trtllm_keys", wanted)
    assert (done["changes"], done["diff"]) == (predicted["changes"], predicted["diff"])
    assert controlled.asked == [
        "keys set --exclusive al --plan --output json",
        "keys set --exclusive al --output json",
    ]
    assert (controlled.folder / "given").read_text(encoding="utf-8") == f"alice {SECRET}\n"
    assert SECRET not in json.dumps([predicted, done])
    controlled.answers("keys", "set", verb="keys set")
    assert not controlled.run("trtllm_keys", {"keys": {"alice": SECRET}})["changed"]


def test_a_certificate_is_predicted_and_put_and_its_key_goes_to_standard_input_alone(
    controlled: Controlled,
) -> None:
    controlled.line.installed()
    certificate = PEM[: PEM.index("-----BEGIN PRIVATE")]
    key = PEM.removeprefix(certificate)
    wanted = {"certificate": certificate, "key": key}
    paths = "--certificate /etc/trtllm/tls/fullchain.pem --key /etc/trtllm/tls/privkey.pem"
    controlled.answers("tls", "set", "--plan", verb="tls set")
    predicted = controlled.run("trtllm_tls", wanted, check=True)
    controlled.answers("tls", "set", verb="tls set")
    done = controlled.run("trtllm_tls", wanted)
    assert (predicted["changed"], done["changed"]) == (True, True)
    assert (done["changes"], done["diff"]) == (predicted["changes"], predicted["diff"])
    assert [d["prepared"] for d in done["diff"]][1:] == [
        "create file /etc/trtllm/tls/privkey.pem (new)\n",
        "create file /etc/trtllm/tls/fullchain.pem (new)\n",
    ]
    assert controlled.asked == [
        f"tls set {paths} --plan --output json",
        f"tls set {paths} --output json",
    ]
    assert (controlled.folder / "given").read_text(encoding="utf-8") == PEM
    assert key.strip() not in json.dumps([predicted, done]).replace("\\n", "\n")
    controlled.answers("tls", "set", verb="tls set")
    assert not controlled.run("trtllm_tls", wanted)["changed"]


def test_a_certificate_that_has_ended_fails_in_words(controlled: Controlled) -> None:
    controlled.line.installed()
    answer_openssl(controlled.line.host, ended=True)
    controlled.answers("tls", "set", verb="tls set")
    result = controlled.run("trtllm_tls", {"certificate": "x", "key": "y"})
    assert (result["failed"], result["exit_code"]) == (True, 3)
    assert "it has ended; expected a certificate that is valid for longer" in result["msg"]


def test_a_weak_key_is_refused_with_its_name(controlled: Controlled) -> None:
    controlled.line.installed()
    controlled.line.stdin = f"alice {SECRET}\nbob hunter2\n"
    controlled.answers("keys", "set", verb="keys set")
    result = controlled.run("trtllm_keys", {"keys": {"bob": "hunter2", "alice": SECRET}})
    assert result["failed"]
    assert "cannot take the key of bob: not a name of" in result["msg"]
    assert result["hint"] == "make one with openssl rand -hex 32"
    assert "hunter2" not in json.dumps(result)


def test_a_key_with_a_line_break_is_refused_before_the_tool_sees_it(
    controlled: Controlled,
) -> None:
    result = controlled.run("trtllm_keys", {"keys": {"alice": f"{SECRET}\nmallory {SECRET}x"}})
    assert result["msg"] == "cannot take the key of alice: there is a line break in it"
    assert SECRET not in json.dumps(result)
    assert controlled.asked == []
