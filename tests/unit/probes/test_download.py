"""The record that a download leaves beside the files."""

import pytest

from fakes.fake_host import FakeHost
from trtllm_install.probes.download import RECORDS, hub_hash, unfinished

FOLDER = "/w/model"
SHA256 = "7c5d3f4b8b76583b422fcb9189ad6c89d5d97a094541ce8932dce3ecabde1421"
GIT = "a16a55fda99d2f2e7b69cce5cf93ff4ad3049930"


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (f"11c5a3d5811f50298f278a704980280950aedb10\n{SHA256}\n1712656091.123\n", SHA256),
        (f"11c5a3d5811f50298f278a704980280950aedb10\n{GIT}\n1712656091.123\n", GIT),
        (f'x\n"{SHA256}"\n1', SHA256),
        ("one line", ""),
        ("x\nW/weak-etag\n1", ""),
        (b"\xff\xfe", ""),
    ],
)
def test_the_hash_is_the_second_line(record: str | bytes, expected: str) -> None:
    host = FakeHost()
    host.add_file(f"{FOLDER}/{RECORDS}/a.bin.metadata", record)
    assert hub_hash(host, FOLDER, "a.bin", f"{FOLDER}/a.bin") == expected


def test_a_file_of_the_hubs_cache_is_named_by_its_hash() -> None:
    real = f"/home/me/.cache/huggingface/hub/models--m/blobs/{SHA256}"
    assert hub_hash(FakeHost(), FOLDER, "a.bin", real) == SHA256


def test_nothing_recorded_is_no_hash_and_nothing_unfinished() -> None:
    host = FakeHost()
    assert hub_hash(host, FOLDER, "a.bin", f"{FOLDER}/a.bin") == ""
    assert unfinished(host, FOLDER) == 0
