"""Whether there is a key that clients could show."""

import pytest

from fakes.fake_host import FakeHost
from trtllm_install.model import layout
from trtllm_install.model.clientkeys import HEADING, hash_key, render_keys
from trtllm_install.probes.keys import probe_keyless, probe_keys

ONE = render_keys([hash_key("a", "secret")])
NOTES = "# who was here\n" * 9


@pytest.mark.parametrize(
    ("text", "root", "others"),
    [
        ("", True, True),
        (HEADING, True, True),
        (ONE, False, False),
        (ONE.removeprefix(HEADING).rstrip(), False, False),
        (NOTES, True, False),  # its size does not tell
        (f"{ONE}nonsense\n", False, False),  # damaged: the proxy goes on with what it has
    ],
)
def test_nobody_is_let_in_by_a_file_without_a_key(text: str, root: bool, others: bool) -> None:
    host = FakeHost()
    host.add_file(layout.PROXY_KEYS, text)
    assert (probe_keys(host), probe_keyless(host)) == (True, root)
    host.root = False
    assert probe_keyless(host) is others


def test_without_a_file_nobody_is_asked() -> None:
    host = FakeHost()
    assert (probe_keys(host), probe_keyless(host)) == (False, False)
