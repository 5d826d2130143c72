"""The nginx or OpenResty that tests run: Debian's, or the one that TRTLLM_TEST_NGINX names."""

import functools
import os

import pytest

from trtllm_install.host.local import LocalHost
from trtllm_install.model.facts import ProxyBinary
from trtllm_install.probes.proxy_binary import probe_proxy_binary


class _Named(LocalHost):
    """This host, where the program to test with is the only one."""

    def which(self, program: str) -> str | None:
        """Return the named program, whichever is asked for."""
        return os.environ.get("TRTLLM_TEST_NGINX") or super().which("nginx")


@functools.cache
def proxy_program() -> ProxyBinary:
    """Return what install would find; without it the test is skipped, except in CI."""
    found = probe_proxy_binary(_Named())
    if isinstance(found, ProxyBinary) and not found.missing:
        return found
    if os.environ.get("CI"):
        pytest.fail(f"no nginx with ngx_lua, resty.core and cjson: {found}")
    pytest.skip("needs nginx, libnginx-mod-http-lua and lua-cjson, or OpenResty")
