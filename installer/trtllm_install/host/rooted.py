"""Paths of an image tree, with its links read as they will be once the tree is a root."""

import errno
import os

_LINKS = 40  # as many as the kernel follows before it calls it a loop


def below(root: str, path: str, *, follow: bool) -> str:
    """Return where ``path`` of the image at ``root`` really is, never outside of ``root``.

    Absolute links lead below ``root`` and ``..`` stops there, as after chroot(2). The last
    part is followed only with ``follow``. Raises OSError (ELOOP) for a loop.
    """
    todo = _parts(path)
    real: list[str] = []
    followed = 0
    while todo:
        part = todo.pop(0)
        step = "/".join((root, *real, part))
        if part == "..":
            del real[-1:]
        elif (todo or follow) and os.path.islink(step):
            followed += 1
            if followed > _LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
            target = os.readlink(step)
            real = [] if target.startswith("/") else real
            todo = _parts(target) + todo
        else:
            real.append(part)
    return "/".join((root, *real))


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part not in {"", "."}]
