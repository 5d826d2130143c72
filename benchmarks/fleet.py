"""How the roll-out grows with the fleet: hosts as --root trees over Ansible's local connection.

Run as root, from a checkout, with the environment of the tests:

    python3 benchmarks/fleet.py [HOSTS]...
    python3 benchmarks/fleet.py module

Each host is a tree with what an image must have, and the real trtllm-install works on it,
so what is measured is the play, the modules and the tool, without models and networks.
Prints one line for each number of hosts: an empty fleet, the same again with nothing to
change, seconds and the most memory that the controller and its forks held. With "module":
what a module adds to the bare command line.
"""

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from time import monotonic

ROOT = Path(__file__).resolve().parents[1]
FORKS = 20
ANSIBLE = str(Path(sys.executable).parent / "ansible-playbook")
FOLDERS = (
    *("etc/systemd/system", "etc/tmpfiles.d", "tmp", "usr/sbin", "usr/lib/nginx", "run"),
    *("usr/share/lua/5.1", "usr/lib/x86_64-linux-gnu/lua/5.1", "var/lib", "var/log"),
    *("usr/lib/systemd", "opt/trtllm/tool/bin"),
)
ACCOUNTS = {
    "passwd": "root:x:0:0:root:/root:/bin/sh\n",
    "group": "root:x:0:\n",
    "shadow": "root:*:1::::::\n",
    "gshadow": "root:*::\n",
}
PROGRAM = """#!/bin/sh
exec {python} -c 'import sys; sys.path.insert(0, "{installer}")
from trtllm_install.cli.main import main
raise SystemExit(main())' "$@"
"""


def controller(folder: Path) -> dict[str, str]:
    """Return the environment of Ansible on the controller."""
    return {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(folder),
        "ANSIBLE_HOME": str(folder / "home"),
        "ANSIBLE_CONFIG": str(folder / "ansible.cfg"),
        "ANSIBLE_FORKS": str(FORKS),
        "ANSIBLE_NOCOLOR": "true",
    }


def make_tree(tree: Path) -> None:
    """Make what an image has before trtllm-install works on it, and nothing that runs."""
    for folder in FOLDERS:
        (tree / folder).mkdir(parents=True)
    for name, text in ACCOUNTS.items():
        (tree / "etc" / name).write_text(text, encoding="utf-8")
    (tree / "usr/lib/systemd/systemd").touch()
    (tree / "usr/sbin/init").symlink_to("../lib/systemd/systemd")
    (tree / "sbin").symlink_to("usr/sbin")
    (tree / "lib").symlink_to("usr/lib")
    shutil.copy("/usr/sbin/nginx", tree / "usr/sbin/nginx")
    shutil.copytree("/usr/lib/nginx/modules", tree / "usr/lib/nginx/modules")
    shutil.copytree("/usr/share/lua/5.1/resty", tree / "usr/share/lua/5.1/resty")
    cjson = "usr/lib/x86_64-linux-gnu/lua/5.1/cjson.so"
    shutil.copy(f"/{cjson}", tree / cjson)
    launcher = tree / "opt/trtllm/tool/bin/trtllm-supervise"
    launcher.write_text("#!/bin/sh\n", encoding="utf-8")
    launcher.chmod(0o755)


def memory_of(top: int) -> int:
    """Return the bytes that a process and its forks hold, shared ones counted once (PSS).

    What they started besides, modules and the tool, would run on the hosts of a real fleet.
    """
    total, waiting = 0, [top]
    program = Path(f"/proc/{top}/cmdline").read_bytes()
    while waiting:
        pid = waiting.pop()
        try:
            if Path(f"/proc/{pid}/cmdline").read_bytes() != program:
                continue
            text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
            total += next(int(x.split()[1]) for x in text.splitlines() if x.startswith("Pss:"))
            below = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
            waiting += [int(child) for child in below.split()]
        except (OSError, StopIteration):
            continue  # it has just ended
    return total * 1024


def rolled(folder: Path) -> tuple[float, int, dict[str, int]]:
    """Roll out; return seconds, the most bytes, and how many hosts changed and failed."""
    begun, most = monotonic(), 0
    with (folder / "log").open("w", encoding="utf-8") as log:
        play = subprocess.Popen(
            [ANSIBLE, "-i", str(folder / "inventory.json"), "trtllm.host.rollout"],
            cwd=folder,
            env=controller(folder),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        ended = threading.Event()
        while not ended.wait(0.5):
            most = max(most, memory_of(play.pid))
            if play.poll() is not None:
                ended.set()
    lines = (folder / "log").read_text(encoding="utf-8").partition("PLAY RECAP")[2].splitlines()
    hosts = [line for line in lines if line.startswith("host")]
    figures = {
        "changed": sum("changed=0 " not in line for line in hosts),
        "failed": sum("failed=0 " not in line for line in hosts),
    }
    if play.returncode != 0:
        sys.exit((folder / "log").read_text(encoding="utf-8")[-3000:])
    return monotonic() - begun, most, figures


def lay_out(folder: Path, number: int) -> None:
    """Make the trees, the tool, the collection and the inventory."""
    first = folder / "trees/host0001"
    make_tree(first)
    names = [f"host{n:04}" for n in range(1, number + 1)]
    for name in names[1:]:
        shutil.copytree(first, folder / "trees" / name, symlinks=True)
    tool = folder / "trtllm-install"
    tool.write_text(
        PROGRAM.format(python=sys.executable, installer=ROOT / "installer"), encoding="utf-8"
    )
    tool.chmod(0o755)
    home = folder / "ansible_collections/trtllm/host"
    home.parent.mkdir(parents=True)
    home.symlink_to(ROOT / "ansible")
    everywhere = {
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
        "host_executable": str(tool),
        "host_profile": "multi",
        "host_simulate": True,
        "host_site": {"port": 8000},
        "rollout_batches": [1, "100%"],
    }
    hosts = {name: {"host_root": str(folder / "trees" / name)} for name in names}
    document = {"all": {"vars": everywhere, "children": {"trtllm_gpu": {"hosts": hosts}}}}
    (folder / "inventory.json").write_text(json.dumps(document), encoding="utf-8")
    (folder / "ansible.cfg").write_text("", encoding="utf-8")


def measure(number: int, folder: Path) -> None:
    """Build a fleet, roll it out twice, print a line for each."""
    lay_out(folder, number)
    for what in ("empty fleet", "nothing to change"):
        seconds, most, figures = rolled(folder)
        print(
            f"{number:>5} hosts  {what:<18}{seconds:8.1f} s  {seconds / number:6.2f} s per host  "
            f"{most / 2**20:6.0f} MiB  {figures['changed']} changed, {figures['failed']} failed",
            flush=True,
        )


def spent(argv: list[str], environment: dict[str, str]) -> tuple[float, float]:
    """Run a command; return wall and CPU seconds."""
    begun, before = monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(argv, env=environment, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return monotonic() - begun, cpu


def measure_module(folder: Path, *, rounds: int = 5) -> None:
    """Install on a converged tree by hand and by the module, in one play; print the difference."""
    lay_out(folder, 1)
    words = [str(folder / "trtllm-install"), "install", "--root", str(folder / "trees/host0001")]
    words += ["--profile", "multi", "--simulate", "--output", "json"]
    parameters = {
        "executable": words[0],
        "root": words[3],
        "profile": "multi",
        "simulate": True,
    }
    head = {"hosts": "host0001", "gather_facts": False}
    tasks = [{"trtllm.host.trtllm_install": parameters}] * rounds
    plays = {"empty": [{**head, "tasks": []}], "module": [{**head, "tasks": tasks}]}
    environment = controller(folder)
    spent(words, environment)  # the first one changes something
    figures = {}
    for name, play in plays.items():
        path = folder / f"{name}.json"
        path.write_text(json.dumps(play), encoding="utf-8")
        argv = [ANSIBLE, "-i", str(folder / "inventory.json"), str(path)]
        figures[name] = min(spent(argv, environment) for _ in range(3))
    bare = [spent(words, environment) for _ in range(rounds)]
    for index, what in enumerate(("wall", "CPU")):
        alone = sum(figure[index] for figure in bare) / rounds
        module = (figures["module"][index] - figures["empty"][index]) / rounds
        print(
            f"{what}: bare {alone:.2f} s, by the module {module:.2f} s, {module - alone:.2f} more"
        )


def main() -> None:
    """Measure a module, or each number of hosts."""
    if sys.argv[1:] == ["module"]:
        with tempfile.TemporaryDirectory(prefix="trtllm-fleet-") as folder:
            measure_module(Path(folder))
        return
    for number in [int(word) for word in sys.argv[1:]] or [20, 200]:
        with tempfile.TemporaryDirectory(prefix="trtllm-fleet-") as folder:
            measure(number, Path(folder))


if __name__ == "__main__":
    main()
