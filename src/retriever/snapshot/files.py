"""Files and folders of a snapshot: held while they are read, made durable, digested."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retriever.errors import SnapshotDamaged
from retriever.snapshot.layout import build_again

_NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL)


class HeldFile:
    """An open file or folder, read at any place by several threads, and closed once however often it is told to.

    Where its `content` is in memory already, that is what is read, whatever becomes of the file.
    """

    _handle: int | None = None
    _content: NDArray[np.uint8] | None = None

    def __init__(self, path: Path, content: NDArray[np.uint8] | None = None) -> None:
        self._handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._content = content

    def read(self, length: int, start: int) -> bytes:
        if self._handle is None:
            raise ValueError("the snapshot is closed")
        if self._content is not None:
            return self._content[start : start + length].tobytes()
        return os.pread(self._handle, length, start)

    def lock(self, kind: int) -> bool:
        """Lock it, shared or exclusive, until it is closed; tell whether that can be had at once."""
        assert self._handle is not None
        try:
            fcntl.flock(self._handle, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as error:
            # Where a disk knows no locks, nothing is ever removed under a reader: a reader is told that it has one.
            return kind == fcntl.LOCK_SH and error.errno in _NO_LOCKS
        return True

    def close(self) -> None:
        handle, self._handle, self._content = self._handle, None, None
        if handle is not None:
            os.close(handle)

    __del__ = close


def hold(folder: Path) -> HeldFile:
    """Return the open folder of a snapshot, which no build removes until it is closed."""
    try:
        held = HeldFile(folder)
    except OSError as error:
        problem = f"cannot be read: {error.strerror}"
        raise SnapshotDamaged(
            f"{folder.name}/manifest.json", problem, mend=build_again(folder.parent.parent)
        ) from error
    if not held.lock(fcntl.LOCK_SH):
        held.close()
        raise SnapshotDamaged(folder.name, "is being removed", mend=build_again(folder.parent.parent))
    return held


def sync(path: Path) -> None:
    """Make a file or a folder durable."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def digest_of(path: Path) -> str:
    """Return the sha256 of a file; of one larger than a part, that of its parts' own, which are read side by side."""
    size = path.stat().st_size
    if size <= _PART:
        return _digest_part(path, 0).hex()
    with ThreadPoolExecutor(READERS) as readers:
        parts = list(readers.map(lambda start: _digest_part(path, start), range(0, size, _PART)))
    return hashlib.sha256(b"".join(parts)).hexdigest()


# One core digests about 1.5 GB a second, and the snapshot of a million entries has several.
_PART, _READ_AT_ONCE, READERS = 64 * 2**20, 2**20, os.cpu_count() or 1


def digest_in(content: memoryview) -> str:
    """Return what `digest_of` returns for a file that holds `content`."""
    if len(content) <= _PART:
        return hashlib.sha256(content).hexdigest()
    parts = (content[at : at + _PART] for at in range(0, len(content), _PART))
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()


def _digest_part(path: Path, start: int) -> bytes:
    digest, end = hashlib.sha256(), start + _PART
    with path.open("rb", buffering=0) as file:
        file.seek(start)
        while start < end and (block := file.read(min(_READ_AT_ONCE, end - start))):
            digest.update(block)
            start += len(block)
    return digest.digest()
