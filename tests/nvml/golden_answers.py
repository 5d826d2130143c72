"""What ``check`` answers on each described host: GPUs and system, as kept in golden/.

Run by scripts/golden-update.sh to write them anew.
"""

import io
import json
import sys
import tempfile
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

from nvml.compiled import HERE, build
from nvml.described import NAMES, WEIGHTS, DescribedHost, description
from trtllm_install.cli import main as cli
from trtllm_install.cli.verbs import check
from trtllm_install.model.catalogue import AREA_OF

GOLDEN = HERE / "golden"
_AREAS = {"gpu", "reading", "system", "advisories", "programs"}
_READ_ELSEWHERE = ("weights", "port", "the engine", "the supervisor", "the proxy")
# The programs that a described host does not have, on purpose.
_ABSENT = ("engine-", "supervisor-", "proxy-", "account-")


def answer_of(folder: Path, libraries: Path, name: str) -> dict[str, Any]:
    """Run ``check --output json`` on a described host; return what it says of the GPUs."""
    host = DescribedHost(folder, libraries, description(name))
    out, before = io.StringIO(), check.HOST
    argv = ["check", "--profile", "multi", "--init", "supervisord", "--output", "json"]
    try:
        check.HOST = host  # type: ignore[attr-defined]  # the one seam: the verb's own host
        with redirect_stdout(out), redirect_stderr(io.StringIO()):
            cli.main([*argv, "--weights-dir", WEIGHTS])
    finally:
        check.HOST = before  # type: ignore[attr-defined]
    return about_gpus(json.loads(out.getvalue()))


def about_gpus(document: dict[str, Any]) -> dict[str, Any]:
    """Return the findings about GPUs; the rest of the host is other tests' affair."""
    assert document["error"] is None, document["error"]
    mine = [
        f
        for f in document["findings"]
        if AREA_OF[f["code"]] in _AREAS
        and not (AREA_OF[f["code"]] == "reading" and f["subject"].startswith(_READ_ELSEWHERE))
        and (not f["code"].startswith(_ABSENT) or f["code"] == "engine-disk-too-small")
    ]
    keep = ("code", "severity", "subject", "message", "remedy", "change", "muted_by")
    return {
        "stops": any(f["severity"] == "error" and f["muted_by"] is None for f in mine),
        "findings": [{key: f[key] for key in keep if key != "change" or f[key]} for f in mine],
    }


def text_of(answer: dict[str, Any]) -> str:
    """Return an answer as it is kept."""
    return json.dumps(answer, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        made = build(root / "libraries", "nvml.c")
        for stale in GOLDEN.glob("*.json"):
            stale.unlink()
        for host_name in sys.argv[1:] or NAMES:
            (root / host_name).mkdir()
            text = text_of(answer_of(root / host_name, made, host_name))
            (GOLDEN / f"{host_name}.json").write_text(text, encoding="utf-8")
