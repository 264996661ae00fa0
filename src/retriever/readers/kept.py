"""What a file was read as before, so that only what changed is read again.

It is kept by the file's bytes and all else that a reading comes of: the name and options, the readers' own code, this
Python and every package that is installed.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import MutableMapping
from contextlib import suppress
from functools import cache
from pathlib import Path

import msgspec

from retriever.readers.jobs import Job, Parsed

Kept = MutableMapping[bytes, bytes]

_HERE = Path(__file__).parent
_CODE = (_HERE, _HERE.parent / "types.py")


def key_of(job: Job, data: bytes) -> bytes:
    """Return what a reading of a file with these bytes is kept by."""
    return hashlib.sha256(_readers() + hashlib.sha256(data).digest() + msgspec.json.encode(job)).digest()


def recall(kept: Kept, key: bytes) -> Parsed | None:
    """Return what was kept; None where nothing was, or nothing that can be read."""
    try:
        return msgspec.json.decode(kept[key], type=Parsed)
    except (KeyError, msgspec.MsgspecError, UnicodeDecodeError):
        return None


def keep(kept: Kept, key: bytes, parsed: Parsed) -> None:
    """Keep a reading, unless its file may be read differently another time: when the machine is less busy, say."""
    if parsed.entries and all(refusal.line is not None for refusal in parsed.refused):
        kept[key] = msgspec.json.encode(parsed)


@cache
def _readers() -> bytes:
    """Return a digest of what reads: its code, this Python, and the names of the installed packages with versions."""
    digest = hashlib.sha256(sys.version.encode())
    for path in _CODE:
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            digest.update(file.name.encode() + b"\0" + hashlib.sha256(file.read_bytes()).digest())
    for folder in sorted(set(sys.path)):
        with suppress(OSError):  # not every place that is searched is there, or is a folder
            packages = sorted(path.name for path in Path(folder).glob("*.dist-info"))
            digest.update("\n".join(packages).encode("utf-8", "surrogateescape"))
    return digest.digest()
