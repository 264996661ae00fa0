"""The snapshots that are kept, and the way back to one of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from retriever.errors import NoSnapshot, SnapshotError
from retriever.snapshot import (
    build_lock,
    current_id,
    point_to,
    read_gate,
    read_manifest,
    snapshot_ids,
    verified_manifest,
)
from retriever.types import Gate, Manifest


@dataclass(frozen=True, slots=True)
class Kept:
    """A snapshot that is kept. `judged`, `right`, `regressions` and `forced` are the gate's, where there was one.

    `asked` questions asked before were replayed when it was published, and `shifted` of them answered differently.
    `problem` is why it cannot be served, if so; then nothing else is known of it.
    """

    id: str
    current: bool
    created: str | None = None
    entries: int | None = None
    encoder: str | None = None
    judged: int | None = None
    right: int | None = None
    regressions: int | None = None
    forced: bool | None = None
    asked: int = 0
    shifted: int = 0
    problem: str | None = None


def snapshots(index: Path) -> list[Kept]:
    """Return the snapshots in `index`, newest first. Raises NoSnapshot where there is none at all."""
    ids = snapshot_ids(index)
    if not ids:
        raise NoSnapshot(f"there is no index in {index}", mend=f"Build one: retriever build --index {index}")
    try:
        current = current_id(index)
    except SnapshotError:  # the rest is told all the same: one of them is what to go back to
        current = ""
    return [_kept(index, snapshot_id, snapshot_id == current) for snapshot_id in ids]


def roll_back(index: Path, snapshot_id: str | None = None) -> Manifest:
    """Serve `snapshot_id` again, or the one before the current, and return its manifest; its digests are verified.

    Raises NoSnapshot if it is not kept, SnapshotDamaged or FormatMismatch if it cannot be served, BuildBusy.
    """
    with build_lock(index):
        wanted = _chosen(index, snapshot_ids(index), snapshot_id)
        manifest = verified_manifest(index, wanted)
        point_to(index, wanted)
    return manifest


def _chosen(index: Path, ids: Sequence[str], snapshot_id: str | None) -> str:
    mend = f"Those kept are listed by: retriever snapshots --index {index}"
    if snapshot_id is None:
        current = current_id(index)
        older = [kept for kept in ids if kept < current]
        if not older:
            raise NoSnapshot(f"no snapshot older than {current} is kept in {index}", mend=mend)
        return older[0]
    if snapshot_id not in ids:
        raise NoSnapshot(f"no snapshot {snapshot_id!r} is kept in {index}", mend=mend)
    return snapshot_id


def _kept(index: Path, snapshot_id: str, current: bool) -> Kept:
    try:
        manifest, gate = read_manifest(index, snapshot_id), read_gate(index, snapshot_id)
    except SnapshotError as error:
        return Kept(snapshot_id, current, problem=error.problem)
    known = Kept(snapshot_id, current, manifest.created, manifest.counts.entries, manifest.encoder.model)
    return _with_gate(known, gate) if gate else known


def _with_gate(kept: Kept, gate: Gate) -> Kept:
    judged, right = (gate.judged, gate.right) if gate.golden else (None, None)
    known = replace(kept, judged=judged, right=right, regressions=gate.regressions, forced=gate.forced)
    return replace(known, asked=gate.asked, shifted=len(gate.shifts))
