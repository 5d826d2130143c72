"""A Debian host that lacks packages, and a look at it."""

from fakes.fake_apt import FakeApt, bare_debian
from fakes.fake_systemd import FakeSystemd
from fakes.heard import Heard
from trtllm_install.app.observe import Judged, look_at
from trtllm_install.app.options import Options

MULTI = Options(profile="multi", simulate=True)
REAL = Options(profile="multi", weights_dir="/models")
MISSING = ("nginx", "libnginx-mod-http-lua", "lua-cjson")


def lacking_host() -> FakeApt:
    """Return apt of a host with nothing of ours, of nginx or of Open MPI."""
    host, apt = bare_debian()
    FakeSystemd(host)
    return apt


def looked(apt: FakeApt, options: Options = MULTI) -> Judged:
    """Return what is found before anything is done."""
    return look_at(apt.host, options, Heard())


def codes(judged: Judged) -> set[str]:
    """Return the codes of the findings that count."""
    return {f.code for f in judged.findings if f.muted_by is None}
