"""Reads which code a checkpoint's configuration names outside of the checkpoint."""

from collections.abc import Iterator, Mapping
from typing import Final

# transformers takes "REPOSITORY--module.Class" from another repository than the one that is
# loaded (dynamic_module_utils.get_class_from_dynamic_module).
_BETWEEN: Final = "--"


def parse_auto_map(config: Mapping[str, object]) -> Iterator[str]:
    """Yield each class of ``auto_map`` that lies elsewhere, as it is written there.

    ``config`` is what config.json or tokenizer_config.json holds.
    """
    told = config.get("auto_map")
    if not isinstance(told, Mapping):
        return
    for value in told.values():
        for name in value if isinstance(value, list) else (value,):
            if isinstance(name, str) and _BETWEEN in name:
                yield name
