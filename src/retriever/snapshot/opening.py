"""An open snapshot: what its files say of an entry, a row, a filter."""

from __future__ import annotations

import zlib
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from retriever.arrays import LARGE, Read, open_array, open_bytes
from retriever.errors import SnapshotDamaged
from retriever.guard import FUNCTION_WORDS
from retriever.lexical import Lexical
from retriever.passages import text_of
from retriever.ranking import pin_key
from retriever.snapshot.files import HeldFile, hold
from retriever.snapshot.layout import KINDS, Spans, build_again
from retriever.snapshot.manifest import current_id, verified_manifest, verify
from retriever.snapshot.sharing import SharedFiles
from retriever.suggest import Suggester
from retriever.types import Entry, Filters, Manifest, Mask, Passage, Rows, VectorStore


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An open snapshot.

    `owners` holds the ordinal of the entry that each row belongs to, shape (passages,); an entry's rows stand together,
    from `starts[ordinal]` to `starts[ordinal + 1]`. `kinds` holds each row's kind, as its place in KINDS.
    """

    manifest: Manifest
    vectors: VectorStore
    lexical: Lexical
    suggester: Suggester
    owners: NDArray[np.int32]
    starts: Rows
    kinds: NDArray[np.uint8]
    folder: Path
    _held: HeldFile
    _entries: HeldFile
    _lines: NDArray[np.void]
    _passages: NDArray[np.void]
    _facets: Spans
    _carried: NDArray[np.int32]

    def entry(self, ordinal: int) -> Entry:
        """Return the entry at `ordinal`. Raises SnapshotDamaged if it changed on disk since the snapshot was opened."""
        start, length, crc32 = self._lines[ordinal].tolist()
        line = self._entries.read(length, start)
        if zlib.crc32(line) != crc32:
            mend = build_again(self.folder.parent.parent)
            raise SnapshotDamaged("entries.jsonl", "was changed while it was served", mend=mend)
        return msgspec.json.decode(line, type=Entry)

    def entries(self) -> Iterator[Entry]:
        """Yield every entry, in the order of ordinals."""
        yield from map(self.entry, range(len(self._lines)))

    def passage(self, row: int, entry: Entry) -> Passage:
        """Return the passage at `row`, which belongs to `entry`."""
        return _passage_of(entry, self._passages[row].tolist())

    def passages(self, ordinal: int, entry: Entry) -> Sequence[Passage]:
        """Return the passages of `entry`, which stands at `ordinal`, each made when it is asked for."""
        return _Passages(entry, self._passages[int(self.starts[ordinal]) : int(self.starts[ordinal + 1])])

    def allowed(self, filters: Filters) -> Mask:
        """Return which entries pass `filters`, shape (entries,)."""
        mask = self._having("kind", (filters.kind,))
        if filters.tags:
            mask &= self._having("tags", filters.tags)
        if filters.source:
            mask &= self._having("source", filters.source)
        if filters.lang is not None:
            mask &= self._having("lang", (filters.lang,))
        for key, values in filters.metadata.items():
            mask &= self._having(f"metadata.{key}", values)
        return mask

    def _having(self, facet: str, values: Sequence[str]) -> Mask:
        mask = np.zeros(len(self._lines), dtype=np.bool_)
        for value in values:
            mask[self._carrying(facet, value)] = True
        return mask

    def valid(self, today: date) -> Mask:
        """Return which entries hold on the day that is given, shape (entries,)."""
        mask, day = np.ones(len(self._lines), dtype=np.bool_), today.isoformat()
        for until in self._facets.get("valid_until", {}):
            mask[self._carrying("valid_until", until)] &= until >= day
        for begin in self._facets.get("valid_from", {}):
            mask[self._carrying("valid_from", begin)] &= begin <= day
        return mask

    def pinned(self, question: str) -> Rows:
        """Return the ordinals of the entries that their owner wants first for `question`."""
        return self._carrying("pins", pin_key(question)).astype(np.int64)

    def _carrying(self, facet: str, value: str) -> NDArray[np.int32]:
        start, end = self._facets.get(facet, {}).get(value, (0, 0))
        return self._carried[start:end]

    def counted(self, facet: str, allowed: Mask) -> dict[str, int]:
        """Return how many of the `allowed` entries, shape (entries,), carry each value of a facet, where any does.

        A facet is `tags`, `source`, `lang`, `kind`, or `metadata.` and a key.
        """
        values = self._facets.get(facet, {})
        counts = {value: int(np.count_nonzero(allowed[self._carrying(facet, value)])) for value in values}
        return {value: count for value, count in counts.items() if count}

    def carrying(self, facet: str, value: str | None) -> Mask:
        """Return which entries carry a value of a facet; with None, which carry none at all. Shape (entries,)."""
        if value is None:
            return ~self._having(facet, tuple(self._facets.get(facet, ())))
        return self._having(facet, (value,))

    def written(self) -> NDArray[np.int32]:
        """Return the ordinals of all entries in the order of files and lines."""
        return self._carrying("written", "")

    def ordinal(self, entry_id: str) -> int | None:
        """Return where the entry with an id stands, None if nowhere."""
        at = bisect_left(range(len(self._lines)), entry_id, key=lambda ordinal: self.entry(ordinal).id)
        return at if at < len(self._lines) and self.entry(at).id == entry_id else None

    def verify(self) -> None:
        """Check every file against the manifest. Raises SnapshotDamaged naming the first that differs."""
        verify(self.folder, self.manifest)

    def close(self) -> None:
        """Let go of the snapshot's files. From then on a build may remove it."""
        self._entries.close()
        self._held.close()


@dataclass(frozen=True, slots=True)
class _Passages(Sequence[Passage]):
    """The passages of an entry: where they are in it, and no text that the entry holds already."""

    entry: Entry
    lines: NDArray[np.void]

    def __len__(self) -> int:
        return len(self.lines)

    def __getitem__(self, at: Any) -> Any:
        if isinstance(at, slice):
            return [_passage_of(self.entry, line) for line in self.lines[at].tolist()]
        return _passage_of(self.entry, self.lines[at].tolist())

    def __iter__(self) -> Iterator[Passage]:
        return iter(self[:])  # all at once, in a fraction of the time


def _passage_of(entry: Entry, line: tuple[int, int, int, int, int]) -> Passage:
    _, kind, number, start, end = line
    return Passage(KINDS[kind], text_of(entry, KINDS[kind], number)[start:end], number, start, end)


def open_snapshot(index: Path, shared: SharedFiles | None = None) -> Snapshot:
    """Open the snapshot that is served, once every file has the digest that the manifest gives.

    What is read into memory is `shared` with other processes where that is given. No build removes the snapshot until
    it is closed. Raises NoSnapshot, SnapshotDamaged or FormatMismatch.
    """
    while True:
        snapshot_id = current_id(index)
        try:
            return _open(index, snapshot_id, shared)
        except SnapshotDamaged:
            # A build may have published another in the meantime, and removed this one while it was being opened.
            if current_id(index) == snapshot_id:
                raise


def _open(index: Path, snapshot_id: str, shared: SharedFiles | None) -> Snapshot:
    folder = index / "snapshots" / snapshot_id
    held = hold(folder)
    try:
        manifest = verified_manifest(index, snapshot_id, mapped=False)
        return load(
            held, folder, manifest, shared.read(folder, manifest, _in_memory(manifest)) if shared else open_bytes
        )
    except BaseException:
        held.close()
        raise


# Entries of so many bytes, some ten thousand, are kept in memory: a file that is cut short under a server is no fault.
_KEPT = 16 * 2**20
_ENTRIES = "entries.jsonl"


def _in_memory(manifest: Manifest) -> list[str]:
    """Return the files that are read into memory as they are: those that are neither mapped nor parsed."""
    ours = (name for name in manifest.files if name.endswith((".npy", ".bin")) or name in {_ENTRIES, "vectors.faiss"})
    return sorted(name for name in ours if manifest.sizes[name] < (_KEPT if name == _ENTRIES else LARGE))


def load(held: HeldFile, folder: Path, manifest: Manifest, read: Read = open_bytes) -> Snapshot:
    """Return the snapshot in `folder`, which is held and has been verified, open."""
    from retriever.vectors import open_vectors

    passages, lines = open_array(folder / "passages.npy", read), open_array(folder / "entries.npy", read)
    entries = folder / _ENTRIES
    owners = passages["entry"].astype(np.int32)
    held_by = np.bincount(owners, minlength=len(lines))
    return Snapshot(
        manifest=manifest,
        vectors=open_vectors(folder, manifest.nearest, read),
        lexical=Lexical(folder, manifest.lang, len(lines), read),
        suggester=Suggester(folder, FUNCTION_WORDS, read),
        owners=owners,
        starts=np.concatenate([[0], np.cumsum(held_by)]),
        kinds=passages["kind"].copy(),
        folder=folder,
        _held=held,
        _entries=HeldFile(entries, read(entries) if entries.stat().st_size < _KEPT else None),
        _lines=lines,
        _passages=passages,
        _facets=msgspec.json.decode((folder / "facets.json").read_bytes(), type=Spans),
        _carried=open_array(folder / "facets.npy", read),
    )
