"""A package that only a warning asks for fails in dpkg, and undoes no install."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from lab import images, roots
from lab.repository import INDEX, REFRESH

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]
STAGED = True

TOOL = "trtllm-install"
OURS = {"libours", "openmpi-bin"}
REAL = ("--profile", "multi", "--weights-dir", "/srv/weights", "--init", "supervisord")
# A host without GPU, weights and engine.
ACCEPTED = ("driver-missing", "weights-missing", "engine-missing")
ACCEPTING = [word for code in ACCEPTED for word in ("--accept", code)]
# Beside Debian's lists and archives: an Open MPI whose scripts fail on request.
REPOSITORY = """
set -e
pack() {
    mkdir -p "/tmp/$1/DEBIAN" /repository /srv/weights
    printf '%s\\n' "Package: $1" "Version: 4.9" "Architecture: $2" "$3" \\
        "Maintainer: me <me@localhost>" "Description: one of ours" >"/tmp/$1/DEBIAN/control"
    dpkg-deb --build "/tmp/$1" "/repository/$1.deb"
}
mkdir -p /tmp/openmpi-bin/DEBIAN /tmp/openmpi-bin/usr/bin
cat >/tmp/openmpi-bin/DEBIAN/postinst <<'END'
#!/bin/sh
[ -e /srv/broken ] || exit 0
echo "no rank for this host" >&2
exit 3
END
printf '#!/bin/sh\\n[ ! -e /srv/stuck ]\\n' >/tmp/openmpi-bin/DEBIAN/prerm
chmod 0755 /tmp/openmpi-bin/DEBIAN/postinst /tmp/openmpi-bin/DEBIAN/prerm
printf '#!/bin/sh\\necho mpirun "(Open MPI)" 4.9.0\\n' >/tmp/openmpi-bin/usr/bin/mpirun
chmod 0755 /tmp/openmpi-bin/usr/bin/mpirun
pack openmpi-bin "$(dpkg --print-architecture)" "Depends: libours"
pack libours all "Section: libs"
cat >/etc/apt/preferences.d/ours <<'END'
Package: openmpi-bin
Pin: version 4.9
Pin-Priority: 1001
END
"""
OVERHEARD = r"""
mv /usr/bin/apt-get /usr/bin/apt-get.real
printf '#!/bin/sh\ntouch /srv/asked\nexec apt-get.real "$@"\n' >/usr/bin/apt-get
chmod 0755 /usr/bin/apt-get
"""


@pytest.fixture(scope="module")
def host() -> Iterator[roots.PlainRoot]:
    with roots.PlainRoot(images.DEBIAN_12, bare=True) as root:
        root.check("sh", "-c", REPOSITORY + INDEX + REFRESH)
        ended = root.bootstrap("--version")
        assert ended.returncode == 0, ended.stderr
        root.check("touch", "/srv/broken")
        yield root


def install(host: roots.PlainRoot) -> tuple[dict[str, Any], str]:
    """Install what is not started; return the answer and what was said meanwhile."""
    words = (*REAL, "--no-start", *ACCEPTING, "--output", "json")
    ended = host.run(TOOL, *words, timeout=180)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout), ended.stderr


def states(host: roots.PlainRoot) -> dict[str, str]:
    """Return every package with its state, also what is left of removed ones."""
    form = "--showformat=${Package} ${db:Status-Status}\n"
    return dict(line.split() for line in host.check("dpkg-query", "--show", form).splitlines())


def brought(answer: dict[str, Any]) -> set[str]:
    return {c["path"] for c in answer["changes"] if c["kind"] == "package"}


def owned(host: roots.PlainRoot) -> set[str]:
    return {*json.loads(host.check("cat", "/var/lib/trtllm/receipt.json"))["packages"]}


def test_an_install_goes_on_and_says_what_failed_and_why(host: roots.PlainRoot) -> None:
    answer, said = install(host)
    assert {"nginx", "lua-cjson"} <= brought(answer) == owned(host)
    assert not OURS & brought(answer)
    (finding,) = (f for f in answer["findings"] if f["code"] == "open-mpi-missing")
    assert "post-installation script subprocess returned error exit status 3" in finding["message"]
    assert "(no rank for this host)" in finding["message"]
    assert "sudo apt-get install openmpi-bin" in finding["remedy"]
    assert "goes on without openmpi-bin: cannot run apt-get install: openmpi-bin:" in said
    assert not OURS & {*states(host)}
    assert host.check("dpkg", "--audit") == ""


def test_a_second_install_changes_nothing_and_asks_apt_nothing(host: roots.PlainRoot) -> None:
    host.check("sh", "-c", OVERHEARD)
    answer, _ = install(host)
    host.check("mv", "/usr/bin/apt-get.real", "/usr/bin/apt-get")
    assert not (host.tree / "srv/asked").exists()
    assert (answer["changed"], answer["changes"]) == (False, [])
    (finding,) = (f for f in answer["findings"] if f["code"] == "open-mpi-missing")
    assert "(no rank for this host)" in finding["message"]
    assert "tries again once apt's lists or packages change" in finding["message"]


def test_what_cannot_be_taken_away_is_told_and_owned(host: roots.PlainRoot) -> None:
    host.check("sh", "-c", f"touch /srv/stuck; {REFRESH}")
    answer, _ = install(host)
    (finding,) = (f for f in answer["findings"] if f["code"] == "open-mpi-missing")
    assert "sudo apt-get purge " in finding["message"]
    assert states(host)["openmpi-bin"] != "installed"
    assert owned(host) > OURS == brought(answer)


def test_purging_takes_all_of_it_away(host: roots.PlainRoot) -> None:
    host.check("rm", "/srv/stuck")
    ended = host.run(TOOL, "uninstall", "--purge", "--yes", timeout=180)
    assert ended.returncode == 0, ended.stderr
    assert not {*OURS, "nginx", "lua-cjson"} & {*states(host)}


def test_once_it_is_mended_it_comes_with_the_rest(host: roots.PlainRoot) -> None:
    host.check("rm", "/srv/broken")
    answer, _ = install(host)
    assert {"nginx", *OURS} <= brought(answer) == owned(host)
    assert "open-mpi-missing" not in {f["code"] for f in answer["findings"]}
