"""Five empty hosts become a served fleet, are upgraded under load, and go wrong in every way.

Real Ansible over SSH to booted hosts; see tests/lab/fleet.py and tests/lab/served.py. The stages
share one fleet, and each begins with what the one before has left.
"""

import json
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import checkout, needs
from lab.bundled import make_bundle
from lab.served import (
    CLIENTS,
    FRONT,
    GPUS,
    MODELS,
    ServedFleet,
    assert_whole,
    changed,
    every_process,
    said,
)
from lab.visitor import await_true
from trtllm_install.model import layout

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]
STAGED = True

CREDENTIALS = "trtllm.host.credentials"
EDITED = "etc/trtllm/engine/nano_v3.yaml"
MORE = {"host_site": {"listen": "0.0.0.0", "proxy": {"body_limit_mib": 128}}}
# A file system of its own, with what was there and not a byte more.
FULL_DISK = """set -e
cp -a /etc/trtllm/proxy /tmp/proxy
mount -t tmpfs -o size=1m none /etc/trtllm/proxy
cp -a /tmp/proxy/. /etc/trtllm/proxy/
dd if=/dev/zero of=/etc/trtllm/proxy/fill bs=4k 2>/dev/null || true
"""
ROLE = """
- hosts: trtllm_gpu
  gather_facts: false
  roles: [trtllm.host.host]
  post_tasks:
    - name: Keep what was changed, or would be
      ansible.builtin.copy:
        content: "{{ host_installed.changes | to_json }}"
        dest: "{{ kept }}/{{ inventory_hostname }}"
      delegate_to: localhost
      check_mode: false
      changed_when: false
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the wheel of this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    argv = (sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation")
    subprocess.run(
        [*argv, "--no-index", "--wheel-dir", str(folder), str(checkout.ROOT)], check=True
    )
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def hosts(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedFleet]:
    needs.require("ssh", "ssh-keygen", "ansible-playbook")
    with ServedFleet(wheel, make_bundle(tmp_path_factory.mktemp("bundle"))) as booted:
        yield booted


# from nothing ----------------------------------------------------------------------
def test_one_playbook_makes_a_served_fleet_of_empty_hosts(hosts: ServedFleet) -> None:
    assert_whole(hosts.rolled())
    hosts.assert_answers()
    assert {hosts.asked(name, "0" * 64)["status"] for name in (FRONT, "gpu1")} == {401}
    peers = json.loads((hosts.folder / "endpoints/endpoints.json").read_text())
    assert [peer["name"] for peer in peers] == list(GPUS)
    assert {peer["url"].partition(":")[0] for peer in peers} == {"https"}
    assert hosts.drained() == set()


def test_a_second_run_changes_nothing(hosts: ServedFleet) -> None:
    ended = hosts.rolled()
    assert_whole(ended)
    assert changed(ended, (*GPUS, FRONT)) == dict.fromkeys((*GPUS, FRONT), 0)
    assert_whole(hosts.ansible("ansible-playbook", "trtllm.host.report"))


def test_check_mode_predicts_the_run_and_an_edit_is_kept_and_told(hosts: ServedFleet) -> None:
    edited = hosts.hosts["gpu2"].tree / EDITED
    edited.write_text(edited.read_text() + "# mine\n")
    play = hosts.folder / "role.yml"
    play.write_text(ROLE, encoding="utf-8")
    changes = {}
    for word in ("--check", "--diff"):
        kept = hosts.folder / f"kept{word}"
        kept.mkdir()
        words = (str(play), word, "--limit", "gpu2,gpu3")
        variables = json.dumps({"kept": str(kept), **MORE})
        ended = hosts.ansible("ansible-playbook", *words, "-e", variables)
        assert_whole(ended)
        assert f"kept /{EDITED}" in said(ended)
        changes[word] = {name: json.loads((kept / name).read_text()) for name in ("gpu2", "gpu3")}
    assert changes["--check"] == changes["--diff"]
    assert all(changes["--diff"].values())
    assert edited.read_text().endswith("# mine\n")


# keys and certificate --------------------------------------------------------------
def test_what_the_vault_keeps_is_changed_under_load_and_shows_up_nowhere(
    hosts: ServedFleet, capsys: pytest.CaptureFixture[str]
) -> None:
    """The key of the front tier, that of a client, and the certificate, all at once."""
    before, bob = hosts.front_key, secrets.token_hex(32)
    hosts.renew("second")
    hosts.write_vault(**hosts.vault, vault_client_keys={**CLIENTS, "bob": bob})
    new = [hosts.front_key, bob, hosts.vault["vault_tls_key"].splitlines()[1]]
    two = ("--limit", f"localhost,gpu1,{FRONT}")
    predicted = hosts.ansible("ansible-playbook", CREDENTIALS, "--check", "--diff", *two)
    assert_whole(predicted)
    assert hosts.asked("gpu1", before)["status"] == 200
    with every_process(new) as leaks, hosts.load() as seen:
        begun = time.monotonic()
        ended = hosts.ansible("ansible-playbook", CREDENTIALS, "--diff", "-vvv")
        took_s = time.monotonic() - begun
    assert_whole(ended)
    with capsys.disabled():
        told = f"{seen['answered']} answered in {took_s:.0f} s, {seen['again']} asked again"
        sys.stdout.write(f"\n  renewal: {told}\n")
    assert changed(ended, (*GPUS, FRONT)) == dict.fromkeys(GPUS, 2) | {FRONT: 3}
    assert changed(predicted, ("gpu1", FRONT)) == changed(ended, ("gpu1", FRONT))
    for told in (said(predicted), said(ended)):
        assert "replace key bob (another key)" in told
        assert "replace file /etc/trtllm/tls/privkey.pem (another one)" in told
        assert [word for word in new if word in told] == []
    assert (seen["failures"], seen["answered"] > 20) == ([], True)
    # Only the front tier's own reloads close what its four clients keep, one for each secret.
    assert seen["again"] <= 3 * 4
    assert {hosts.asked("gpu1", key)["status"] for key in (before, bob)} == {401}
    hosts.assert_answers("gpu1")
    assert [hosts.asked(FRONT, key)["status"] for key in (CLIENTS["bob"], bob)] == [401, 200]
    assert hosts.shown_certificate() == hosts.vault["vault_tls_certificate"].strip()
    assert leaks == set()
    for name in ("gpu1", FRONT):
        kept = {layout.PEER_KEYS, layout.TLS_KEY} if name == FRONT else set()
        assert set(hosts.traces_of(name, new)) == kept
    again = hosts.ansible("ansible-playbook", CREDENTIALS, *two)
    assert changed(again, ("gpu1", FRONT)) == {"gpu1": 0, FRONT: 0}


# upgrades --------------------------------------------------------------------------
def test_an_upgrade_under_load_loses_no_request(
    hosts: ServedFleet, capsys: pytest.CaptureFixture[str]
) -> None:
    hosts.everywhere |= {**MORE, **hosts.place_engine("1.3.0rc4", "load_seconds=0.3")}
    hosts.write_inventory()
    with hosts.load() as seen:
        ended = hosts.rolled()
    assert_whole(ended)
    assert "gpu1, gpu2, gpu3, gpu4 in batches of 1, 2, 1" in said(ended)
    assert set(hosts.engines().values()) == {"1.3.0rc4"}
    with capsys.disabled():
        told = f"{seen['answered']} answered, {seen['again']} asked again"
        sys.stdout.write(f"\n  upgrade: {told}\n")
    assert seen["failures"] == []
    assert seen["answered"] > 100


def test_a_bad_engine_ends_with_the_canary_and_loses_no_request(
    hosts: ServedFleet, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = hosts.place_engine("1.3.0rc3", "generation_fails=true")
    before = hosts.generations()
    with hosts.load() as seen:
        ended = hosts.rolled(**bad, host_timeout=10)
    assert ended.returncode != 0
    assert "0 of 4 hosts are done; not done: gpu1, gpu2, gpu3, gpu4" in said(ended)
    assert "/health_generate answers 500" in said(ended)
    assert set(hosts.engines().values()) == {"1.3.0rc4"}
    assert hosts.generations() == before
    assert hosts.drained() == {"gpu1"}
    hosts.assert_answers("gpu1")
    with capsys.disabled():
        sys.stdout.write(f"\n  bad engine: {seen['answered']} answered\n")
    assert (seen["failures"], seen["again"]) == ([], 0)  # nobody has touched the front tier


# what goes wrong -------------------------------------------------------------------
def test_hosts_that_fail_the_check_end_it_before_anything_is_touched(hosts: ServedFleet) -> None:
    """One asks for a profile that there is not, one has no Python."""
    before = hosts.generations()
    python = hosts.hosts["gpu4"].tree / "usr/bin/python3"
    python.rename(python.with_name("python3.away"))
    hosts.write_inventory(gpu3={"host_profile": "mutli"})
    try:
        ended = hosts.rolled(rollout_max_check_failures=1)
    finally:
        python.with_name("python3.away").rename(python)
        hosts.write_inventory()
    assert ended.returncode != 0
    output = said(ended)
    assert "nothing was rolled out: 2 of 5 hosts failed the check (gpu3, gpu4), and 1 may" in output
    assert "cannot find profile mutli: did you mean multi?" in output
    assert "it has no Python; install it first" in output
    assert hosts.generations() == before
    assert hosts.drained() == {"gpu1"}  # left by the stage before


def test_hosts_that_fail_in_their_turn_stay_out_of_rotation_and_the_others_serve(
    hosts: ServedFleet,
) -> None:
    """A lock is held, a disk is full, and a host is powered off while the canary is served."""
    holder, full, off = (hosts.hosts[name] for name in ("gpu2", "gpu3", "gpu4"))
    holder.check("systemd-run", "--quiet", "--unit=holder", "flock", layout.LOCK, "sleep", "600")
    full.check("sh", "-c", FULL_DISK)
    logs = hosts.hosts["gpu1"].tree / "var/log/trtllm-install"
    begun = len(list(logs.glob("*-install.log")))

    def power_off() -> None:
        await_true(
            "an install on the canary",
            lambda: len(list(logs.glob("*-install.log"))) > begun,
            seconds=240,
        )
        off.run("systemctl", "poweroff", "--force", "--force")

    fate = threading.Thread(target=power_off)
    fate.start()
    before = hosts.generations()
    site = {"listen": "0.0.0.0", "proxy": {"first_byte_s": 900}}
    try:
        ended = hosts.rolled(host_site=site, rollout_capacity=dict.fromkeys(MODELS, 1))
    finally:
        fate.join()
        holder.check("systemctl", "stop", "holder")
        full.check("umount", "/etc/trtllm/proxy")
    assert ended.returncode != 0
    output = said(ended)
    assert "gpu1, gpu2, gpu3, gpu4 in batches of 1, 3" in output
    assert "1 of 4 hosts are done; not done: gpu2, gpu3, gpu4" in output
    assert "cannot start: another program holds the lock" in output
    assert "no space left on device" in output
    assert "gpu4 is out of reach" in output
    assert hosts.drained() == {"gpu2", "gpu3", "gpu4"}
    after = hosts.generations()
    assert {name for name in GPUS if after[name] == before[name]} == {"gpu2", "gpu3", "gpu4"}
    for name in (FRONT, "gpu2", "gpu3"):
        hosts.assert_answers(name)
    for name in ("gpu2", "gpu3"):
        written = hosts.hosts[name].tree / layout.SITE_FILE[1:]
        assert "first_byte_s" not in written.read_text(encoding="utf-8")
