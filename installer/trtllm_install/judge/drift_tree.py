"""Files, folders, links and the account on disk, against the receipt."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from trtllm_install.model.desired import Desired, Directory, File
from trtllm_install.model.drift import Drift, DriftKind, Weight
from trtllm_install.model.receipt import Receipt
from trtllm_install.model.tree import Seen, Tree

AGAIN = "sudo trtllm-install"
_OFFERED = "beside an edited file"


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """What was installed: the receipt, and the whole that its generation keeps."""

    receipt: Receipt
    whole: Desired | None  # None: its record cannot be read

    @property
    def files(self) -> Mapping[str, File]:
        """Files by path, empty where the whole is not known."""
        return {file.path: file for file in self.whole.files} if self.whole else {}


def judge_tree(
    installed: Installed, tree: Tree, unread: Mapping[str, str], homes: Mapping[str, str | None]
) -> Iterator[Drift]:
    """Yield what differs; ``unread`` are paths that could not be read, and why."""
    for path, reason in sorted(unread.items()):
        yield Drift(
            kind="file", subject=path, aspect="content", found=reason, weight=Weight.UNKNOWN
        )
    yield from _accounts(installed, homes)
    for directory in installed.whole.directories if installed.whole else ():
        yield from _directory(directory, tree.paths.get(directory.path))
    for path in sorted(installed.receipt.files):
        if path not in unread:
            yield from _file(installed, path, tree.paths.get(path))
    for path, target in sorted(installed.receipt.links.items()):
        if path not in unread:
            yield from _link(path, target, tree.paths.get(path))


def _accounts(installed: Installed, homes: Mapping[str, str | None]) -> Iterator[Drift]:
    for account in installed.whole.accounts if installed.whole else ():
        home = homes[account.name]
        if home is None:
            yield _missing("account", account.name, "a system user", AGAIN)
        elif home != account.home and account.name in installed.receipt.accounts:
            yield Drift(
                kind="account",
                subject=account.name,
                aspect="home",
                expected=account.home,
                found=home,
                remedy=f"sudo usermod --home {account.home} {account.name}",
            )


def _directory(wanted: Directory, there: Seen | None) -> Iterator[Drift]:
    if there is None:
        yield _missing("directory", wanted.path, "a folder", AGAIN)
    elif there.kind != "directory":
        yield _other_type("directory", wanted.path, "a folder", there)
    else:
        yield from _rights("directory", wanted.path, wanted, there)


def _file(installed: Installed, path: str, there: Seen | None) -> Iterator[Drift]:
    owned, shipped = installed.receipt.files[path], installed.files.get(path)
    if owned.template == _OFFERED:
        if there is not None:
            yield Drift(
                kind="file",
                subject=path,
                aspect="offered",
                found="ours lies beside an edited file",
                remedy=f"take over what you want of it, then: sudo rm {path}",
                weight=Weight.INFORMATION,
            )
        return
    if there is None:
        yield _missing("file", path, "a file", f"{AGAIN} --on-conflict restore")
    elif there.kind != "file":
        yield _other_type("file", path, "a file", there)
    else:
        if there.digest != owned.digest:
            yield Drift(
                kind="file",
                subject=path,
                aspect="content",
                expected=f"sha256 {owned.digest[:12]}",
                found=f"sha256 {there.digest[:12]}",
                remedy=f"{AGAIN} --on-conflict replace; or move what was edited to "
                "/etc/trtllm/site.yaml before",
            )
        if shipped:
            yield from _rights("file", path, shipped, there)


def _rights(kind: DriftKind, path: str, wanted: File | Directory, there: Seen) -> Iterator[Drift]:
    if there.mode != wanted.mode:
        yield Drift(
            kind=kind,
            subject=path,
            aspect="mode",
            expected=f"{wanted.mode:04o}",
            found=f"{there.mode:04o}",
            remedy=f"sudo chmod {wanted.mode:04o} {path}",
        )
    if there.owner != wanted.owner:
        yield Drift(
            kind=kind,
            subject=path,
            aspect="owner",
            expected=wanted.owner,
            found=there.owner,
            remedy=f"sudo chown {wanted.owner}: {path}",
        )


def _link(path: str, target: str, there: Seen | None) -> Iterator[Drift]:
    if there is None:
        yield _missing("link", path, f"a link to {target}", AGAIN)
    elif there.kind != "link":
        yield _other_type("link", path, f"a link to {target}", there)
    elif there.target != target:
        yield Drift(
            kind="link",
            subject=path,
            aspect="target",
            expected=target,
            found=there.target,
            remedy=f"sudo ln -sfn {target} {path}",
        )


def _missing(kind: DriftKind, subject: str, expected: str, remedy: str) -> Drift:
    return Drift(
        kind=kind,
        subject=subject,
        aspect="missing",
        expected=expected,
        found="nothing",
        remedy=remedy,
    )


def _other_type(kind: DriftKind, path: str, expected: str, there: Seen) -> Drift:
    words = {"link": f"a link to {there.target}", "directory": "a folder", "file": "a file"}
    return Drift(
        kind=kind,
        subject=path,
        aspect="type",
        expected=expected,
        found=words.get(there.kind, "a socket or device"),
        remedy=f"sudo mv {path} {path}.aside, then: {AGAIN} --on-conflict restore",
    )
