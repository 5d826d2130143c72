"""Findings: what judge says about a host, with stable codes and the next step."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum

from trtllm_install.model.catalogue import CATALOGUE, Kind
from trtllm_install.model.errors import ConfigError


class Severity(str, Enum):
    """How much a finding matters. Errors stop ``install``; ``--accept`` makes them warnings."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing about the host. Found and expected are phrases, the remedy is a next step."""

    code: str
    severity: Severity
    title: str
    subject: str  # instance, GPU, port or program that it is about
    found: str
    expected: str
    remedy: str  # a command, or a sentence a person can act on; empty only below warning
    depends_on: tuple[str, ...] = ()
    muted_by: str | None = None  # code of the cause that makes this one not worth a line
    accepted: bool = False  # an error that the operator demoted
    advisory: str = ""  # id in configs/advisories.yaml, where the finding comes from there
    sources: tuple[str, ...] = ()  # addresses where others tell of the same
    change: str = ""  # lines for the site file that help

    @property
    def message(self) -> str:
        """Return the one line of the house grammar: ``cannot <verb> <thing>: <cause>``."""
        sentence = f"{CATALOGUE[self.code].sentence.format(self.subject)}: {self.found}"
        return f"{sentence}; expected {self.expected}" if self.expected else sentence


def found(code: str, subject: str, *, what: str, expected: str = "", remedy: str = "") -> Finding:
    """Return a finding of the catalogue. KeyError for a code that is not in it."""
    kind = CATALOGUE[code]
    return Finding(
        code=code,
        severity=Severity(kind.severity),
        title=kind.title,
        subject=subject,
        found=what,
        expected=expected,
        remedy=remedy,
        depends_on=kind.depends_on,
    )


def accepted(findings: Iterable[Finding], codes: Iterable[str]) -> tuple[Finding, ...]:
    """Return the findings with errors of these codes demoted to warnings.

    Raises ConfigError for a code that the catalogue does not have, before anything
    is demoted; a code that this host does not show is fine.
    """
    wanted = tuple(codes)
    for code in wanted:
        kind_of(code)
    return tuple(
        replace(f, severity=Severity.WARNING, accepted=True)
        if f.code in wanted and f.severity is Severity.ERROR
        else f
        for f in findings
    )


def kind_of(code: str) -> Kind:
    """Return the catalogue's entry, or raise ConfigError naming the nearest code."""
    if code in CATALOGUE:
        return CATALOGUE[code]
    near = difflib.get_close_matches(code, CATALOGUE, n=1, cutoff=0.0)
    raise ConfigError(
        f"cannot accept finding {code}: no such code, the nearest is {near[0]}",
        hint=f"--accept {near[0]}",
    )


def blocking(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return the errors that stop an install: neither muted nor accepted."""
    return tuple(f for f in findings if f.severity is Severity.ERROR and f.muted_by is None)
