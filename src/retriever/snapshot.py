"""One immutable index on disk: write, publish, open, verify, prune.

    index/
      CURRENT                the id of the snapshot that is served
      snapshots/<id>/        never changed once it stands here
        entries.jsonl        one entry a line, sorted by id
        entries.npy          where each line starts, how long it is, its crc32
        passages.npy         a row each: its entry, kind, paragraph, start and end
        facets.json, .npy    tag, file, lang, kind, pin, date, metadata → the entries that carry it
        vectors.faiss        a unit vector a row, searched exactly; or where there are many,
        vectors.npy          a unit vector a row in half precision, and
        nearest.faiss        a rough index of the rows that are no sentences
        lexical.bin          the words of entries, by ordinal
        encoder.*            the exported encoder, so that the snapshot can be served without the model
        gate.json            where the corpus has labelled questions: how they are answered
        manifest.json        written last: what all this is, and the sha256 of each file
      .building-*            a build that has not finished, swept by the next
      .lock                  held by a running build

A **row** is a passage's place; an **ordinal** is an entry's. Both hold inside one snapshot only. Entries are sorted by
id, so that comparing ordinals compares ids.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import re
import shutil
import zlib
from array import array
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from retriever.arrays import open_array
from retriever.errors import BuildBusy, FormatMismatch, NoSnapshot, PublishFailed, RetrieverError, SnapshotDamaged
from retriever.lexical import Lexical
from retriever.passages import entry_text
from retriever.ranking import pin_key
from retriever.types import (
    EXACTLY,
    Calibration,
    Counts,
    EncoderSpec,
    Entry,
    Filters,
    Gate,
    Manifest,
    Mask,
    Nearest,
    Passage,
    PassageKind,
    Rows,
    VectorStore,
)

FORMAT = 4
KINDS: tuple[PassageKind, ...] = ("question", "alternate", "answer", "sentence", "entry")
PASSAGE = np.dtype([("entry", "<u4"), ("kind", "u1"), ("number", "<u4"), ("start", "<u4"), ("end", "<u4")])
LINE = np.dtype([("start", "<u8"), ("length", "<u4"), ("crc32", "<u4")])
_Spans = dict[str, dict[str, tuple[int, int]]]
_FACETS = ("tags", "source", "lang", "kind", "pins", "valid_from", "valid_until")
_MOST_FILTERABLE = 200  # characters
_GATE = "gate.json"
_BUILD_AGAIN = "Build it again: retriever build"
_ID = re.compile(r"\d{8}T\d{9}Z-[0-9a-f]{12}")


# --- writing ------------------------------------------------------------------------------------------------------


@contextmanager
def build_lock(index: Path) -> Iterator[None]:
    """Hold the right to build in `index`. Raises BuildBusy at once if another process has it.

    The lock is the kernel's: it is free the moment its holder is gone, however it went.
    """
    try:
        index.mkdir(parents=True, exist_ok=True)
        lock = (index / ".lock").open("a")
    except OSError as error:
        raise PublishFailed(f"cannot write to {index}: {error.strerror}", mend="Check --index.") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BuildBusy(f"another build is running in {index}", mend="Wait for it to finish.") from error
        yield


def encode_entries(entries: Sequence[Entry]) -> tuple[bytes, NDArray[np.void]]:
    """Return `entries` as JSON Lines, and where each line lies in them."""
    lines = [msgspec.json.encode(entry) for entry in entries]
    table = np.zeros(len(lines), dtype=LINE)
    table["length"] = [len(line) for line in lines]
    table["start"][1:] = np.cumsum(table["length"].astype(np.uint64) + 1)[:-1]
    table["crc32"] = [zlib.crc32(line) for line in lines]
    return b"".join(line + b"\n" for line in lines), table


def encode_passages(passages: Sequence[tuple[int, Passage]]) -> NDArray[np.void]:
    """Return the passage table of (ordinal, passage) pairs, a row each."""
    return np.array(
        [(ordinal, KINDS.index(p.kind), p.number, p.start, p.end) for ordinal, p in passages], dtype=PASSAGE
    )


def write_facets(entries: Iterable[Entry], folder: Path) -> None:
    """Write, for each value of each thing that can be filtered on, the ordinals of the entries that carry it."""
    facets: dict[str, dict[str, array[int]]] = {name: defaultdict(_ordinals) for name in _FACETS}
    for ordinal, entry in enumerate(entries):
        for tag in dict.fromkeys(entry.tags):
            facets["tags"][tag].append(ordinal)
        facets["source"][entry.source.file].append(ordinal)
        facets["lang"][entry.lang].append(ordinal)
        facets["kind"][entry.kind].append(ordinal)
        for question in dict.fromkeys(map(pin_key, entry.pin_for)):
            facets["pins"][question].append(ordinal)
        for name, day in (("valid_from", entry.valid_from), ("valid_until", entry.valid_until)):
            if day:
                facets[name][day.isoformat()].append(ordinal)
        for key, value in entry.metadata.items():
            for shown in sorted(_filterable(value)):
                facets.setdefault(f"metadata.{key}", defaultdict(_ordinals))[shown].append(ordinal)
    spans: _Spans = {}
    carried = _ordinals()
    for name, values in facets.items():
        spans[name] = {}
        for value, ordinals in values.items():
            spans[name][value] = (len(carried), len(carried) + len(ordinals))
            carried += ordinals
    (folder / "facets.json").write_bytes(msgspec.json.encode(spans))
    np.save(folder / "facets.npy", np.asarray(carried, np.int32))


def _ordinals() -> array[int]:
    return array("i")


def _filterable(value: object) -> set[str]:
    """Return the values of a metadata key that can be filtered on: short texts, numbers, true and false."""
    values = value if isinstance(value, list) else [value]
    return {
        shown
        for item in values
        if isinstance(item, str | int | float)
        if len(shown := item if isinstance(item, str) else msgspec.json.encode(item).decode()) <= _MOST_FILTERABLE
    }


def publish(
    index: Path,
    write: Callable[[Path], None],
    *,
    corpus: str,
    encoder: EncoderSpec,
    counts: Counts,
    calibration: Calibration,
    lang: str,
    keep: int,
    nearest: Nearest = EXACTLY,
    review: Callable[[Snapshot], Calibration] | None = None,
) -> Manifest:
    """Publish what `write` puts into the folder that it is given, whole or not at all, and return its manifest.

    `review` is shown it open before it is sealed: it returns the calibration to publish, and may add files. Whatever it
    raises ends the matter. Must run under `build_lock`. Keeps the newest `keep` snapshots. Raises PublishFailed if the
    disk will not have it; what was served before still is.
    """
    folder = index / f".building-{os.getpid()}"
    try:
        _sweep(index)
        folder.mkdir()
        write(folder)
        if review:
            draft = Manifest("staged", FORMAT, "", corpus, encoder, counts, calibration, lang, {}, nearest)
            with closing(_load(_hold(folder), folder, draft)) as staged:
                calibration = review(staged)
        manifest = _seal(folder, corpus, encoder, counts, calibration, lang, nearest)
        home = index / "snapshots" / manifest.id
        home.parent.mkdir(exist_ok=True)
        folder.rename(home)
        _sync(home.parent)
        _point(index, manifest.id)
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise PublishFailed(
            f"cannot publish to {index}: {error.strerror or error}",
            mend="Make room or mend the permissions, then build again; the snapshot served before still is.",
        ) from error
    except RetrieverError:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    tidy(index, keep)
    return manifest


def write_gate(folder: Path, gate: Gate) -> None:
    """Put `gate` into the folder of a snapshot that is not sealed yet."""
    (folder / _GATE).write_bytes(msgspec.json.format(msgspec.json.encode(gate), indent=2) + b"\n")


def tidy(index: Path, keep: int) -> None:
    """Remove what dead builds left and all but the newest `keep` snapshots. Must run under `build_lock`."""
    with suppress(OSError):  # what cannot be removed now is tried again by the next build
        _sweep(index)
        _prune(index, keep)


def _seal(
    folder: Path,
    corpus: str,
    encoder: EncoderSpec,
    counts: Counts,
    calibration: Calibration,
    lang: str,
    nearest: Nearest,
) -> Manifest:
    """Make the folder's files read-only and durable, and write the manifest, last."""
    files = {}
    for path in sorted(folder.iterdir()):
        files[path.name] = _digest(path)
        path.chmod(0o444)
        _sync(path)
    now = datetime.now(UTC)
    made = now.isoformat(timespec="milliseconds")
    draft = Manifest("", FORMAT, made, corpus, encoder, counts, calibration, lang, files, nearest)
    manifest = replace(draft, id=f"{now:%Y%m%dT%H%M%S}{now.microsecond // 1000:03}Z-{_fingerprint(draft)}")
    path = folder / "manifest.json"
    path.write_bytes(_manifest_bytes(manifest))
    path.chmod(0o444)
    _sync(path)
    _sync(folder)
    return manifest


def _manifest_bytes(manifest: Manifest) -> bytes:
    return msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n"


def _fingerprint(manifest: Manifest) -> str:
    """Return what ties a snapshot's id to its manifest, and through its digests to every byte of it."""
    return hashlib.sha256(msgspec.json.encode(replace(manifest, id=""), order="sorted")).hexdigest()[:12]


def point_to(index: Path, snapshot_id: str) -> None:
    """Serve another snapshot, one that was published before. Must run under `build_lock`. Raises PublishFailed."""
    try:
        _point(index, snapshot_id)
    except OSError as error:
        raise PublishFailed(
            f"cannot write to {index}: {error.strerror or error}", mend="Make room or mend the permissions."
        ) from error


def _point(index: Path, snapshot_id: str) -> None:
    """Make `snapshot_id` the one that is served, in one step."""
    draft = index / ".CURRENT"
    draft.write_text(snapshot_id + "\n", encoding="ascii")
    _sync(draft)
    draft.replace(index / "CURRENT")
    _sync(index)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _sweep(index: Path) -> None:
    """Remove what dead builds left. The lock is held, so no living build owns any of it."""
    for leftover in index.glob(".building-*"):
        shutil.rmtree(leftover)


def _prune(index: Path, keep: int) -> None:
    for old in snapshot_ids(index)[max(keep, 1) :]:
        if old != current_id(index):
            _remove_unused(index / "snapshots" / old)


def _remove_unused(folder: Path) -> None:
    """Remove a snapshot, unless somebody has it open: then a later build does."""
    held = _File(folder)
    try:
        if held.lock(fcntl.LOCK_EX):
            shutil.rmtree(folder)
    finally:
        held.close()


def _digest(path: Path) -> str:
    """Return the sha256 of a file; of one larger than a part, that of its parts' own, which are read side by side."""
    size = path.stat().st_size
    if size <= _PART:
        return _digest_part(path, 0).hex()
    with ThreadPoolExecutor(_READERS) as readers:
        parts = list(readers.map(lambda start: _digest_part(path, start), range(0, size, _PART)))
    return hashlib.sha256(b"".join(parts)).hexdigest()


# One core digests about 1.5 GB a second, and the snapshot of a million entries has several.
_PART, _READ_AT_ONCE, _READERS = 64 * 2**20, 2**20, os.cpu_count() or 1


def _digest_part(path: Path, start: int) -> bytes:
    digest, end = hashlib.sha256(), start + _PART
    with path.open("rb", buffering=0) as file:
        file.seek(start)
        while start < end and (block := file.read(min(_READ_AT_ONCE, end - start))):
            digest.update(block)
            start += len(block)
    return digest.digest()


# --- opening ------------------------------------------------------------------------------------------------------


def snapshot_ids(index: Path) -> list[str]:
    """Return the ids of the snapshots in `index`, newest first."""
    folder = index / "snapshots"
    return sorted((p.name for p in folder.iterdir() if _ID.fullmatch(p.name)), reverse=True) if folder.is_dir() else []


def current_id(index: Path) -> str:
    """Return the id of the snapshot that is served. Raises NoSnapshot or SnapshotDamaged."""
    try:
        text = (index / "CURRENT").read_text(encoding="ascii").strip()
    except FileNotFoundError as error:
        raise NoSnapshot(f"there is no index in {index}", mend=f"Build one: retriever build --index {index}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise SnapshotDamaged("CURRENT", f"cannot be read: {error}", mend=_BUILD_AGAIN) from error
    if not _ID.fullmatch(text):
        raise SnapshotDamaged("CURRENT", "does not hold a snapshot's id", mend=_BUILD_AGAIN)
    return text


def read_manifest(index: Path, snapshot_id: str | None = None) -> Manifest:
    """Return the manifest of the snapshot that is served, or of another, itself verified. Raises a SnapshotError."""
    snapshot_id = snapshot_id or current_id(index)
    try:
        raw = (index / "snapshots" / snapshot_id / "manifest.json").read_bytes()
    except OSError as error:
        raise SnapshotDamaged(
            f"{snapshot_id}/manifest.json", f"cannot be read: {error.strerror}", mend=_BUILD_AGAIN
        ) from error
    return _parse_manifest(raw, snapshot_id)


def read_gate(index: Path, snapshot_id: str) -> Gate | None:
    """Return how the labelled questions were answered when a snapshot was published; None where there were none."""
    try:
        return msgspec.json.decode((index / "snapshots" / snapshot_id / _GATE).read_bytes(), type=Gate)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise SnapshotDamaged(f"{snapshot_id}/{_GATE}", f"cannot be read: {error}", mend=_BUILD_AGAIN) from error


def _parse_manifest(raw: bytes, snapshot_id: str) -> Manifest:
    try:
        found = msgspec.json.decode(raw)["format"]
        if found == FORMAT:
            manifest = msgspec.json.decode(raw, type=Manifest)
    except (msgspec.MsgspecError, KeyError, TypeError, UnicodeDecodeError, RecursionError) as error:
        raise SnapshotDamaged(
            f"{snapshot_id}/manifest.json", f"is not a manifest: {error}", mend=_BUILD_AGAIN
        ) from error
    if found != FORMAT:
        raise FormatMismatch(
            f"snapshot {snapshot_id} has format {found!r}; this version reads format {FORMAT}", mend=_BUILD_AGAIN
        )
    whole = _manifest_bytes(manifest) == raw  # or a key of another name was passed over
    if manifest.id != snapshot_id or not whole or not snapshot_id.endswith(_fingerprint(manifest)):
        raise SnapshotDamaged(f"{snapshot_id}/manifest.json", "was changed after it was published", mend=_BUILD_AGAIN)
    return manifest


_NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL)


class _File:
    """An open file or folder, read at any place by several threads, and closed once however often it is told to."""

    _handle: int | None = None

    def __init__(self, path: Path) -> None:
        self._handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def read(self, length: int, start: int) -> bytes:
        if self._handle is None:
            raise ValueError("the snapshot is closed")
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
        handle, self._handle = self._handle, None
        if handle is not None:
            os.close(handle)

    __del__ = close


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An open snapshot.

    `owners` holds the ordinal of the entry that each row belongs to, shape (passages,); an entry's rows stand together,
    from `starts[ordinal]` to `starts[ordinal + 1]`. `kinds` holds each row's kind, as its place in KINDS.
    """

    manifest: Manifest
    vectors: VectorStore
    lexical: Lexical
    owners: NDArray[np.int32]
    starts: Rows
    kinds: NDArray[np.uint8]
    folder: Path
    _held: _File
    _entries: _File
    _lines: NDArray[np.void]
    _passages: NDArray[np.void]
    _facets: _Spans
    _carried: NDArray[np.int32]

    def entry(self, ordinal: int) -> Entry:
        """Return the entry at `ordinal`. Raises SnapshotDamaged if it changed on disk since the snapshot was opened."""
        start, length, crc32 = self._lines[ordinal].tolist()
        line = self._entries.read(length, start)
        if zlib.crc32(line) != crc32:
            raise SnapshotDamaged("entries.jsonl", "was changed while it was served", mend=_BUILD_AGAIN)
        return msgspec.json.decode(line, type=Entry)

    def entries(self) -> Iterator[Entry]:
        """Yield every entry, in the order of ordinals."""
        yield from map(self.entry, range(len(self._lines)))

    def passage(self, row: int, entry: Entry) -> Passage:
        """Return the passage at `row`, which belongs to `entry`."""
        _, kind, number, start, end = self._passages[row].tolist()
        match KINDS[kind]:
            case "question":
                text = entry.question
            case "alternate":
                text = entry.alternates[number - 1]
            case "answer" | "sentence":
                text = entry.answer[number - 1].text
            case "entry":
                text = entry_text(entry)
        return Passage(KINDS[kind], text[start:end], number, start, end)

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

    def verify(self) -> None:
        """Check every file against the manifest. Raises SnapshotDamaged naming the first that differs."""
        _verify(self.folder, self.manifest)

    def close(self) -> None:
        """Let go of the snapshot's files. From then on a build may remove it."""
        self._entries.close()
        self._held.close()


def verified_manifest(index: Path, snapshot_id: str | None = None) -> Manifest:
    """Return the manifest of the snapshot that is served, or of another, once every file has the digest it gives."""
    manifest = read_manifest(index, snapshot_id)
    _verify(index / "snapshots" / manifest.id, manifest)
    return manifest


def read_entries(index: Path) -> list[Entry]:
    """Return the entries of the snapshot that is served, page texts among them. Raises one of the SnapshotErrors."""
    manifest = verified_manifest(index)
    lines = (index / "snapshots" / manifest.id / "entries.jsonl").read_bytes().splitlines()
    return [msgspec.json.decode(line, type=Entry) for line in lines]


def open_snapshot(index: Path) -> Snapshot:
    """Open the snapshot that is served, once every file has the digest that the manifest gives.

    No build removes it until it is closed. Raises NoSnapshot, SnapshotDamaged or FormatMismatch.
    """
    while True:
        snapshot_id = current_id(index)
        try:
            return _open(index, snapshot_id)
        except SnapshotDamaged:
            # A build may have published another in the meantime, and removed this one while it was being opened.
            if current_id(index) == snapshot_id:
                raise


def _open(index: Path, snapshot_id: str) -> Snapshot:
    held = _hold(index / "snapshots" / snapshot_id)
    try:
        manifest = verified_manifest(index, snapshot_id)
        return _load(held, index / "snapshots" / snapshot_id, manifest)
    except BaseException:
        held.close()
        raise


def _hold(folder: Path) -> _File:
    """Return the open folder of a snapshot, which no build removes until it is closed."""
    try:
        held = _File(folder)
    except OSError as error:
        problem = f"cannot be read: {error.strerror}"
        raise SnapshotDamaged(f"{folder.name}/manifest.json", problem, mend=_BUILD_AGAIN) from error
    if not held.lock(fcntl.LOCK_SH):
        held.close()
        raise SnapshotDamaged(folder.name, "is being removed", mend=_BUILD_AGAIN)
    return held


def _load(held: _File, folder: Path, manifest: Manifest) -> Snapshot:
    from retriever.vectors import open_vectors

    passages, lines = open_array(folder / "passages.npy"), open_array(folder / "entries.npy")
    owners = passages["entry"].astype(np.int32)
    held_by = np.bincount(owners, minlength=len(lines))
    return Snapshot(
        manifest=manifest,
        vectors=open_vectors(folder, manifest.nearest),
        lexical=Lexical(folder, manifest.lang, len(lines)),
        owners=owners,
        starts=np.concatenate([[0], np.cumsum(held_by)]),
        kinds=passages["kind"].copy(),
        folder=folder,
        _held=held,
        _entries=_File(folder / "entries.jsonl"),
        _lines=lines,
        _passages=passages,
        _facets=msgspec.json.decode((folder / "facets.json").read_bytes(), type=_Spans),
        _carried=open_array(folder / "facets.npy"),
    )


def _verify(folder: Path, manifest: Manifest) -> None:
    try:
        found = {path.name for path in folder.iterdir()} - {"manifest.json"}
    except OSError as error:
        raise SnapshotDamaged(manifest.id, f"cannot be read: {error.strerror}", mend=_BUILD_AGAIN) from error
    for name in sorted(found ^ set(manifest.files)):
        problem = "is missing" if name in manifest.files else "does not belong to the snapshot"
        raise SnapshotDamaged(f"{manifest.id}/{name}", problem, mend=_BUILD_AGAIN)
    for name, digest in manifest.files.items():
        try:
            same = _digest(folder / name) == digest
        except OSError as error:
            problem = f"cannot be read: {error.strerror}"
            raise SnapshotDamaged(f"{manifest.id}/{name}", problem, mend=_BUILD_AGAIN) from error
        if not same:
            raise SnapshotDamaged(
                f"{manifest.id}/{name}", "is not what was published (sha256 differs)", mend=_BUILD_AGAIN
            )
