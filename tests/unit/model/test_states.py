"""The table of states, and that the reference page shows the same one."""

import re
from pathlib import Path

import pytest

from trtllm_install.model import phases, states

PAGE = Path(__file__).parents[3] / "docs/reference/launcher.md"
PAIRS = [(old, new) for old in states.TRANSITIONS for new in states.TRANSITIONS]


@pytest.mark.parametrize(("old", "new"), PAIRS)
def test_exactly_the_transitions_of_the_table_are_allowed(old: str, new: str) -> None:
    if new in states.TRANSITIONS[old]:
        states.check_transition(old, new)
    else:
        with pytest.raises(states.TransitionError, match=f"does not follow {old}"):
            states.check_transition(old, new)


@pytest.mark.parametrize("new", states.TRANSITIONS)
def test_a_launcher_begins_by_waiting_or_backing_off(new: str) -> None:
    if new in {states.WAITING, states.BACKOFF}:
        states.check_transition(None, new)
    else:
        with pytest.raises(states.TransitionError):
            states.check_transition(None, new)


def test_every_state_is_explained_and_leads_somewhere_known() -> None:
    assert set(states.MEANING) == set(states.TRANSITIONS)
    for followers in states.TRANSITIONS.values():
        assert set(followers) <= set(states.TRANSITIONS)


def test_every_state_can_be_reached_from_the_beginning() -> None:
    reached: set[str] = set()
    wanted = list(states.INITIAL)
    while wanted:
        state = wanted.pop()
        if state not in reached:
            reached.add(state)
            wanted.extend(states.TRANSITIONS[state])
    assert reached == set(states.TRANSITIONS)


def test_every_state_can_end() -> None:
    for state in set(states.TRANSITIONS) - {states.STOPPED, states.FAILED}:
        assert set(states.TRANSITIONS[state]) & {states.STOPPED, states.DRAINING}, state


def test_only_loading_and_warming_lead_to_service() -> None:
    before = {old for old, new in states.TRANSITIONS.items() if states.HEALTHY in new}
    assert before == {states.WARMING, states.BUSY, states.SUSPECT}


def test_the_reference_page_shows_this_table() -> None:
    section = PAGE.read_text().partition("## States")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| ([^|]+) \| ([^|]*) \|$", section, re.MULTILINE)
    shown = {state: (meaning, tuple(re.findall(r"`(\w+)`", new))) for state, meaning, new in rows}
    expected = {s: (states.MEANING[s], new) for s, new in states.TRANSITIONS.items()}
    assert shown == expected


def test_the_reference_page_shows_the_phases_of_a_start() -> None:
    section = PAGE.read_text().partition("## Phases of a start")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `([\w-]+)` \| ([^|]+) \|$", section, re.MULTILINE)
    assert dict(rows) == phases.MEANING
