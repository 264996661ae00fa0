"""Ask an open snapshot: encode the question, search, rank, decide, and show what was found."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from retriever.confidence import confidence_of
from retriever.defaults import DEFAULT_K, DEFAULT_MESSAGE, DEFAULT_MIN_CONFIDENCE, MAX_K, MAX_QUESTION
from retriever.encoder import GRAPH, load_encoder, open_export
from retriever.errors import EncoderMismatch, InputError
from retriever.highlight import mark
from retriever.ranking import Ranked, best_by_entry, is_settled
from retriever.snapshot import Snapshot, open_snapshot
from retriever.types import (
    Answer,
    AnswerText,
    Candidates,
    Encoder,
    EncoderSpec,
    Entry,
    Filters,
    FoundPassage,
    Hit,
    Manifest,
    Mask,
    Passage,
    Timings,
    Vectors,
)

# An entry has a handful of passages, so this many rows for each hit wanted settle most questions at the first try.
_ROWS_A_HIT = 8


class Searcher:
    """A snapshot and the encoder it was made with, ready to be asked. Safe to use from several threads."""

    def __init__(
        self,
        snapshot: Snapshot,
        encoder: Encoder,
        *,
        min_confidence: float = DEFAULT_MIN_CONFIDENCE,
        message: str = DEFAULT_MESSAGE,
    ) -> None:
        _check_encoder(snapshot.manifest.encoder, encoder.spec)
        self._snapshot = snapshot
        self._encoder = encoder
        self._min_confidence = min_confidence
        self._message = message

    @classmethod
    def open(cls, index: str | Path, encoder: Encoder | None = None, **options: object) -> Searcher:
        """Open the index at `index`, with the encoder that its manifest names unless one is given.

        Raises NoSnapshot, SnapshotDamaged, FormatMismatch, EncoderMismatch or EncoderError.
        """
        snapshot = open_snapshot(Path(index))
        try:
            searcher = cls(snapshot, encoder or _encoder_of(snapshot), **options)  # type: ignore[arg-type]
            searcher.warm()
        except BaseException:
            snapshot.close()
            raise
        return searcher

    @property
    def manifest(self) -> Manifest:
        """What is served: the open snapshot's manifest."""
        return self._snapshot.manifest

    def sample(self, count: int) -> list[str]:
        """Return up to `count` questions that the index holds, spread over it, as examples of what to ask."""
        ordinals = np.flatnonzero(self._snapshot.allowed(Filters()))
        spread = np.linspace(0, len(ordinals) - 1, min(count, len(ordinals)), dtype=np.int64)
        return [self._snapshot.entry(int(ordinals[at])).question for at in spread]

    def warm(self) -> None:
        """Load what the first question would otherwise wait for. `open` does."""
        self._encoder.encode(["warm"], "query")

    def close(self) -> None:
        """Let go of the snapshot."""
        self._snapshot.close()

    def ask(
        self,
        question: str,
        k: int = DEFAULT_K,
        filters: Filters | None = None,
        *,
        explain: bool = False,
        min_confidence: float | None = None,
    ) -> Answer:
        """Return the k entries (fewer where fewer pass `filters`) nearest to `question`, best first, and the decision.

        Raises InputError if `question`, `k` or `min_confidence` is out of bounds.
        """
        began = time.perf_counter()
        check_question(question)
        check_k(k)
        least = self._min_confidence if min_confidence is None else min_confidence
        if not 0 <= least <= 1:
            raise InputError("min_confidence", "must be between 0 and 1")
        query = self._encoder.encode([question], "query")[0]
        encoded = time.perf_counter()
        candidates, ranked = self._rank(query, k, self._snapshot.allowed(filters or Filters()))
        hits = tuple(
            self._hit(rank, found, candidates if explain else None) for rank, found in enumerate(ranked, start=1)
        )
        confidence = confidence_of(hits[0].score if hits else None)
        answered = bool(hits) and confidence >= least
        done = time.perf_counter()
        return Answer(
            question=question,
            answered=answered,
            confidence=round(confidence, 4),
            message=None if answered else self._message,
            snapshot=self.manifest.id,
            took_ms=Timings(_ms(encoded - began), _ms(done - encoded), _ms(done - began)),
            hits=hits,
        )

    def _rank(self, query: Vectors, k: int, entries: Mask) -> tuple[Candidates, list[Ranked]]:
        """Return the first k entries of those allowed, and the rows that settled it."""
        snapshot = self._snapshot
        rows = None if entries.all() else entries[snapshot.owners]
        most = len(snapshot.owners) if rows is None else int(np.count_nonzero(rows))
        wanted = min(k * _ROWS_A_HIT, most)
        while True:
            candidates = snapshot.vectors.search(query, wanted, rows)
            ranked = best_by_entry(candidates, snapshot.owners)
            if wanted >= most or is_settled(candidates, ranked, k):
                return candidates, ranked[:k]
            wanted = min(wanted * 4, most)

    def _hit(self, rank: int, found: Ranked, candidates: Candidates | None) -> Hit:
        entry = self._snapshot.entry(found.ordinal)
        passage = self._snapshot.passage(found.row, entry)
        return Hit(
            rank=rank,
            entry_id=entry.id,
            score=round(min(max(found.score, -1.0), 1.0), 6),  # float32 can overshoot
            question=entry.question,
            answer=AnswerText("\n\n".join(p.text for p in entry.answer), _answer_html(entry, passage)),
            passage=FoundPassage(passage.kind, passage.text, passage.number if passage.kind == "answer" else None),
            source=entry.source,
            tags=entry.tags,
            lang=entry.lang,
            kind=entry.kind,
            metadata=entry.metadata,
            explain=None if candidates is None else self._explain(found.ordinal, entry, candidates),
        )

    def _explain(self, ordinal: int, entry: Entry, candidates: Candidates) -> dict[str, float]:
        """Return the entry's best score of each kind of passage among the candidates."""
        said: dict[str, float] = {}
        for row, score in zip(candidates.rows.tolist(), candidates.scores.tolist(), strict=True):
            if self._snapshot.owners[row] == ordinal:
                said.setdefault(self._snapshot.passage(row, entry).kind, round(score, 6))
        return said


def _encoder_of(snapshot: Snapshot) -> Encoder:
    """Return the encoder that travels with the snapshot, or else the one that its manifest names."""
    if GRAPH in snapshot.manifest.files:
        return open_export(snapshot.folder)
    spec = snapshot.manifest.encoder
    return load_encoder(spec.model, precision=spec.precision)


def check_question(question: str) -> None:
    """Raise InputError if `question` is blank, too long or not text."""
    if not question.strip():
        raise InputError("question", "is empty; ask something")
    if len(question) > MAX_QUESTION:
        raise InputError("question", f"has {len(question):,} characters; the most is {MAX_QUESTION:,}")
    if any("\ud800" <= char <= "\udfff" for char in question):
        raise InputError("question", "holds a lone surrogate, which is no character")


def check_k(k: int) -> None:
    """Raise InputError if `k` is not a number of hits that can be asked for."""
    if not 1 <= k <= MAX_K:
        raise InputError("k", f"is {k}; it must be between 1 and {MAX_K}")


def _check_encoder(made_with: EncoderSpec, given: EncoderSpec) -> None:
    if made_with == given:
        return
    fields = [f for f in EncoderSpec.__dataclass_fields__ if f != "model"]
    differ = [f for f in fields if getattr(made_with, f) != getattr(given, f)]
    raise EncoderMismatch(
        f"the index was made with {made_with.model}, which is not the encoder {given.model} that is loaded: "
        + "; ".join(f"{f} {getattr(made_with, f)!r} is not {getattr(given, f)!r}" for f in differ),
        mend=f"Build it again with this encoder: retriever build --model {given.model}",
    )


def _answer_html(entry: Entry, passage: Passage) -> str:
    if passage.kind != "answer":
        return "\n".join(p.html for p in entry.answer)
    found = passage.number - 1
    return "\n".join(
        mark(p.html, p.text, passage.start, passage.end) if at == found else p.html for at, p in enumerate(entry.answer)
    )


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 3)
