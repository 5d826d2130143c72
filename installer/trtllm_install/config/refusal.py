"""Every problem of the files that were read, as one error; loads no library."""

from trtllm_install.model.errors import ConfigError
from trtllm_install.model.problems import Problem


def refused(problems: list[Problem] | tuple[Problem, ...]) -> ConfigError:
    """Return the error that shows ``problems``, in the order of their lines."""
    ordered = sorted(set(problems))
    sources = sorted({p.source for p in ordered})
    lines = "\n".join(f"  {p}" for p in ordered)
    count = f"{len(ordered)} problem{'s' if len(ordered) > 1 else ''}"
    return ConfigError(
        f"cannot use {', '.join(sources)}: {count}\n{lines}",
        hint=f"edit {' and '.join(sources)}, then run the same command again",
    )
