"""Finds templates and configs, in a wheel and in a checkout."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def root() -> Path:
    """Return the folder that holds ``templates/`` and ``configs/``.

    A wheel carries them in ``_data`` beside the package; an editable install
    and a plain checkout have them at the top of the repository.
    """
    shipped = _PACKAGE / "_data"
    return shipped if shipped.is_dir() else _PACKAGE.parents[1]


def read_text(relative: str) -> str:
    """Return a shipped text file, for example ``configs/profiles/multi.yaml``.

    Raises FileNotFoundError when no such file is shipped.
    """
    return (root() / relative).read_text(encoding="utf-8")


def names(folder: str, suffix: str) -> tuple[str, ...]:
    """Return the sorted file names in a shipped folder that end in ``suffix``."""
    return tuple(sorted(p.name for p in (root() / folder).iterdir() if p.name.endswith(suffix)))
