# Copyright: the trtllm-install authors
# SPDX-License-Identifier: Apache-2.0
"""Runs one verb of trtllm-install and translates its JSON document, nothing more.

What is right on a host is decided there, by the tool: no module here compares,
renders or waits by itself.
"""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ansible.module_utils.basic import AnsibleModule

API_VERSION = "trtllm.install/v1"
# The oldest tool whose documents have what is read here.
NEEDED = "0.1.0"
DEFAULT_EXECUTABLE = "/usr/local/bin/trtllm-install"

# What a module leaves alone when the tool says it with an exit code of its own.
DONE, PREFLIGHT_FAILED, GATE_FAILED, CHANGES_PENDING = 0, 3, 6, 10

TOOL_SPEC = {"executable": {"type": "path", "default": DEFAULT_EXECUTABLE}}

WISHES_SPEC = {
    "profile": {"type": "str"},
    "site": {"type": "path"},
    "root": {"type": "path"},
    "weights_dir": {"type": "path"},
    "engine": {"type": "str"},
    "engine_path": {"type": "path"},
    "init": {"type": "str", "choices": ["auto", "systemd", "supervisord"], "default": "auto"},
    "simulate": {"type": "bool", "default": False},
    "accept": {"type": "list", "elements": "str", "default": []},
}
WISHES_EXCLUSIVE = [("engine", "engine_path")]


def wish_words(params: dict) -> list:
    """Return the options that say what is wanted of a host."""
    words = []
    for name in ("profile", "root", "site", "weights_dir", "engine", "engine_path"):
        if params[name] is not None:
            words += ["--" + name.replace("_", "-"), params[name]]
    words += ["--init", params["init"]]
    if params["simulate"]:
        words.append("--simulate")
    for code in params["accept"]:
        words += ["--accept", code]
    return words


def root_words(params: dict) -> list:
    """Return the option that names the tree of an image, where one is meant."""
    return ["--root", params["root"]] if params["root"] is not None else []


def version_key(text: str) -> tuple:
    """Return a version as numbers that compare: the first three of "1.2.3rc1" and its like."""
    numbers = [int(number) for number in re.findall(r"\d+", text)[:3]]
    return tuple(numbers + [0] * (3 - len(numbers)))


class Tool:
    """The trtllm-install of this host, old enough to be understood or refused."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.executable = module.params["executable"]

    def version(self) -> str | None:
        """Return the version of the tool, None where there is no tool."""
        if not os.access(self.executable, os.X_OK):
            return None
        code, out, err = self.module.run_command([self.executable, "--version"])
        words = out.split()
        if code != 0 or len(words) != 2:  # noqa: PLR2004 (name and version)
            said = (err or out).strip()[-500:]
            self.module.fail_json(
                msg=f"cannot use {self.executable}: it does not say its version: {said}",
                hint="put the tool on this host again: the role trtllm.host.host does",
            )
        return words[1]

    def demand(self) -> str:
        """Go on only with a tool that this collection understands; return its version."""
        version = self.version()
        if version is None:
            self.module.fail_json(
                msg=f"cannot find trtllm-install on this host: no program {self.executable}",
                hint="put it there first: the role trtllm.host.host does, or scripts/bootstrap.sh",
            )
        if version_key(version) < version_key(NEEDED):
            self.module.fail_json(
                msg=f"cannot use trtllm-install {version}: this collection needs {NEEDED} or newer",
                hint=f"give the role trtllm.host.host a tool of {NEEDED} or newer; "
                f"or use the collection that was released with {version}",
                tool_version=version,
                needed=NEEDED,
            )
        return version

    def ask(self, verb: str, *words: str, given: str | None = None) -> dict:
        """Run a verb and return its document, whatever its exit code says.

        What is secret is ``given`` on its standard input: others can read a command line.
        """
        argv = [self.executable, *verb.split(), *list(words), "--output", "json"]
        code, out, err = self.module.run_command(argv, data=given, binary_data=True)
        try:
            document = json.loads(out)
            known = document["apiVersion"] == API_VERSION
        except (ValueError, KeyError, TypeError):
            self.module.fail_json(
                msg="cannot read the answer of {}: exit code {}, no JSON document".format(
                    " ".join(argv[:3]), code
                ),
                hint="run it on the host by hand",
                stdout=out[-2000:],
                stderr=err[-2000:],
            )
        if not known:
            self.module.fail_json(
                msg="cannot read the answer of trtllm-install {}: its format is {}, not {}".format(
                    document.get("tool_version"), document["apiVersion"], API_VERSION
                ),
                hint="update the collection trtllm.host",
            )
        return document

    def answer(self, document: dict, mended: Iterable[str] = (), **more: object) -> None:
        """End the module with what the document says, but for what is ``mended`` by then."""
        self.warn(document, mended)
        result = translate(document)
        if not self.module._diff:  # noqa: SLF001 (its documented name)
            del result["diff"]  # the text of every file: a controller keeps results for each host
        result.update(more)
        if document["ok"]:
            self.module.exit_json(**result)
        error = document["error"] or {"code": "", "message": "see findings", "hint": ""}
        self.module.fail_json(
            msg=failure_message(document),
            hint=error["hint"],
            error=error,
            log_file=document["log_file"],
            **result,
        )

    def warn(self, document: dict, mended: Iterable[str] = ()) -> None:
        """Tell what the operator should know although the run goes on."""
        for finding in document["findings"]:
            if finding["code"] in mended:
                continue
            if finding["severity"] == "warning" and not finding["muted_by"]:
                self.module.warn("{} [{}]".format(finding["message"], finding["code"]))
        for change in document["changes"]:
            if change["action"] == "keep":
                self.module.warn("kept {}: {}".format(change["path"], change["reason"]))


def translate(document: dict) -> dict:
    """Return what Ansible calls the same things."""
    return {
        "changed": document["changed"] or bool(document["dry_run"] and pending(document)),
        "exit_code": document["exit_code"],
        "profile": document["profile"],
        "tool_version": document["tool_version"],
        "findings": document["findings"],
        "changes": [
            {key: change[key] for key in change if key != "diff"} for change in document["changes"]
        ],
        "kept": [c["path"] for c in document["changes"] if c["action"] == "keep"],
        "instances": document["instances"],
        "diff": diffs(document),
    }


def pending(document: dict) -> list:
    """Return the changes of a plan that would alter the host."""
    return [change for change in document["changes"] if change["action"] != "keep"]


def diffs(document: dict) -> list:
    """Return the changes the way ``--diff`` shows them, kept edits left out."""
    shown = []
    for change in pending(document):
        head = "{} {} {} ({})\n".format(
            change["action"],
            change["kind"],
            change["path"],
            change["reason"],
        )
        shown.append({"prepared": head + change.get("diff", "")})
    return shown


def blocking(document: dict) -> list:
    """Return the findings because of which an install would refuse."""
    return [f for f in document["findings"] if f["severity"] == "error" and not f["muted_by"]]


def failure_message(document: dict) -> str:
    """Return one text that needs no question back: the error, and each reason with its remedy."""
    error = document["error"]
    lines = [error["message"]] if error else []
    for finding in blocking(document):
        line = "{} [{}]".format(finding["message"], finding["code"])
        if line not in lines:
            lines.append(line + ("; fix: " + finding["remedy"] if finding["remedy"] else ""))
    if error and error["hint"]:
        lines.append("hint: " + error["hint"])
    return "\n".join(lines)
