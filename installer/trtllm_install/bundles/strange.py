"""What a member of a tar is that should not be there, in words."""

import tarfile

from trtllm_install.model.bundle import clean_path_problem

_KINDS = {
    tarfile.SYMTYPE: "a symbolic link",
    tarfile.LNKTYPE: "a hard link",
    tarfile.CHRTYPE: "a device",
    tarfile.BLKTYPE: "a device",
    tarfile.FIFOTYPE: "a named pipe",
    tarfile.DIRTYPE: "a folder",
}


def describe_member(header: bytes) -> str:
    """Return the path of a plain file, and with it what is strange about any other member."""
    if not any(header):
        return "the end of the archive"
    try:
        info = tarfile.TarInfo.frombuf(header, "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return "no tar header"
    name = info.name.encode("unicode_escape", "surrogatepass").decode()
    words = [] if info.type in tarfile.REGULAR_TYPES else [_KINDS.get(info.type, "no plain file")]
    if info.linkname:
        words.append(f"to {info.linkname}")
    if problem := clean_path_problem(info.name):
        words.append(problem)
    return f"{name} ({', '.join(words)})" if words else name
