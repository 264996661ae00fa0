"""What an owner should mend in the FAQ: twins, contradictions, entries that are not found, answers, links and dates.

All of it is read from the snapshot that is served, so that nothing is encoded a second time.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from retriever.errors import IndexStale
from retriever.lint.answers import find_in_answer, find_stale
from retriever.lint.findings import KINDS, Finding, FindingKind, Place, place_order
from retriever.lint.links import find_dead
from retriever.lint.shadows import Progress, find_shadowed
from retriever.lint.twins import find_twins
from retriever.snapshot import Snapshot, encode_entries
from retriever.types import Corpus, Encoder, Entry, FileReport

__all__ = ["KINDS", "Finding", "FindingKind", "Linted", "Place", "check_fresh", "lint"]


@dataclass(frozen=True, slots=True)
class Linted:
    """What was found in a snapshot of `entries` entries, in the order of files and lines."""

    snapshot: str
    entries: int
    findings: tuple[Finding, ...]


def check_fresh(snapshot: Snapshot, corpus: Corpus, *, mend: str) -> None:
    """Raise IndexStale unless the snapshot was built of this corpus as it is."""
    raw, _ = encode_entries(sorted(corpus.entries, key=lambda entry: entry.id))
    if hashlib.sha256(raw).hexdigest() != snapshot.manifest.corpus:
        raise IndexStale(f"snapshot {snapshot.manifest.id} is not of the corpus as it is now", mend=mend)


def lint(
    snapshot: Snapshot,
    encoder: Encoder,
    *,
    today: date,
    review_days: int,
    progress: Progress,
    ledger: Iterable[FileReport] = (),
) -> Linted:
    """Return what should be mended in an open snapshot, and in the files as the `ledger` of reading them tells.

    `encoder` is that of the snapshot, and encodes only questions that the snapshot does not hold as they are asked.
    An entry is overdue for review after `review_days`.
    """
    entries = list(snapshot.entries())
    findings = [*_find(snapshot, encoder, entries, today, review_days, progress), *_find_in_files(ledger)]
    return Linted(snapshot.manifest.id, snapshot.manifest.counts.entries, tuple(sorted(findings, key=place_order)))


def _find(
    snapshot: Snapshot, encoder: Encoder, entries: Sequence[Entry], today: date, review_days: int, progress: Progress
) -> Iterator[Finding]:
    yield from find_twins(snapshot, entries)
    yield from find_shadowed(snapshot, encoder, entries, today, progress)
    yield from find_dead(entries)
    for entry in entries:
        if entry.kind == "faq":
            yield from find_in_answer(entry)
        yield from find_stale(entry, today, review_days)


_UNCLOSED = re.compile(r"in line (\d+) is never closed")


def _find_in_files(ledger: Iterable[FileReport]) -> Iterator[Finding]:
    """Yield what hides the rest of a file: no entry shows it, since it is read as part of the one before."""
    for row in ledger:
        for note in row.notes:
            unclosed = _UNCLOSED.search(note)
            if unclosed:
                yield Finding("broken", row.file, int(unclosed[1]), None, note)
