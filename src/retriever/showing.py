"""What was found, as hits: the entries that were found last stay ready to be shown."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

from retriever.highlight import asks_for_a_way
from retriever.show import Card, Stems
from retriever.snapshot import Snapshot
from retriever.types import Hit
from retriever.weighing import Ranked

_KEPT_CARDS = 1000  # about 5 KB each


class Wanted(NamedTuple):
    """What a sentence that answers is told by: the stems of a question's words, and whether it asks for a way."""

    stems: Stems
    way: bool


class Showing:
    """Shows entries of a snapshot. Safe to use from several threads."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._cards: dict[int, Card] = {}

    def card(self, ordinal: int) -> Card:
        """Return the entry at `ordinal`, ready to be shown. Those found last are kept."""
        card = self._cards.get(ordinal)
        if card is None:
            snapshot = self._snapshot
            entry = snapshot.entry(ordinal)
            card = Card(entry, snapshot.passages(ordinal, entry), snapshot.lexical.analyzer.words)
            if len(self._cards) >= _KEPT_CARDS:
                self._cards.clear()
            self._cards[ordinal] = card
        return card

    def forget(self) -> None:
        """Keep no entry any longer."""
        self._cards.clear()

    def wanted(self, query: str, words: Sequence[str]) -> Wanted:
        """Return what is wanted of a sentence; `words` are those of `query` that carry matter."""
        lexical = self._snapshot.lexical
        stems = Stems.of({stem: lexical.rarity(stem) for stem in lexical.analyzer.words(" ".join(words))})
        return Wanted(stems, asks_for_a_way(query))

    def hits(
        self, ranked: Ranked, cards: Sequence[Card], wanted: Wanted, today: date, *, explain: bool
    ) -> tuple[Hit, ...]:
        """Return the first of what was found, whose `cards` are given, as hits."""
        if not cards:
            return ()
        hits = [
            card.hit(
                rank + 1,
                cosines,
                wanted.stems,
                card.entry.validity(today),
                ranked.explanation(rank) if explain else None,
                way=wanted.way,
            )
            for rank, (card, cosines) in enumerate(zip(cards, ranked.cosines(len(cards)), strict=True))
        ]
        return tuple(hits)
