"""Measures an install that has nothing to do, beside Ansible looking after the same files.

    python3.11 -m pip install --target FOLDER ansible-core
    sudo python benchmarks/second_install.py --ansible FOLDER

Both run in one booted Debian 12, turn by turn, the order reversed in odd rounds. Ansible's
playbook has copy, file and systemd_service tasks for what our receipt lists, one loop for
each module, on a local connection and without gathering facts. Each run must change nothing.
"""

import argparse
import json
import shutil
import statistics
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(REPOSITORY / "tests"), str(REPOSITORY / "installer")]

from host import INSTALL, report, timed  # noqa: E402 (the path comes first)

from lab import images  # noqa: E402
from lab.roots import BootedRoot  # noqa: E402

HOME = "srv/ansible"
PLAY = ("python3", f"/{HOME}/bin/ansible-playbook", "-i", "localhost,", "-c", "local")
SURROUNDINGS = ("env", f"PYTHONPATH=/{HOME}", "ANSIBLE_LOCALHOST_WARNING=0", "HOME=/root")


def write_playbook(root: BootedRoot) -> int:
    """Write a playbook for what the receipt lists; return how many things it looks after."""
    receipt = json.loads(root.check("cat", "/var/lib/trtllm/receipt.json"))
    number = receipt["generation"]
    kept = json.loads(root.check("cat", f"/var/lib/trtllm/generations/{number:06d}.json"))["tree"]
    files = [f for f in kept["files"] if "text" in f["content"]]
    source = root.tree / HOME / "files"
    source.mkdir()
    for n, file in enumerate(files):
        (source / str(n)).write_text(file["content"]["text"])
    rights = {"owner": "{{ item.owner }}", "mode": "{{ item.mode }}"}
    tasks = [
        {
            "file": {"path": "{{ item.path }}", "state": "directory", **rights},
            "loop": [_item(d) for d in kept["directories"]],
        },
        {
            "copy": {"src": "{{ item.src }}", "dest": "{{ item.path }}", **rights},
            "loop": [{**_item(f), "src": f"/{HOME}/files/{n}"} for n, f in enumerate(files)],
        },
        {
            "file": {"src": "{{ item.target }}", "path": "{{ item.path }}", "state": "link"},
            "loop": kept["links"],
        },
        {"systemd_service": {"name": "trtllm.target", "enabled": True, "state": "started"}},
    ]
    play = [{"hosts": "all", "gather_facts": False, "tasks": tasks}]
    (root.tree / HOME / "play.yml").write_text(json.dumps(play))
    return len(kept["directories"]) + len(files) + len(kept["links"]) + 1


def _item(thing: dict[str, object]) -> dict[str, object]:
    return {"path": thing["path"], "owner": thing["owner"], "mode": f"{thing['mode']:04o}"}


def demand_nothing_changes(root: BootedRoot, *argv: str) -> None:
    """Both must find the host as they want it, or the figures would compare nothing."""
    said = root.check(*argv, timeout=300)
    assert "changed=0" in said or json.loads(said)["changed"] is False, said


def main() -> None:
    """Boot, install, measure both."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--ansible", type=Path, metavar="FOLDER", help="from pip install --target")
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    with BootedRoot(images.DEBIAN_12) as root:
        ended = root.bootstrap("--profile", "multi", "--simulate")
        assert ended.returncode == 0, ended.stderr
        demand_nothing_changes(root, *INSTALL, "--output", "json")
        variants = {"trtllm-install, nothing to do": INSTALL}
        if arguments.ansible:
            shutil.copytree(arguments.ansible, root.tree / HOME)
            things = write_playbook(root)
            play = (*SURROUNDINGS, *PLAY, f"/{HOME}/play.yml")
            demand_nothing_changes(root, *play)
            variants[f"ansible-playbook, the same {things} things"] = play
        measure(root, variants, arguments.rounds)


def measure(root: BootedRoot, variants: dict[str, tuple[str, ...]], rounds: int) -> None:
    """Take turns, the quick one three times in each, and report wall and CPU seconds."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in variants}
    for number in range(rounds):
        for name in list(variants)[:: -1 if number % 2 else 1]:
            times = 3 if variants[name] is INSTALL else 1
            found[name] += [timed(root, *variants[name], timeout=600) for _ in range(times)]
    for name, pairs in found.items():
        report(f"{name}, wall", [wall for wall, _ in pairs])
        report(f"{name}, CPU", [cpu for _, cpu in pairs])
    medians = [statistics.median(wall for wall, _ in pairs) for pairs in found.values()]
    if len(medians) > 1:
        print(f"{medians[1] / medians[0]:.0f} times")


if __name__ == "__main__":
    main()
