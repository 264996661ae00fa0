"""Entries that another shadows: asked one of their own questions, a search gives the other first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np

from retriever.lint.findings import Finding, Place, finding_of, quoted
from retriever.search import Searcher
from retriever.snapshot import KINDS, Snapshot
from retriever.types import Encoder, EncoderSpec, Entry, Role, Vectors

Progress = Callable[[str, int, int], None]
"""Called with a step's name, how much of it is done, and how much there is."""


class _Recalling:
    """An encoder that knows the snapshot's own questions by their vectors there, and encodes only what is left."""

    def __init__(self, encoder: Encoder, snapshot: Snapshot, entries: Sequence[Entry]) -> None:
        self._encoder = encoder
        self._snapshot = snapshot
        spec = encoder.spec
        # A question asked may have another prompt than one that was built in; then its vector is another.
        self._rows = _whole_questions(snapshot, entries) if spec.query_prompt == spec.passage_prompt else {}

    @property
    def spec(self) -> EncoderSpec:
        return self._encoder.spec

    @property
    def files(self) -> Mapping[str, Path]:
        return self._encoder.files

    def words(self) -> frozenset[str]:
        return self._encoder.words()

    def fit(self, text: str) -> int:
        return self._encoder.fit(text)

    def encode(self, texts: Sequence[str], role: Role) -> Vectors:
        if role == "query" and all(text in self._rows for text in texts):
            return self._snapshot.vectors.get(np.array([self._rows[text] for text in texts], dtype=np.int64))
        return self._encoder.encode(texts, role)


def _whole_questions(snapshot: Snapshot, entries: Sequence[Entry]) -> dict[str, int]:
    """Return the row of each question and alternate that one row holds whole."""
    rows = {}
    for row in np.flatnonzero(snapshot.kinds <= KINDS.index("alternate")).tolist():
        entry = entries[snapshot.owners[row]]
        passage = snapshot.passage(row, entry)
        if passage.text in (entry.question, *entry.alternates):
            rows[passage.text] = row
    return rows


def find_shadowed(
    snapshot: Snapshot, encoder: Encoder, entries: Sequence[Entry], today: date, progress: Progress
) -> Iterator[Finding]:
    """Yield the entries of which a question of their own does not find them first, with what it finds.

    Entries that do not hold today are not found by anybody, and one may stand back where its owner pinned another.
    """
    searcher = Searcher(snapshot, _Recalling(encoder, snapshot, entries), today=lambda: today)
    by_id = {entry.id: entry for entry in entries}
    step = max(1, len(entries) // 100)
    for at, entry in enumerate(entries):
        if at % step == 0:
            progress("ask", at, len(entries))
        if entry.kind == "faq" and entry.validity(today) == "valid":
            for text in dict.fromkeys((entry.question, *entry.alternates)):
                yield from _ask(searcher, snapshot, entry, text, by_id)
    progress("ask", len(entries), len(entries))


def _ask(
    searcher: Searcher, snapshot: Snapshot, entry: Entry, text: str, by_id: Mapping[str, Entry]
) -> Iterator[Finding]:
    hits = searcher.ask(text, k=1).hits
    if hits and hits[0].entry_id != entry.id and not len(snapshot.pinned(text)):
        winner = by_id[hits[0].entry_id]
        what = "question" if text == entry.question else "alternate"
        message = f"its own {what} {quoted(text)} finds {quoted(winner.question)} first"
        yield replace(finding_of("shadowed", entry, message), other=Place.of(winner))
