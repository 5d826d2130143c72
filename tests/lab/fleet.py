"""Several hosts on a network of their own, and a controller that reaches them by SSH."""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from lab import checkout, images, needs, roots

_BRIDGE = "fleet0"
_CONTROLLER = "10.77.0.1"
_PACKAGES = ("openssh-server",)


class Network:
    """A network namespace with a bridge, which a process of ours keeps."""

    def __enter__(self) -> Self:
        self._holder = subprocess.Popen(
            ["unshare", "--net", "sh", "-c", "echo; exec sleep infinity"], stdout=subprocess.PIPE
        )
        assert self._holder.stdout is not None
        self._holder.stdout.readline()  # it is in its own namespace
        for line in (
            "link set lo up",
            f"link add {_BRIDGE} type bridge",
            f"addr add {_CONTROLLER}/24 dev {_BRIDGE}",
            f"link set {_BRIDGE} up",
        ):
            subprocess.run(self.enter("ip", *line.split()), check=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._holder.kill()
        self._holder.wait()
        assert self._holder.stdout is not None
        self._holder.stdout.close()

    def enter(self, *argv: str) -> list[str]:
        """Return the command that runs ``argv`` in the network."""
        return ["nsenter", f"--target={self._holder.pid}", "--net", "--", *argv]


class NetworkedRoot(roots.BootedRoot):
    """A host with systemd, sshd and an address."""

    def __init__(self, network: Network, name: str, address: str, key: Path) -> None:
        super().__init__(images.DEBIAN_12, packages=_PACKAGES)
        self.name, self.address = name, address
        self._net, self._key = network, key

    def _network(self) -> Sequence[str]:
        return (f"--network-bridge={_BRIDGE}",)

    def _placed(self, argv: Sequence[str]) -> Sequence[str]:
        return self._net.enter(*argv)

    def _boot(self) -> None:
        (self.tree / "etc/hostname").write_text(f"{self.name}\n", encoding="utf-8")
        (self.tree / "etc/hosts").write_text(
            f"127.0.0.1 localhost\n127.0.1.1 {self.name}\n", encoding="utf-8"
        )
        folder = self.tree / "root/.ssh"
        folder.mkdir(mode=0o700, exist_ok=True)
        shutil.copy(self._key.with_suffix(".pub"), folder / "authorized_keys")
        super()._boot()
        self.check("ip", "addr", "replace", f"{self.address}/24", "dev", "host0")
        self.check("ip", "link", "set", "host0", "up")


class Fleet:
    """Booted hosts by name, and Ansible with this checkout's collection."""

    def __init__(self, groups: Mapping[str, Sequence[str]]) -> None:
        self._groups = groups
        self._stack = ExitStack()
        self.hosts: dict[str, NetworkedRoot] = {}
        self.everywhere: dict[str, Any] = {}  # variables of all hosts

    def __enter__(self) -> Self:
        try:
            self.folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory()))
            self.network = self._stack.enter_context(Network())
            key = self.folder / "key"
            subprocess.run(
                ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True
            )
            names = [name for group in self._groups.values() for name in group]
            for number, name in enumerate(names, start=11):
                self.hosts[name] = NetworkedRoot(self.network, name, f"10.77.0.{number}", key)
            self._boot_all()
            collection = self.folder / "collections/ansible_collections/trtllm"
            collection.mkdir(parents=True)
            (collection / "host").symlink_to(checkout.ROOT / "ansible")
            (self.folder / "ansible.cfg").write_text("", encoding="utf-8")
            (self.folder / "vault-password").write_text("of this test\n", encoding="utf-8")
            self.write_inventory()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for socket in (self.folder / "cp").glob("*"):  # connections that ssh keeps
            self.run_here("ssh", "-O", "exit", "-o", f"ControlPath={socket}", "host")
        self._stack.close()

    def _boot_all(self) -> None:
        """Boot side by side; one that fails must not leave the others behind."""
        with ThreadPoolExecutor(len(self.hosts)) as pool:
            booting = [pool.submit(root.__enter__) for root in self.hosts.values()]
        for future in booting:
            if future.exception() is None:
                self._stack.push(future.result())
        for future in booting:
            future.result()

    def write_inventory(self, **host_variables: Mapping[str, Any]) -> None:
        """Write the inventory, with variables of single hosts."""
        groups = {
            group: {
                "hosts": {
                    name: {
                        "ansible_host": self.hosts[name].address,
                        **host_variables.get(name, {}),
                    }
                    for name in names
                }
            }
            for group, names in self._groups.items()
        }
        everywhere = {
            **self.everywhere,
            "ansible_user": "root",
            "ansible_ssh_private_key_file": str(self.folder / "key"),
            "ansible_python_interpreter": "/usr/bin/python3",
            "ansible_ssh_common_args": (
                "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null "
                "-o ControlMaster=auto -o ControlPersist=60s -o ConnectTimeout=5 "
                "-o ServerAliveInterval=2 -o ServerAliveCountMax=3"
            ),
        }
        document = {"all": {"vars": everywhere, "children": groups}}
        (self.folder / "inventory.json").write_text(json.dumps(document), encoding="utf-8")

    def write_vault(self, **variables: object) -> None:
        """Write variables of all hosts that nobody can read who does not have the password."""
        path = self.folder / "group_vars/all/vault.yml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(variables), encoding="utf-8")
        ended = self.ansible("ansible-vault", "encrypt", str(path))
        assert ended.returncode == 0, ended.stderr
        assert path.read_text(encoding="utf-8").startswith("$ANSIBLE_VAULT;")

    def ansible(
        self, program: str, *words: str, timeout: float = 400
    ) -> subprocess.CompletedProcess[str]:
        """Run a program of Ansible on the controller; any exit code is an answer."""
        started = self.start_ansible(program, *words)
        try:
            out, err = started.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            started.kill()
            out, err = started.communicate()
            raise AssertionError(f"no end in {timeout:g} s: {out[-3000:]}{err[-1000:]}") from None
        return subprocess.CompletedProcess(started.args, started.returncode, out, err)

    def start_ansible(self, program: str, *words: str) -> "subprocess.Popen[str]":
        """Start what ``ansible`` runs."""
        inventory = (
            () if program == "ansible-vault" else ("-i", str(self.folder / "inventory.json"))
        )
        argv = [needs.program(program), *inventory, *words]
        return subprocess.Popen(
            self.network.enter(*argv),
            env={
                **os.environ,
                "ANSIBLE_COLLECTIONS_PATH": str(self.folder / "collections"),
                "ANSIBLE_HOME": str(self.folder / "ansible"),
                "ANSIBLE_SSH_CONTROL_PATH_DIR": str(self.folder / "cp"),
                "ANSIBLE_PIPELINING": "true",
                "ANSIBLE_NOCOLOR": "true",
                "ANSIBLE_FORKS": "10",
                "ANSIBLE_LOCALHOST_WARNING": "false",
                "ANSIBLE_CONFIG": str(self.folder / "ansible.cfg"),
                "ANSIBLE_VAULT_PASSWORD_FILE": str(self.folder / "vault-password"),
            },
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run_here(
        self, *argv: str, environment: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a program of this machine in the network, where clients are."""
        return subprocess.run(
            self.network.enter(*argv),
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
