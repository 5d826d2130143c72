"""The commands of a build: never silent, and told in our grammar when they fail."""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from trtllm_install.host.protocol import Host
from trtllm_install.model.engine import Recipe
from trtllm_install.model.errors import ApplyFailed, HostError

# pip resolves for minutes without a word; a download that is slow still moves the disk.
_SILENCE_S: Final = 900.0
_KEPT_LINES: Final = 200
_SHOWN_LINES: Final = 12

# What an operator tells pip and its transport by the environment.
_PASSED: Final = (
    *("HOME", "NETRC", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"),
    *("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"),
    *("PIP_CONFIG_FILE", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS"),
    *("PIP_NO_INDEX", "PIP_CERT", "PIP_CLIENT_CERT", "PIP_TRUSTED_HOST", "PIP_PROXY"),
    *("PIP_DEFAULT_TIMEOUT", "PIP_RETRIES"),
)


class Progress(Protocol):
    """Hears how a build goes."""

    def step(self, title: str) -> None:
        """Begin a step: "torch==2.9.1+cu130"."""

    def moved(self, word: str, written: int) -> None:
        """Say, about once a second, what is done now and how many bytes the build has written."""


def passed_environment(host: Host, *, network: bool = True) -> dict[str, str]:
    """Return the variables that pip shall see as the operator set them.

    Without ``network`` pip shall look nowhere but where it is told.
    """
    if not network:
        return {"PIP_CONFIG_FILE": "/dev/null"}
    return {name: value for name in _PASSED if (value := host.environment(name))}


@dataclass(slots=True, kw_only=True)
class Steps:
    """Runs commands that write below ``folder`` and tells how much."""

    host: Host
    recipe: Recipe
    folder: str
    progress: Progress
    environment: Mapping[str, str]
    _free: int = -1  # when the first step began

    def run(self, title: str, argv: Sequence[str]) -> None:
        """Run one command; raises ApplyFailed with the cause and the last lines of its talk."""
        self.progress.step(title)
        talk: deque[str] = deque(maxlen=_KEPT_LINES)
        seen = self.host.free_bytes(self.folder)
        self._free = seen if self._free < 0 else self._free

        def heard(line: str) -> None:
            if line.strip():
                talk.append(line.rstrip())

        def tick() -> bool:
            nonlocal seen
            before, seen = seen, self.host.free_bytes(self.folder)
            word = talk[-1].strip() if talk else "begins"
            self.progress.moved(word, max(0, self._free - seen))
            return seen != before

        try:
            code = self.host.follow(
                argv, heard=heard, tick=tick, silence=_SILENCE_S, environment=self.environment
            )
        except HostError as error:
            raise self._failed(title, error.message, error.hint) from error
        if code != 0:
            cause, hint = _explain(self.recipe, list(talk)) or (f"exit {code}", _MEND)
            shown = [f"  | {line}" for line in list(talk)[-_SHOWN_LINES:]]
            raise self._failed(title, "\n".join([cause, *shown]), hint)

    def _failed(self, title: str, cause: str, hint: str) -> ApplyFailed:
        return ApplyFailed(f"cannot build {self.recipe.version}: {title}: {cause}", hint=hint)


_MEND: Final = "mend what the lines above name, then run the same command again"


def _explain(recipe: Recipe, talk: Sequence[str]) -> tuple[str, str] | None:
    """Find in the talk of pip or venv what went wrong: cause and hint; None where it is silent."""
    whole = "\n".join(talk)
    if "No space left on device" in whole:
        return "no space left on device", f"free some space (df -h), {_AGAIN}"
    if "DO NOT MATCH THE HASHES" in whole:
        return "a wheel is not the one that its lock names", "fetch the wheels and the lock again"
    if "No matching distribution found for torch" in whole:
        hint = f"name PyTorch's package index for {recipe.cuda}: --index URL"
        return f"pip finds no {recipe.torch_pin} in its package indexes", hint
    errors = [line for line in talk if line.startswith("ERROR:")]
    return (errors[-1].removeprefix("ERROR:").strip(), _MEND) if errors else None


_AGAIN: Final = "then run the same command again"
