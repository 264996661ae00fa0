"""What was found, as hits: the entries that were found last stay ready to be shown."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from retriever.highlight import asks_for_a_way
from retriever.show import Card, Stems
from retriever.snapshot import Snapshot
from retriever.types import Hit
from retriever.weighing import Ranked

_KEPT_CARDS = 1000  # about 5 KB each


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

    def hits(
        self,
        query: str,
        ranked: Ranked,
        cards: Sequence[Card],
        words: Sequence[str],
        today: date,
        *,
        explain: bool,
    ) -> tuple[Hit, ...]:
        """Return the first of what was found, whose `cards` are given, as hits.

        `words` are those of `query` that carry matter.
        """
        if not cards:
            return ()
        lexical = self._snapshot.lexical
        asked = Stems.of({stem: lexical.rarity(stem) for stem in lexical.analyzer.words(" ".join(words))})
        way = asks_for_a_way(query)
        hits = [
            card.hit(
                rank + 1,
                cosines,
                asked,
                card.entry.validity(today),
                ranked.explanation(rank) if explain else None,
                way=way,
            )
            for rank, (card, cosines) in enumerate(zip(cards, ranked.cosines(len(cards)), strict=True))
        ]
        return tuple(hits)
