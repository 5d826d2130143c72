"""What apt-get of Debian 12 and 13 says is understood, and to be asked leaves no trace."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from typing import Any

import pytest

from lab import images, roots
from lab.manifest import assert_same, manifest_of
from lab.repository import INDEX, REFRESH

pytestmark = [pytest.mark.lab, pytest.mark.timeout(300)]

USER = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
ASK = """
import json, sys
from trtllm_install.host.local import LocalHost
from trtllm_install.probes.package_manager import probe_candidate, probe_packages
wanted, debs, majors = json.load(sys.stdin)
seen = probe_packages(LocalHost(), wanted, debs, majors=majors)
answer = {"brings": {p.name: p.version for p in seen.brings}, "problem": seen.problem}
print(json.dumps(answer | {f"{name} here": probe_candidate(LocalHost(), name) for name in majors}))
"""
# A repository of ours beside Debian's; "here" is installed in version 2.
PACKAGES = """
set -e
pack() {
    mkdir -p "/tmp/$1/DEBIAN" /repository
    printf '%s\\n' "Package: ${1%%_*}" "Version: $2" "Architecture: $3" "$4" \\
        "Maintainer: me <me@localhost>" "Description: one of ours" >"/tmp/$1/DEBIAN/control"
    dpkg-deb --build "/tmp/$1" "/repository/$1.deb"
}
pack here_1 1 all "Section: misc"
pack here_2 2 all "Section: misc"
pack here_3 3 all "Section: misc"
pack new 1:3~x+y all "Depends: needed, here (>= 2)
Recommends: foe
Suggests: newer, no-such"
pack needed 1 all "Section: misc"
pack newer 1 all "Depends: here (>= 3)"
pack foe 1 all "Conflicts: here"
pack lost 1 all "Depends: no-such"
pack foreign 1 i386 "Section: misc"
pack old 4.2 amd64 "Section: misc"
pack old_i386 4.2 i386 "Conflicts: old"
pack late 5.1 amd64 "Section: misc"
"""
READY = """
dpkg --add-architecture i386
dpkg --install here_2.deb
"""
CONTRARY = """cat >/etc/apt/apt.conf.d/99ours <<'END'
quiet "2"; APT::Get::Show-Versions "0"; APT::Get::Assume-Yes "1";
APT::Output-Version "30"; APT::Color "1";
END"""


@pytest.fixture(scope="module")
def host_of() -> Iterator[Callable[[images.Release], roots.PlainRoot]]:
    with ExitStack() as stack:

        @cache
        def begun(release: images.Release) -> roots.PlainRoot:
            root = stack.enter_context(roots.PlainRoot(release, bare=True))
            root.check("sh", "-c", PACKAGES + INDEX + REFRESH + READY)
            return root

        yield begun


@pytest.fixture(params=[images.DEBIAN_12, images.DEBIAN_13], ids=lambda release: release.suite)
def host(
    request: pytest.FixtureRequest, host_of: Callable[[images.Release], roots.PlainRoot]
) -> roots.PlainRoot:
    return host_of(request.param)


def ask(
    host: roots.PlainRoot, *words: str, by: tuple[str, ...] = (), **majors: int
) -> dict[str, Any]:
    """Ask for packages, or where the words are files, for these."""
    debs = [word for word in words if word.startswith("/")]
    ended = host.run(
        *(*by, "python3", "-B", "-c", ASK),
        environment={"PYTHONPATH": f"{roots.CHECKOUT_INSIDE}/installer"},
        stdin=json.dumps([["anything"] if debs else words, debs, majors]),
    )
    assert ended.returncode == 0, ended.stderr
    answer: dict[str, Any] = json.loads(ended.stdout)
    return answer


@pytest.mark.parametrize(
    ("words", "brings"),
    [
        (["new"], {"needed": "1", "new": "1:3~x+y"}),
        (["here", "needed"], {"needed": "1"}),
        (["here"], {}),
        (["foreign:i386", "needed"], {"foreign:i386": "1", "needed": "1"}),
        (["/repository/new.deb", "/repository/needed.deb"], {"needed": "1", "new": "1:3~x+y"}),
    ],
)
def test_what_would_come_is_named(
    host: roots.PlainRoot, words: list[str], brings: dict[str, str]
) -> None:
    assert ask(host, *words) == {"brings": brings, "problem": ""}


def test_a_package_of_another_version_is_left_out_and_the_others_are_not(
    host: roots.PlainRoot,
) -> None:
    """Also where another architecture has one of this name, which conflicts with ours."""
    seen = ask(host, "old", "late", "never", "needed", old=4, late=4, never=4)
    assert seen == {
        "brings": {"needed": "1", "old": "4.2"},
        "problem": "",
        "old here": "4.2",
        "late here": "5.1",
        "never here": "",
    }


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["newer"], "it would upgrade or remove here"),
        (["foe"], "it would upgrade or remove here"),
        (["/repository/here_3.deb"], "it would upgrade or remove here"),
        (["/repository/here_1.deb"], "it would upgrade or remove here"),
        (["needed", "no-such-one"], "apt-get says: Unable to locate package no-such-one"),
        (["lost"], "apt-get says: Unable to correct problems, you have held broken packages"),
    ],
)
def test_what_it_cannot_bring_is_a_problem(
    host: roots.PlainRoot, words: list[str], problem: str
) -> None:
    assert ask(host, *words)["problem"].startswith(problem)


@pytest.mark.parametrize(
    ("before", "after", "problem"),
    [
        ("apt-mark hold here", "apt-mark unhold here", "apt-get says: "),
        (
            "dpkg --force-depends --install /repository/lost.deb",
            "dpkg --purge lost",
            "apt-get says: Unmet dependencies",
        ),
        (
            "echo nonsense >/etc/apt/sources.list.d/bad.list",
            "rm /etc/apt/sources.list.d/bad.list",
            "apt-get says: Malformed line 1",
        ),
    ],
)
def test_what_is_wrong_with_the_host_is_a_problem(
    host: roots.PlainRoot, before: str, after: str, problem: str
) -> None:
    host.check("sh", "-c", before)
    said = ask(host, "newer")["problem"]
    host.check("sh", "-c", after)
    assert said.startswith(problem)


def test_the_form_of_the_answer_is_not_left_to_apt_conf(host: roots.PlainRoot) -> None:
    host.check("sh", "-c", CONTRARY)
    seen = ask(host, "new")
    host.check("rm", "/etc/apt/apt.conf.d/99ours")
    assert seen == {"brings": {"needed": "1", "new": "1:3~x+y"}, "problem": ""}


@pytest.mark.parametrize("by", [(), USER], ids=["root", "user"])
def test_to_be_asked_leaves_no_trace(host: roots.PlainRoot, by: tuple[str, ...]) -> None:
    """Not even of an archive that is broken, which apt removes when it looks for its own."""
    host.check("apt-cache", "gencaches")  # apt's own cache; whoever asks as root renews it
    (archive,) = (host.tree / "var/cache/apt/archives").glob("lua-cjson_*.deb")
    archive.write_bytes(b"half of it")
    before = manifest_of(host.tree / "var")
    seen = ask(host, "lua-cjson", by=by)
    assert (seen["problem"], list(seen["brings"])) == ("", ["lua-cjson"])
    assert_same(before, manifest_of(host.tree / "var"))
