"""Entries to the rows of a snapshot: their passages, and the keys of the texts. What was cut before is carried over.

An entry is known again by what is cut: its kind, its question and alternates, and its answer. Its line may move.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator, MutableMapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from retriever.cache import TextKeys, keys_of
from retriever.passages import passages_of, text_of
from retriever.snapshot import KINDS, PASSAGE, encode_passages
from retriever.types import Encoder, Entry, Mask

Kept = MutableMapping[bytes, bytes]
_ROOMS = Path(__file__).parent.parent


@dataclass(frozen=True, slots=True)
class Cut:
    """The passages of `entries`, a row each: `table` is what a snapshot holds of them, `keys` stand for their texts."""

    entries: Sequence[Entry]
    table: NDArray[np.void]
    keys: TextKeys

    def __len__(self) -> int:
        return len(self.table)

    def texts(self, rows: NDArray[np.int64]) -> Iterator[str]:
        """Yield the texts of `rows`."""
        for ordinal, kind, number, start, end in self.table[rows].tolist():
            yield text_of(self.entries[ordinal], KINDS[kind], number)[start:end]

    def of_kind(self, kind: str) -> Mask:
        """Return which rows are of a kind, shape (rows,)."""
        return np.asarray(self.table["kind"] == KINDS.index(kind))

    @property
    def split(self) -> int:
        """How many rows begin where the encoder's window cut the text before them."""
        return int(np.count_nonzero((self.table["start"] > 0) & ~self.of_kind("sentence")))


class _Known(msgspec.Struct):
    """What entries were cut into: the key of each, how many rows it has, the rows, and the keys of their texts."""

    entries: bytes
    counts: bytes
    table: bytes
    keys: bytes


def cut(entries: Sequence[Entry], encoder: Encoder, kept: Kept) -> Cut:
    """Return the passages of `entries`, and keep them in `kept` for the next build with this encoder."""
    name = _cutter(encoder)
    owned, counts, table, keys = _recall(kept, name)
    ends = np.cumsum(counts)
    own = [_key_of(entry) for entry in entries]
    places = {key: place for place, key in enumerate(owned)}
    parts, part_keys = [table], [keys]
    fresh: list[int] = []
    for ordinal, entry in enumerate(entries):
        if own[ordinal] not in places:
            passages = passages_of(entry, encoder.fit)
            places[own[ordinal]] = len(counts) + len(fresh)
            fresh.append(len(passages))
            parts.append(encode_passages([(0, passage) for passage in passages]))
            part_keys.append(keys_of(passage.text for passage in passages))
    counts = np.append(counts, np.array(fresh, np.int64))
    ends = np.cumsum(counts)
    at = np.array([places[key] for key in own], np.int64)
    many = counts[at]
    rows = np.repeat(ends[at] - np.cumsum(many), many) + np.arange(int(many.sum()))
    table, keys = np.concatenate(parts)[rows], np.concatenate(part_keys)[rows]
    if fresh or len(at) != len(owned):
        known = _Known(b"".join(own), many.tobytes(), table.tobytes(), keys.tobytes())
        kept.clear()
        kept[name] = msgspec.msgpack.encode(known)
    table["entry"] = np.repeat(np.arange(len(entries)), many)
    return Cut(entries, table, keys)


def _recall(kept: Kept, name: bytes) -> tuple[list[bytes], NDArray[np.int64], NDArray[np.void], TextKeys]:
    """Return what the last build kept, nothing where it kept nothing of use."""
    try:
        known = msgspec.msgpack.decode(kept[name], type=_Known)
    except (KeyError, msgspec.MsgspecError):
        known = _Known(b"", b"", b"", b"")
    owned = [known.entries[at : at + _KEY] for at in range(0, len(known.entries), _KEY)]
    keys = np.frombuffer(known.keys, np.uint64).reshape(-1, 2)
    return owned, np.frombuffer(known.counts, np.int64), np.frombuffer(known.table, PASSAGE), keys


_KEY = 16


def _key_of(entry: Entry) -> bytes:
    cut_from = entry.kind, entry.question, entry.alternates, [paragraph.text for paragraph in entry.answer]
    return hashlib.blake2b(msgspec.json.encode(cut_from), digest_size=_KEY).digest()


def _cutter(encoder: Encoder) -> bytes:
    """Return a digest of all else that decides how an entry is cut: the encoder, and the code of both."""
    spec = {**msgspec.to_builtins(encoder.spec), "model": ""}
    return hashlib.sha256(_code() + msgspec.json.encode(spec)).digest()


@cache
def _code() -> bytes:
    digest = hashlib.sha256(sys.version.encode())
    for file in (_ROOMS / "passages.py", *sorted((_ROOMS / "encoder").glob("*.py")), Path(__file__)):
        digest.update(file.name.encode() + b"\0" + hashlib.sha256(file.read_bytes()).digest())
    return digest.digest()
