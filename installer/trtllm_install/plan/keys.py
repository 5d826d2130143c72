"""Which keys come, change and go: those that are there and those that are given in."""

from collections.abc import Sequence
from dataclasses import dataclass

from trtllm_install.model.clientkeys import Key
from trtllm_install.model.tree import Action


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyChange:
    """What becomes of one key; of the key itself it knows nothing."""

    action: Action
    name: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPlan:
    """The keys as they will be, and what differs from those that are there."""

    keys: tuple[Key, ...]
    changes: tuple[KeyChange, ...]


def plan_keys(present: Sequence[Key], given: Sequence[Key], *, exclusive: str | None) -> KeyPlan:
    """Return the keys that are there with the given ones in their places, new ones last.

    Those that are not given go where their name begins with ``exclusive``; None keeps all.
    """
    wanted = {key.name: key for key in given}
    old = {key.name: key for key in present}
    stay = [n for n in old if n in wanted or exclusive is None or not n.startswith(exclusive)]
    names = [*stay, *(name for name in wanted if name not in old)]
    return KeyPlan(
        keys=tuple(wanted.get(name) or old[name] for name in names),
        changes=(
            *(
                KeyChange(action=Action.CREATE, name=name, reason="new")
                for name in wanted
                if name not in old
            ),
            *(
                KeyChange(action=Action.REPLACE, name=name, reason="another key")
                for name in wanted
                if name in old and old[name] != wanted[name]
            ),
            *(
                KeyChange(action=Action.REMOVE, name=name, reason="not given")
                for name in old
                if name not in stay
            ),
        ),
    )
