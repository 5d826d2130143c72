"""The few files by which an image is known for one that could be booted; nothing in it runs."""

from pathlib import Path

PASSWD = "root:x:0:0:root:/root:/bin/bash\nbackup:x:999:34:a:/var/backups:/usr/sbin/nologin\n"
GROUP = "root:x:0:\nbackup:x:34:\nkvm:x:998:\n"
NGINX = (
    b"\0nginx version: nginx/1.22.1\n\0configure arguments: --modules-path=/usr/lib/nginx/modules\0"
)
_PROGRAMS = {
    "usr/lib/systemd/systemd": b"",
    "usr/lib/systemd/libsystemd-shared-252.so": b"",
    "usr/sbin/nginx": NGINX,
    "opt/trtllm/tool/bin/trtllm-supervise": b"",
    "opt/trtllm/tool/bin/supervisord": b"",
}
_FILES = {
    "etc/passwd": PASSWD,
    "etc/group": GROUP,
    "etc/shadow": "root:*:1::::::\n",
    "usr/lib/nginx/modules/ndk_http_module.so": "",
    "usr/lib/nginx/modules/ngx_http_lua_module.so": "",
    "usr/share/lua/5.1/resty/core.lua": "",
    "usr/lib/x86_64-linux-gnu/lua/5.1/cjson.so": "",
}


def image_tree(root: Path) -> Path:
    """Make Debian's outline below ``root`` and return it."""
    for folder in ("etc/systemd/system", "etc/tmpfiles.d", "run", "sbin", "var/lib", "var/log"):
        (root / folder).mkdir(parents=True)
    for name, content in (*_PROGRAMS.items(), *((n, t.encode()) for n, t in _FILES.items())):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
        (root / name).chmod(0o755 if name in _PROGRAMS else 0o644)
    (root / "sbin/init").symlink_to("/lib/systemd/systemd")
    (root / "lib").symlink_to("usr/lib")
    (root / "etc/shadow").chmod(0o640)
    return root
