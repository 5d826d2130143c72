"""Judges an engine that is to be added: what it is built with, and what it says of itself."""

from collections.abc import Iterator

from trtllm_install.model import layout
from trtllm_install.model.contract import Contract
from trtllm_install.model.engine import Recipe
from trtllm_install.model.findings import Finding, found

_GIB = 2**30
_ABSENT = "is not in the engine"
_UV = "/opt/uv"  # brings Pythons that the distribution lacks


def check_known(version: str, known: tuple[str, ...]) -> Iterator[Finding]:
    """Find a version that we have no contract of."""
    if version not in known:
        yield found(
            "engine-version-unknown",
            version,
            what="there is no contract of it",
            expected=" or ".join(known),
            remedy=f"sudo trtllm-install engine add {known[-1]}",
        )


def check_interpreter(recipe: Recipe, version: str, path: str) -> Iterator[Finding]:
    """Find a Python that no wheel of the engine is made for."""
    if version not in recipe.pythons:
        yield found(
            "engine-python-untried",
            recipe.version,
            what=f"{path} is Python {version}",
            expected=" or ".join(recipe.pythons),
            remedy="name another with --python",
        )


def python_commands(os_release: str, version: str) -> str:
    """Return the command that brings a Python, for the distribution of /etc/os-release."""
    brought_along = {"noble": "3.12", "jammy": "3.10"}
    fields = dict(line.partition("=")[::2] for line in os_release.splitlines())
    if brought_along.get(fields.get("VERSION_CODENAME", "").strip('"')) == version:
        return f"sudo apt-get install python{version}-venv"
    # Debian's pip installs into a venv only. Each step has its sudo: an image's is run inside it.
    return (
        f"sudo python3 -m venv {_UV} && sudo {_UV}/bin/pip install uv && "
        f"sudo {_UV}/bin/uv python install --no-bin --install-dir {layout.PYTHONS} {version}"
        "  # or name one that is here: --python FILE"
    )


def check_space(recipe: Recipe, folder: str, *, free: int, needed: int) -> Iterator[Finding]:
    """Find a file system that will be full before the engine is built."""
    if free < needed:
        yield found(
            "engine-disk-too-small",
            recipe.version,
            what=f"{free / _GIB:.1f} GiB are free at {folder}",
            expected=f"{needed / _GIB:.1f} GiB",
            remedy=f"df -h {folder}",
        )


def check_answers(
    contract: Contract,
    recipe: Recipe,
    *,
    version: str,
    help_text: str,
    failure: str,
    torch: str,
    simulated: bool,
) -> tuple[tuple[Finding, ...], tuple[str, ...]]:
    """Return findings about an engine that is built, and notes that stop nothing.

    ``version`` is what the engine is to be called, ``torch`` the version of the torch that
    is there, empty where it could not be asked.
    """
    findings: list[Finding] = []
    if torch and not torch.endswith(f"+{recipe.cuda}"):
        findings.append(
            found(
                "engine-torch-differs",
                version,
                what=f"torch {torch}",
                expected=recipe.torch_pin.partition("==")[2],
                remedy=f"remove it, and name PyTorch's index for {recipe.cuda} with --index",
            )
        )
    if not help_text:
        remedy = (
            "read the lines above, which say why; on a host without a GPU: --accept engine-silent"
        )
        findings.append(found("engine-silent", version, what=failure, remedy=remedy))
        return tuple(findings), ()
    differences = contract.differences_from_help(help_text)
    missing = [line for line in differences if line.endswith(_ABSENT)]
    if missing:
        findings.append(
            found(
                "engine-options-differ",
                version,
                what="; ".join(missing),
                expected=f"every option of {contract.version}",
                remedy="use the version that this tool knows, or a tool that knows this one",
            )
        )
    notes = [line for line in differences if line not in missing]
    return tuple(findings), (*(("simulated",) if simulated else ()), *notes)
