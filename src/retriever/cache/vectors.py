"""Vectors of texts that were encoded before, in one file that grows at its end.

The file is a row of parts: a head, the keys of some texts, their vectors. A part has a checksum, which is looked at
when its vectors are taken; one that was damaged is not known. What a killed build left unfinished at the end is
written over. A lookup of all texts of a corpus reads each part once, and in order.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from retriever.errors import PublishFailed
from retriever.types import EncoderSpec, Mask, Rows, Vectors

TextKeys = NDArray[np.uint64]
"""What stands for texts: 128 bits each, shape (texts, 2)."""

# Magic, the encoder's digest, texts, dimension, crc32 of keys and vectors; then the crc32 of all that.
_HEAD, _CHECK = struct.Struct("<8s32sIII"), struct.Struct("<I")
_BEFORE = _HEAD.size + _CHECK.size
_MAGIC = b"vectors1"
_KEY = 16
# Several versions and branches of a corpus fit before anything is forgotten.
_SLACK = 8
# So many are moved at once when the rest is forgotten.
_MOVED = 8192


def keys_of(texts: Iterable[str]) -> TextKeys:
    """Return the keys of `texts`."""
    digests = (hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_KEY).digest() for text in texts)
    return _keys_in(b"".join(digests))


@dataclass(frozen=True, slots=True)
class _Part:
    """Some texts' keys, and where the head of their part begins in the file."""

    begin: int
    keys: TextKeys


class VectorCache:
    """Vectors by the keys of their texts, of one encoder."""

    def __init__(self, path: Path, spec: EncoderSpec) -> None:
        self._path, self._spec = path, spec
        self._encoder = hashlib.sha256(msgspec.json.encode({**msgspec.to_builtins(spec), "model": ""})).digest()
        with _told(path):
            self._open()

    def __enter__(self) -> VectorCache:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def _open(self) -> None:
        self._file = self._path.open("r+b" if self._path.exists() else "w+b", buffering=0)
        self._parts: list[_Part] = []
        self._held, self._end = 0, 0
        size = self._path.stat().st_size
        while self._find_part(size):
            pass

    def _find_part(self, size: int) -> bool:
        """Take up the part at the end of those found so far; tell whether there is a whole one."""
        self._file.seek(self._end)
        head = self._file.read(_BEFORE)
        if len(head) < _BEFORE or head[_HEAD.size :] != _CHECK.pack(zlib.crc32(head[: _HEAD.size])):
            return False
        magic, encoder, count, dimension, _ = _HEAD.unpack_from(head)
        end = self._end + _BEFORE + count * (_KEY + 4 * dimension)
        if magic != _MAGIC or end > size:
            return False
        if encoder == self._encoder:
            self._parts.append(_Part(self._end, _keys_in(self._file.read(count * _KEY))))
        self._held, self._end = self._held + count, end
        return True

    def get(self, keys: TextKeys) -> tuple[Mask, Vectors]:
        """Return which texts are known, and their vectors, shape (texts, dimension): 0 where they are not."""
        vectors = np.zeros((len(keys), self._spec.dimension), np.float32)
        known = np.zeros(len(keys), np.bool_)
        with _told(self._path):
            for wanted, part, places in self._find(keys):
                held = self._vectors_of(part)
                if held is not None:
                    vectors[wanted], known[wanted] = held[places], True
        return known, vectors

    def _find(self, keys: TextKeys) -> Iterator[tuple[Rows, _Part, Rows]]:
        """Yield which of `keys` are in a part, the part, and their places in it; of two parts the one put last."""
        counts = [len(part.keys) for part in self._parts]
        held = np.concatenate([_keys_in(b""), *(part.keys for part in self._parts)])
        if not len(held):
            return
        order = np.argsort(held[:, 0], kind="stable")
        at = order[np.maximum(np.searchsorted(held[:, 0], keys[:, 0], side="right", sorter=order) - 1, 0)]
        found = np.flatnonzero((held[at] == keys).all(axis=1))
        begins = np.cumsum(counts) - counts
        parts = np.searchsorted(begins, at[found], side="right") - 1
        by_part = np.argsort(parts, kind="stable")
        for wanted in np.split(by_part, np.flatnonzero(np.diff(parts[by_part])) + 1):
            if len(wanted):
                number = int(parts[wanted[0]])
                yield found[wanted], self._parts[number], at[found[wanted]] - begins[number]

    def _vectors_of(self, part: _Part) -> Vectors | None:
        """Return a part's vectors; None if it was damaged."""
        count, dimension = len(part.keys), self._spec.dimension
        self._file.seek(part.begin)
        whole = self._file.read(_BEFORE + count * (_KEY + 4 * dimension))
        *_, crc32 = _HEAD.unpack_from(whole)
        if zlib.crc32(memoryview(whole)[_BEFORE:]) != crc32:
            return None
        return np.frombuffer(whole, "<f4", offset=_BEFORE + count * _KEY).reshape(count, dimension)

    def put(self, keys: TextKeys, vectors: Vectors) -> None:
        """Keep the vectors, shape (texts, dimension), of texts. Raises PublishFailed where the disk will not."""
        body = keys.astype("<u8").tobytes() + vectors.astype("<f4").tobytes()
        head = _HEAD.pack(_MAGIC, self._encoder, len(keys), self._spec.dimension, zlib.crc32(body))
        rest = memoryview(head + _CHECK.pack(zlib.crc32(head)) + body)
        with _told(self._path):
            self._file.truncate(self._end)
            self._file.seek(self._end)
            while rest:
                rest = rest[self._file.write(rest) :]
        self._parts.append(_Part(self._end, keys))
        self._held, self._end = self._held + len(keys), self._file.tell()

    def keep_only(self, keys: TextKeys) -> None:
        """Forget everything but these texts once the file is many times larger than what is in use."""
        if self._held <= _SLACK * (len(keys) + 1000):
            return
        keys, aside = np.unique(keys, axis=0), self._path.with_name(f".{self._path.name}")
        with _told(aside):
            aside.unlink(missing_ok=True)
            with VectorCache(aside, self._spec) as kept:
                for start in range(0, len(keys), _MOVED):
                    known, vectors = self.get(keys[start : start + _MOVED])
                    kept.put(keys[start : start + _MOVED][known], vectors[known])
            self._file.close()
            aside.replace(self._path)
            self._open()


def _keys_in(raw: bytes) -> TextKeys:
    return np.frombuffer(raw, "<u8").reshape(-1, 2)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Say what the cache needs, where it cannot be read or written."""
    try:
        yield
    except OSError as error:
        raise PublishFailed(
            f"cannot keep what was made in {path}: {error.strerror or error}",
            mend="Make room or mend the permissions, then build again; the snapshot served before still is.",
        ) from error
