"""Ask an open snapshot: encode the question, gather candidates, fuse the evidence, decide, and show what was found."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import NamedTuple

import numpy as np

from retriever.bounds import check_k, check_question, check_text
from retriever.catalog import facets_of, listing_of, related_to
from retriever.confidence import CAP, level_of
from retriever.deciding import Deciding, Matter
from retriever.defaults import (
    DEFAULT_K,
    DEFAULT_MESSAGE,
    DEFAULT_MIN_CONFIDENCE,
    DEFAULT_SUGGESTED,
)
from retriever.encoder import GRAPH, load_encoder, open_export
from retriever.errors import EncoderMismatch, InputError
from retriever.guard import content_words
from retriever.questions import Questions
from retriever.showing import Showing, Wanted
from retriever.snapshot import SharedFiles, Snapshot, open_snapshot
from retriever.types import (
    Answer,
    Encoder,
    EncoderSpec,
    Entry,
    Expired,
    Facets,
    Filters,
    Listing,
    Manifest,
    Mask,
    Related,
    Suggestion,
    Suggestions,
    Timings,
)
from retriever.weighing import ByWords, Permit, Weighing

_KEPT_RELATED = 1000
# Where there are fewer, an answer that holds may well lack a word of the question. In small FAQs cut from public sets,
# of those with high confidence 86% are right where any is lacking, and 76% where half are: less than high says.
_ENOUGH_ENTRIES, _HALF = 100, 0.5
_ANY, _NONE = 0.0, math.inf


class Judged(NamedTuple):
    """An answer; how sure it would be if no word were missing, before that is rounded; and whether one keeps it low."""

    answer: Answer
    sure: float
    capped: bool


class Searcher:
    """A snapshot and the encoder it was made with, ready to be asked. Safe to use from several threads."""

    def __init__(
        self,
        snapshot: Snapshot,
        encoder: Encoder,
        *,
        min_confidence: float = DEFAULT_MIN_CONFIDENCE,
        message: str = DEFAULT_MESSAGE,
        expired: Expired = "withhold",
        remember: int = 0,
        idle: Callable[[], bool] | None = None,
        today: Callable[[], date] = date.today,
    ) -> None:
        """Ask `snapshot` with `encoder`; the vectors of the last `remember` questions need no encoding again.

        While `idle` says that a core has nothing to do, it helps to encode a question.
        """
        _check_encoder(snapshot.manifest.encoder, encoder.spec)
        self._snapshot = snapshot
        self._encoder = encoder
        self._questions = Questions(encoder, remember=remember, idle=idle)
        self._min_confidence = min_confidence
        self._message = message
        self._expired = expired
        self._today = today
        self._weighing = Weighing(snapshot)
        self._showing = Showing(snapshot)
        self._deciding = Deciding(snapshot, self._showing.card)
        self._facets: tuple[date, Facets] | None = None
        self._related: dict[tuple[int, int, date], tuple[Related, ...]] = {}

    @classmethod
    def open(
        cls,
        index: str | Path,
        encoder: Encoder | None = None,
        *,
        spare: Encoder | None = None,
        shared: SharedFiles | None = None,
        **options: object,
    ) -> Searcher:
        """Open the index at `index`, with the encoder that its manifest names unless one is given.

        `spare` is an encoder that is loaded already, and is taken if it is the one that the manifest names; `shared`
        is where files are that other processes have read.
        Raises NoSnapshot, SnapshotDamaged, FormatMismatch, EncoderMismatch or EncoderError.
        """
        snapshot = open_snapshot(Path(index), shared)
        try:
            if encoder is None and spare is not None and spare.spec == snapshot.manifest.encoder:
                encoder = spare
            searcher = cls(snapshot, encoder or encoder_of(snapshot), **options)  # type: ignore[arg-type]
            searcher.warm()
        except BaseException:
            snapshot.close()
            raise
        return searcher

    @property
    def _english(self) -> bool:
        return self.manifest.lang.partition("-")[0] == "en"

    @property
    def _least_missing(self) -> float:
        """What share of a question's words an entry must lack for those to count that are no names."""
        if not self._english:  # the words that carry no matter are known for English only
            return _NONE
        return _ANY if len(self._snapshot.starts) > _ENOUGH_ENTRIES else _HALF

    @property
    def manifest(self) -> Manifest:
        """What is served: the open snapshot's manifest."""
        return self._snapshot.manifest

    @property
    def encoder(self) -> Encoder:
        """What encodes the questions."""
        return self._encoder

    def count(self) -> int:
        """Return how many entries can be found today, page texts aside."""
        return self._permit(Filters()).entries

    def sample(self, count: int) -> list[str]:
        """Return up to `count` questions that the index holds, spread over it, as examples of what to ask."""
        ordinals = np.flatnonzero(self._mask(Filters()))
        spread = np.linspace(0, len(ordinals) - 1, min(count, len(ordinals)), dtype=np.int64)
        return [self._snapshot.entry(int(ordinals[at])).question for at in spread]

    def warm(self) -> None:
        """Load what the first question would otherwise wait for, spelling included. `open` does."""
        self.ask("waarmm upp")

    def close(self) -> None:
        """Let go of the snapshot."""
        self._showing.forget()
        self._snapshot.close()

    def ask(
        self,
        question: str,
        k: int = DEFAULT_K,
        filters: Filters | None = None,
        *,
        explain: bool = False,
        min_confidence: float | None = None,
        correct: bool = True,
    ) -> Answer:
        """Return the k entries (fewer where fewer pass `filters`) that answer `question` best, and the decision.

        Misspelt words are put right unless `correct` is false.
        Raises InputError if `question`, `k` or `min_confidence` is out of bounds.
        """
        return self.judge(question, k, filters, explain=explain, min_confidence=min_confidence, correct=correct).answer

    def judge(
        self,
        question: str,
        k: int = DEFAULT_K,
        filters: Filters | None = None,
        *,
        explain: bool = False,
        min_confidence: float | None = None,
        correct: bool = True,
    ) -> Judged:
        """Return what `ask` does, with what its confidence is made of."""
        began = time.perf_counter()
        check_question(question)
        check_k(k)
        enough = self._min_confidence if min_confidence is None else min_confidence
        if not 0 <= enough <= 1:
            raise InputError("min_confidence", "must be between 0 and 1")
        self._questions.expect(question)
        query = self._snapshot.lexical.correct(question) if correct else question
        permit, today = self._permit(filters or Filters()), self._today()
        pinned = self._snapshot.pinned(question)
        pinned = pinned if permit.mask is None else pinned[permit.mask[pinned]]
        deciding = self._deciding

        def read() -> tuple[ByWords, Wanted, Matter]:
            words = content_words(query)
            by_words = self._weighing.look_up(query, permit)
            return by_words, self._showing.wanted(query, words), deciding.matter(query, words)

        vector, (by_words, wanted, matter) = self._questions.vector(query, read)
        encoded = time.perf_counter()
        ranked = self._weighing.rank(by_words, vector, permit, pinned)
        cards = [self._showing.card(ordinal) for ordinal in ranked.ordinals[:k].tolist()]
        least = self._least_missing
        missing = deciding.missing(query, matter, cards[0], least=least) if cards and not len(pinned) else ()
        # A page text answers no question of its own, however near it is.
        faq = bool(cards) and cards[0].entry.kind == "faq"
        sure = deciding.confidence(ranked, cards[0], matter) if faq else 0.0
        sure = 1.0 if faq and len(pinned) else sure  # its owner is
        capped = bool(missing)
        confidence = min(sure, CAP) if capped else sure
        answered = faq and confidence >= enough
        if cards and not answered and (len(pinned) or least == _HALF):
            missing = deciding.missing(query, matter, cards[0], least=_ANY if self._english else _NONE)
        hits = self._showing.hits(ranked, cards, wanted, today, explain=explain)
        done = time.perf_counter()
        answer = Answer(
            question=question,
            answered=answered,
            confidence=round(confidence, 4),
            level=level_of(confidence, enough) if faq else "none",
            message=None if answered else self._message,
            missing=missing,
            corrected=None if query == question else query,
            snapshot=self.manifest.id,
            took_ms=Timings(_ms(encoded - began), _ms(done - encoded), _ms(done - began)),
            hits=hits,
        )
        return Judged(answer, sure, capped)

    # --- without a question ---------------------------------------------------------------------------------------

    def suggest(self, query: str, k: int = DEFAULT_SUGGESTED, filters: Filters | None = None) -> Suggestions:
        """Return up to k questions that may be meant by what was typed so far: by its words, no encoder needed.

        Raises InputError if `query` is too long or not text, or `k` out of bounds; a blank one suggests nothing.
        """
        check_text(query)
        check_k(k)
        snapshot = self._snapshot
        asked = snapshot.suggester.look_up(query)
        best = asked.best(k, self._permit(filters or Filters()).mask)
        entries = [snapshot.entry(ordinal) for ordinal, _ in best]
        texts = [(e.question, *e.alternates)[number] for e, (_, number) in zip(entries, best, strict=True)]
        found = [
            Suggestion(entry.id, text, entry.lang, asked.parts(text))
            for entry, text in zip(entries, texts, strict=True)
        ]
        return Suggestions(query, tuple(found), asked.corrected(texts[0]) if texts else None, self.manifest.id)

    def facets(self) -> Facets:
        """Return the categories and tags of all entries that can be found today, with how many carry each."""
        today = self._today()
        if self._facets is None or self._facets[0] != today:
            self._facets = today, facets_of(self._snapshot, self._mask(Filters()))
        return self._facets[1]

    def find(self, entry_id: str) -> Entry | None:
        """Return the entry or page text with an id; None where there is none, or it is withheld today."""
        ordinal = self._ordinal(entry_id)
        return None if ordinal is None else self._snapshot.entry(ordinal)

    def related(self, entry_id: str, count: int) -> tuple[Related, ...]:
        """Return up to `count` other entries whose questions are near to that of an entry, each question once."""
        ordinal = self._ordinal(entry_id)
        if ordinal is None:
            return ()
        key = ordinal, count, self._today()
        known = self._related.get(key)
        if known is None:
            if len(self._related) >= _KEPT_RELATED:
                self._related.clear()
            known = self._related[key] = related_to(self._snapshot, ordinal, self._mask(Filters()), count)
        return known

    def listing(
        self, category: str | None = None, *, filters: Filters | None = None, start: int = 0, count: int = 50
    ) -> Listing:
        """Return `count` entries that pass `filters`, from the place `start` on, in the order of files and lines.

        With a `category`, those that carry it; with an empty one, those that carry none. Raises InputError.
        """
        return listing_of(self._snapshot, self._mask(filters or Filters()), category, start, count)

    def _ordinal(self, entry_id: str) -> int | None:
        ordinal = self._snapshot.ordinal(entry_id)
        if ordinal is None or self._expired == "label":
            return ordinal
        return ordinal if self._snapshot.entry(ordinal).validity(self._today()) == "valid" else None

    def _permit(self, filters: Filters) -> Permit:
        return self._weighing.permit(filters, self._today() if self._expired == "withhold" else None)

    def _mask(self, filters: Filters) -> Mask:
        mask = self._permit(filters).mask
        return np.ones(len(self._snapshot.starts) - 1, np.bool_) if mask is None else mask


def encoder_of(snapshot: Snapshot) -> Encoder:
    """Return the encoder that travels with the snapshot, or else the one that its manifest names."""
    if GRAPH in snapshot.manifest.files:
        return open_export(snapshot.folder)
    spec = snapshot.manifest.encoder
    return load_encoder(spec.model, precision=spec.precision)


def _check_encoder(made_with: EncoderSpec, given: EncoderSpec) -> None:
    if made_with == given:
        return
    fields = [f for f in EncoderSpec.__dataclass_fields__ if f != "model"]
    differ: Sequence[str] = [f for f in fields if getattr(made_with, f) != getattr(given, f)]
    raise EncoderMismatch(
        f"the index was made with {made_with.model}, which is not the encoder {given.model} that is loaded: "
        + "; ".join(f"{f} {getattr(made_with, f)!r} is not {getattr(given, f)!r}" for f in differ),
        mend=f"Build it again with this encoder: retriever build --model {given.model}",
    )


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 3)
