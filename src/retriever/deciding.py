"""Whether the first entry found answers: how sure that is, and which words of the question it does not have."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from retriever.confidence import Evidence, confidence_of
from retriever.guard import denied
from retriever.lexical import is_code
from retriever.show import Card
from retriever.snapshot import Snapshot
from retriever.weighing import Ranked

# Where there is no other question, the lead says nothing; this is the median on public FAQ sets.
_USUAL_LEAD = 0.16
# Cosine with a question that may well be meant: "how do I get help" has .59 with "How can I contact support?", and "how
# do I" at most .51 with any that begins so.
_MEANT = 0.55
# A word that no entry has stands at 1; one that a single entry of a hundred has, near 0.8.
_DISTINGUISHING = 0.95


class Telling(NamedTuple):
    """A word of a question that next to no entry has: as it stands, its term, and whether it is a name or number."""

    text: str
    term: str
    name: bool


class Matter(NamedTuple):
    """How many words of a question carry matter, and those of them that tell it from other questions."""

    words: int
    telling: Sequence[Telling]


class Deciding:
    """Decides on what was found in a snapshot.

    Args:
        snapshot: what was asked.
        card: the entry at an ordinal, ready to be shown.
    """

    def __init__(self, snapshot: Snapshot, card: Callable[[int], Card]) -> None:
        self._calibration = snapshot.manifest.calibration
        self._lexical = snapshot.lexical
        self._english = snapshot.manifest.lang.partition("-")[0] == "en"
        # Where every noun has one, a capital tells nothing.
        self._capitals = not snapshot.manifest.lang.startswith("de")
        self._card = card

    def confidence(self, ranked: Ranked, first: Card, matter: Matter) -> float:
        """Return the probability that the first of what was found answers.

        What has no word that carries matter, as a question of which "how do I" is typed, asks for what is near alone.
        """
        if self._english and not matter.words and ranked.compared.nearest[0, ranked.place[0]] < _MEANT:
            return 0.0
        evidence = Evidence(float(ranked.scores[0]), self._lead(ranked, first), first.words)
        return float(confidence_of([evidence], self._calibration)[0])

    def _lead(self, ranked: Ranked, first: Card) -> float:
        """Return the score of the first entry less that of the best with another question."""
        for at in range(1, len(ranked.ordinals)):
            if self._card(int(ranked.ordinals[at])).question_words != first.question_words:
                return float(ranked.scores[0]) - float(ranked.scores[at])
        return _USUAL_LEAD

    def matter(self, query: str, words: Sequence[str]) -> Matter:
        """Return what of `words`, those of `query` that carry matter, tells it from other questions."""
        lexical = self._lexical
        begin = query.split(maxsplit=1)[0]
        telling = []
        for word in words:
            term = lexical.analyzer.term(word)
            if lexical.rarity(term) >= _DISTINGUISHING:
                # A question begins with a capital.
                capital = self._capitals and word[0].isupper() and not begin.startswith(word)
                telling.append(Telling(word, term, capital or word.isdecimal() or is_code(word)))
        return Matter(len(words), telling)

    def missing(self, query: str, matter: Matter, first: Card, *, least: float) -> tuple[str, ...]:
        """Return which words of a question the first entry does not have, nor any other, and what it denies.

        Names, numbers and codes always; others where those that it does not have are at least a share of `least` of all
        that carry matter. An answer that holds may well lack some of those.
        """
        # They are few, and only for them is the text taken into terms.
        held = first.terms(self._lexical.analyzer.terms) if matter.telling else frozenset()
        lacking = [word for word in matter.telling if word.term not in held]
        every_word = len(lacking) >= least * matter.words
        missing = [word.text for word in lacking if every_word or word.name]
        return (*missing, *(denied(query, first.all_text) if self._english else ()))
