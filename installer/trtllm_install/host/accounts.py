"""Names of users and groups: this machine's, or those of an image's own passwd and group."""

import grp
import pwd
from collections.abc import Callable, Iterator
from typing import Protocol

ROOT = "root"
_PASSWD, _GROUP = 7, 4  # fields in a line


class Accounts(Protocol):
    """Numbers to names and back; a number that nobody has stands for itself."""

    def user(self, uid: int) -> str:
        """Return the name of a user."""

    def group(self, gid: int) -> str:
        """Return the name of a group."""

    def home(self, user: str) -> str | None:
        """Return a user's home folder, None if there is no such user."""

    def numbers(self, user: str, group: str) -> tuple[int, int]:
        """Return uid and gid; without ``group`` the first group of the user.

        Raises KeyError for a name that is unknown.
        """


class MachineAccounts:
    """Those of this machine, from wherever its name service takes them."""

    def user(self, uid: int) -> str:
        """See Accounts.user."""
        try:
            return pwd.getpwuid(uid).pw_name
        except KeyError:
            return str(uid)

    def group(self, gid: int) -> str:
        """See Accounts.group."""
        try:
            return grp.getgrgid(gid).gr_name
        except KeyError:
            return str(gid)

    def home(self, user: str) -> str | None:
        """See Accounts.home."""
        try:
            return pwd.getpwnam(user).pw_dir
        except KeyError:
            return None

    def numbers(self, user: str, group: str) -> tuple[int, int]:
        """See Accounts.numbers."""
        account = None if user.isdigit() else pwd.getpwnam(user)
        uid = account.pw_uid if account else int(user)
        if group:
            return uid, int(group) if group.isdigit() else grp.getgrnam(group).gr_gid
        return uid, (account or pwd.getpwuid(uid)).pw_gid


MACHINE = MachineAccounts()


class TreeAccounts:
    """Those of passwd(5) and group(5) in an image: what its files will belong to."""

    def __init__(self, read: Callable[[str], bytes | None]) -> None:
        self._read = read  # a file of the image by its path there

    def user(self, uid: int) -> str:
        """See Accounts.user."""
        return self._name("/etc/passwd", uid)

    def group(self, gid: int) -> str:
        """See Accounts.group."""
        return self._name("/etc/group", gid)

    def home(self, user: str) -> str | None:
        """See Accounts.home."""
        return next((f[5] for f in self._lines("/etc/passwd", _PASSWD) if f[0] == user), None)

    def numbers(self, user: str, group: str) -> tuple[int, int]:
        """See Accounts.numbers."""
        people = {ROOT: (0, 0)}
        people |= {f[0]: (int(f[2]), int(f[3])) for f in self._lines("/etc/passwd", _PASSWD)}
        if user.isdigit():
            uid = int(user)
            gid = next((gid for known, gid in people.values() if known == uid), uid)
        else:
            uid, gid = people[user]
        if not group:
            return uid, gid
        groups = {ROOT: 0} | {f[0]: int(f[2]) for f in self._lines("/etc/group", _GROUP)}
        return uid, int(group) if group.isdigit() else groups[group]

    def _name(self, path: str, number: int) -> str:
        # Ownership by root means the same in every image, also in one without accounts.
        if number == 0:
            return ROOT
        width = _PASSWD if path == "/etc/passwd" else _GROUP
        return next((f[0] for f in self._lines(path, width) if int(f[2]) == number), str(number))

    def _lines(self, path: str, width: int) -> Iterator[list[str]]:
        """Yield the fields of every whole line; what else is there is nobody's."""
        for line in (self._read(path) or b"").decode(errors="replace").splitlines():
            fields = line.split(":")
            numbers = fields[2:4] if width == _PASSWD else fields[2:3]
            if len(fields) == width and all(number.isdigit() for number in numbers):
                yield fields
