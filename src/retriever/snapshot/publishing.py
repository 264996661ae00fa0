"""Publish a snapshot whole or not at all, and remove old ones."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from retriever.errors import BuildBusy, PublishFailed, RetrieverError
from retriever.snapshot.files import READERS, HeldFile, digest_of, hold, sync
from retriever.snapshot.layout import FORMAT
from retriever.snapshot.manifest import current_id, fingerprint, manifest_bytes, snapshot_ids
from retriever.snapshot.opening import Snapshot, load
from retriever.types import EXACTLY, Calibration, Counts, EncoderSpec, Manifest, Nearest


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
            with closing(load(hold(folder), folder, draft)) as staged:
                calibration = review(staged)
        manifest = _seal(folder, corpus, encoder, counts, calibration, lang, nearest)
        home = index / "snapshots" / manifest.id
        home.parent.mkdir(exist_ok=True)
        folder.rename(home)
        sync(home.parent)
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
    sizes = {path.name: path.stat().st_size for path in sorted(folder.iterdir())}
    # The largest first, so that no thread is left with one while the others are done.
    names = sorted(sizes, key=sizes.__getitem__, reverse=True)
    with ThreadPoolExecutor(READERS) as readers:
        digests = dict(zip(names, readers.map(lambda name: _seal_file(folder / name), names), strict=True))
    files = {name: digests[name] for name in sizes}
    now = datetime.now(UTC)
    made = now.isoformat(timespec="milliseconds")
    draft = Manifest("", FORMAT, made, corpus, encoder, counts, calibration, lang, files, nearest, sizes)
    manifest = replace(draft, id=f"{now:%Y%m%dT%H%M%S}{now.microsecond // 1000:03}Z-{fingerprint(draft)}")
    path = folder / "manifest.json"
    path.write_bytes(manifest_bytes(manifest))
    path.chmod(0o444)
    sync(path)
    sync(folder)
    return manifest


def _seal_file(path: Path) -> str:
    """Make a file read-only and durable, and return its digest."""
    path.chmod(0o444)
    digest = digest_of(path)
    sync(path)
    return digest


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
    sync(draft)
    draft.replace(index / "CURRENT")
    sync(index)


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
    held = HeldFile(folder)
    try:
        if held.lock(fcntl.LOCK_EX):
            shutil.rmtree(folder)
    finally:
        held.close()
