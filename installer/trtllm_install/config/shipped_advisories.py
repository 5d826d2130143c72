"""The advisories that are shipped, as values; tests hold the file to its shape, not each run."""

from typing import Any

from trtllm_install.config.document import parse_document
from trtllm_install.model.advisories import Advisory, Setting, When


def read_advisories(text: str, source: str) -> tuple[Advisory, ...]:
    """Return the advisories of a file that ``parse_advisories`` accepts; KeyError for others."""
    value: Any = parse_document(text, source).value
    return tuple(_advisory(entry) for entry in value["advisories"])


def _advisory(entry: dict[str, Any]) -> Advisory:
    when = {name: tuple(value) for name, value in entry["when"].items() if name != "settings"}
    settings = tuple(Setting(**setting) for setting in entry["when"].get("settings", ()))
    return Advisory(
        **{
            **entry,
            "when": When(**when, settings=settings),
            "sources": tuple(entry["sources"]),
        }
    )
