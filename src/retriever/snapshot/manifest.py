"""What a snapshot is and must contain: found, read, and its files held against it."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from pathlib import Path

import msgspec

from retriever.arrays import LARGE
from retriever.errors import FormatMismatch, NoSnapshot, SnapshotDamaged
from retriever.snapshot.files import digest_of
from retriever.snapshot.layout import FORMAT, GATE, build_again
from retriever.types import Entry, Gate, Manifest

_ID = re.compile(r"\d{8}T\d{9}Z-[0-9a-f]{12}")


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
    except PermissionError as error:
        raise SnapshotDamaged("CURRENT", f"cannot be read: {error}", mend="Let this user read the index.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise SnapshotDamaged("CURRENT", f"cannot be read: {error}", mend=build_again(index)) from error
    if not _ID.fullmatch(text):
        raise SnapshotDamaged("CURRENT", "does not hold a snapshot's id", mend=build_again(index))
    return text


def read_manifest(index: Path, snapshot_id: str | None = None) -> Manifest:
    """Return the manifest of the snapshot that is served, or of another, itself verified. Raises a SnapshotError."""
    snapshot_id = snapshot_id or current_id(index)
    try:
        raw = (index / "snapshots" / snapshot_id / "manifest.json").read_bytes()
    except OSError as error:
        raise SnapshotDamaged(
            f"{snapshot_id}/manifest.json", f"cannot be read: {error.strerror}", mend=build_again(index)
        ) from error
    return _parse_manifest(raw, index, snapshot_id)


def read_gate(index: Path, snapshot_id: str) -> Gate | None:
    """Return how the labelled questions were answered when a snapshot was published; None where there were none."""
    try:
        return msgspec.json.decode((index / "snapshots" / snapshot_id / GATE).read_bytes(), type=Gate)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise SnapshotDamaged(f"{snapshot_id}/{GATE}", f"cannot be read: {error}", mend=build_again(index)) from error


def _parse_manifest(raw: bytes, index: Path, snapshot_id: str) -> Manifest:
    try:
        found = msgspec.json.decode(raw)["format"]
        if found == FORMAT:
            manifest = msgspec.json.decode(raw, type=Manifest)
    except (msgspec.MsgspecError, KeyError, TypeError, UnicodeDecodeError, RecursionError) as error:
        raise SnapshotDamaged(
            f"{snapshot_id}/manifest.json", f"is not a manifest: {error}", mend=build_again(index)
        ) from error
    if found != FORMAT:
        raise FormatMismatch(
            f"snapshot {snapshot_id} has format {found!r}; this version reads format {FORMAT}", mend=build_again(index)
        )
    whole = manifest_bytes(manifest) == raw  # or a key of another name was passed over
    if manifest.id != snapshot_id or not whole or not snapshot_id.endswith(fingerprint(manifest)):
        raise SnapshotDamaged(
            f"{snapshot_id}/manifest.json", "was changed after it was published", mend=build_again(index)
        )
    return manifest


def manifest_bytes(manifest: Manifest) -> bytes:
    """Return a manifest as its file holds it."""
    return msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n"


def fingerprint(manifest: Manifest) -> str:
    """Return what ties a snapshot's id to its manifest, and through its digests to every byte of it."""
    return hashlib.sha256(msgspec.json.encode(replace(manifest, id=""), order="sorted")).hexdigest()[:12]


def verified_manifest(index: Path, snapshot_id: str | None = None, *, mapped: bool = True) -> Manifest:
    """Return the manifest of the snapshot that is served, or of another, once its files have been held against it.

    Every file must have the digest that it gives; without `mapped`, those that are only mapped need but have the size.
    """
    manifest = read_manifest(index, snapshot_id)
    verify(index / "snapshots" / manifest.id, manifest, mapped=mapped)
    return manifest


def read_entries(index: Path) -> list[Entry]:
    """Return the entries of the snapshot that is served, page texts among them. Raises one of the SnapshotErrors."""
    manifest = verified_manifest(index)
    lines = (index / "snapshots" / manifest.id / "entries.jsonl").read_bytes().splitlines()
    return [msgspec.json.decode(line, type=Entry) for line in lines]


def verify(folder: Path, manifest: Manifest, *, mapped: bool = True) -> None:
    """Check every file of `folder` against the manifest. Raises SnapshotDamaged naming the first that differs.

    Without `mapped`, of a large file of our own arrays or lines only the size is checked. No library parses it: it is
    read number by number, an entry by its own checksum. Reading gigabytes would take what mapping them saves.
    """
    try:
        found = {path.name for path in folder.iterdir()} - {"manifest.json"}
    except OSError as error:
        raise SnapshotDamaged(
            manifest.id, f"cannot be read: {error.strerror}", mend=build_again(folder.parent.parent)
        ) from error
    for name in sorted(found ^ set(manifest.files)):
        problem = "is missing" if name in manifest.files else "does not belong to the snapshot"
        raise SnapshotDamaged(f"{manifest.id}/{name}", problem, mend=build_again(folder.parent.parent))
    # One by one: threads would save a server 0.03 s, and leave each of its processes 4 MB of memory that is free.
    for name in manifest.files:
        problem = _problem(folder / name, manifest, mapped=mapped)
        if problem:
            raise SnapshotDamaged(f"{manifest.id}/{name}", problem, mend=build_again(folder.parent.parent))


def _problem(path: Path, manifest: Manifest, *, mapped: bool) -> str:
    """Return what is wrong with a file; nothing where nothing is."""
    try:
        differs = _differs(path, manifest, mapped=mapped)
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    return f"is not what was published ({differs})" if differs else ""


def _differs(path: Path, manifest: Manifest, *, mapped: bool) -> str:
    """Return what of a file is not as the manifest says; nothing where all is."""
    size = manifest.sizes[path.name]
    if not mapped and size >= LARGE and path.suffix in _OURS:
        return "" if path.stat().st_size == size else "its size differs"
    return "" if digest_of(path) == manifest.files[path.name] else "sha256 differs"


# Files that are mapped where they are large, and the entries. FAISS's and the encoder's are parsed by them, in memory.
_OURS = {".npy", ".bin", ".jsonl"}


def write_gate(folder: Path, gate: Gate) -> None:
    """Put `gate` into the folder of a snapshot that is not sealed yet."""
    (folder / GATE).write_bytes(msgspec.json.format(msgspec.json.encode(gate), indent=2) + b"\n")
