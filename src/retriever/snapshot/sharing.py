"""The files of a snapshot in memory that several processes share: the first that opens it reads them for all.

A file that is mapped would be shared too, but whoever may write it could change an answer, or cut it short under who
reads it. This memory has no name on any disk, and is sealed: from then on nobody can change it. It is gone with the
last process that uses it.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retriever.arrays import ALIGN, Read, open_bytes
from retriever.errors import SnapshotDamaged
from retriever.snapshot.files import digest_in
from retriever.snapshot.layout import build_again
from retriever.types import Manifest

# More processes than share one parent; those that find no room have memory of their own.
_ROWS, _ROW = 64, np.dtype([("pid", "<i4"), ("handle", "<i4")])


class SharedFiles:
    """What processes share that are forked after it was made. Each opens one snapshot at a time.

    Where there is no such memory, each has its own.
    """

    def __init__(self) -> None:
        # Which process has which memory open. Who looks for it opens it through that process.
        self._table = np.frombuffer(mmap.mmap(-1, _ROWS * _ROW.itemsize), _ROW)
        self._lock = os.memfd_create("retriever-lock") if hasattr(os, "memfd_create") else None
        self._own: tuple[int, int] | None = None

    def read(self, folder: Path, manifest: Manifest, names: Sequence[str]) -> Read:
        """Return what reads `names` of the snapshot in `folder` from shared memory, and every other file as it is.

        Raises SnapshotDamaged if one is not what the manifest says.
        """
        if self._lock is None:
            return open_bytes
        places = _places(manifest, names)
        name = f"retriever-{manifest.id}"
        with self._turn(self._lock):
            handle = self._find(name)
            if handle is None:
                handle = _filled(name, folder, manifest, places)
            self._offer(handle)
        whole = np.frombuffer(mmap.mmap(handle, 0, prot=mmap.PROT_READ), np.uint8)
        held = {folder / file: whole[start:end] for file, (start, end) in places.items()}

        def read(path: Path) -> NDArray[np.uint8]:
            return held[path] if path in held else open_bytes(path)

        return read

    @contextmanager
    def _turn(self, lock: int) -> Iterator[None]:
        """Let one process at a time look, and read: the lock is the kernel's, and free once its holder is gone."""
        fcntl.lockf(lock, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.lockf(lock, fcntl.LOCK_UN)

    def _find(self, name: str) -> int | None:
        """Return the memory of this name that another process has open."""
        for pid, handle in self._table.tolist():
            path = Path(f"/proc/{pid}/fd/{handle}")
            # It may be gone, and what has its number now be anything.
            with suppress(OSError):
                if pid and str(path.readlink()).startswith(f"/memfd:{name} "):
                    return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        return None

    def _offer(self, handle: int) -> None:
        """Keep `handle` open for others to find, and no longer the one before: what maps it has it still."""
        if self._own and self._own[0] == os.getpid():
            os.close(self._own[1])
        self._own = os.getpid(), handle
        for row in range(_ROWS):
            pid = int(self._table["pid"][row])
            if pid in (0, os.getpid()) or not Path(f"/proc/{pid}").exists():
                self._table[row] = self._own
                return


def _places(manifest: Manifest, names: Sequence[str]) -> dict[str, tuple[int, int]]:
    """Return where each file lies: from and to, with its end on a multiple of ALIGN."""
    places, end = {}, 0
    for name in names:
        size = manifest.sizes[name]
        end = -(-(end + size) // ALIGN) * ALIGN
        places[name] = end - size, end
    return places


def _filled(name: str, folder: Path, manifest: Manifest, places: dict[str, tuple[int, int]]) -> int:
    """Return new memory that holds the files of `folder`, sealed."""
    handle = os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        with open(handle, "wb", buffering=0, closefd=False) as memory:
            for file, (start, _) in places.items():
                memory.seek(start)
                with (folder / file).open("rb", buffering=0) as source:
                    shutil.copyfileobj(source, memory, _AT_ONCE)
            memory.truncate(max((end for _, end in places.values()), default=ALIGN))
        seals = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
        fcntl.fcntl(handle, fcntl.F_ADD_SEALS, seals)
        with mmap.mmap(handle, 0, prot=mmap.PROT_READ) as whole, memoryview(whole) as held:
            for file, (start, end) in places.items():
                if digest_in(held[start:end]) != manifest.files[file]:
                    problem = "is not what was published (sha256 differs)"
                    raise SnapshotDamaged(f"{manifest.id}/{file}", problem, mend=build_again(folder.parent.parent))
    except BaseException:
        os.close(handle)
        raise
    return handle


_AT_ONCE = 2**20
