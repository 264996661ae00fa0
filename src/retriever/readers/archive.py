"""A zip of corpus files → the files in it, each under bounds. Nothing is ever written to disk."""

from __future__ import annotations

import io
import stat
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from retriever.readers.drafts import Flaw
from retriever.readers.files import MAX_FILE_BYTES, RESERVED

MAX_FILES = 1_000
# What zipfile raises where an archive is damaged, encrypted, or packed in a way that it does not know.
BROKEN = (zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError, OSError, ValueError, EOFError, KeyError)


@dataclass(frozen=True, slots=True)
class Member:
    """A file in an archive: its name, and its bytes, or why it is not read."""

    name: str
    data: bytes = b""
    refused: str | None = None


def members_of(data: bytes) -> Iterator[Member]:
    """Yield the files of an archive in its order; all of them together may have as many bytes as one file may."""
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except BROKEN as error:
        raise Flaw("is not a whole zip: make it again") from error
    files = [info for info in archive.infolist() if not info.is_dir() and not _left_alone(info.filename)]
    if len(files) > MAX_FILES:
        raise Flaw(f"holds {len(files):,} files, at most {MAX_FILES:,} are read: split it")
    left = MAX_FILE_BYTES
    for info in files:
        name = "".join(char if char.isprintable() else "?" for char in info.filename)
        if why := _refused(info):
            yield Member(name, refused=why)
            continue
        try:
            with archive.open(info) as file:
                held = file.read(left + 1)  # whatever size it claims
        except BROKEN:
            yield Member(name, refused="is damaged in the zip, or packed in a way that is not read: make it again")
            continue
        left -= len(held)
        if left < 0:
            raise Flaw(f"holds over {MAX_FILE_BYTES / 1e6:.0f} MB once unpacked: from `{name[:80]}` on nothing is read")
        yield Member(name, held)


def _left_alone(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return any((part.startswith(".") and part != "..") or part in {"__MACOSX", "__pycache__"} for part in parts) or (
        bool(parts) and parts[-1] == RESERVED
    )


def _refused(info: zipfile.ZipInfo) -> str | None:
    path = PurePosixPath(info.filename.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or (path.parts[:1] and path.parts[0].endswith(":")):
        return "has a name that leads out of the zip"
    if stat.S_ISLNK(info.external_attr >> 16):
        return "is a link"
    if info.flag_bits & 1:
        return "is encrypted: make the zip without a password"
    if path.suffix.lower() == ".zip":
        return "is a zip within a zip: unpack it"
    return None
