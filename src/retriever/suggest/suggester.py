"""What somebody who types may mean: the questions that hold the words typed so far, rarer words first."""

from __future__ import annotations

import math
from collections.abc import Sequence, Set
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retriever.arrays import Read, open_bytes
from retriever.suggest.folding import Places, pieces, plain
from retriever.suggest.index import Index
from retriever.suggest.slips import nearest
from retriever.types import Mask, Part

Scores = NDArray[np.float32]

# More words than a question has: the last ones are what is being typed.
_MOST_WORDS = 24
_KEPT = 4096
# How much of its rarity a word counts that is found as it stands; as the beginning of one, while it is typed and once
# another follows; and with a slip or two.
_WHOLE, _TYPED, _BEGUN = 1.0, 0.95, 0.7
_SLIPPED = {1: 0.7, 2: 0.45}
# A word such as "how" counts so much of its rarity: in a small FAQ it may well be rare.
_LIGHT = 0.2
# One that nothing here has may be matter that is not here, or a slip; so few letters may still become a word that is.
_UNKNOWN, _TELLING = 0.5, 4
# A text that holds less of what was typed, by rarity, is not what is meant.
_LEAST = 0.45
# What decides among texts that hold the same words: the one that begins so, the shorter one, the entry's own question.
_BEGINS, _SHORT, _OWN = 1.0, 0.1, 0.01
# Where there are slips, so many of the best are looked at word by word to see which begins so.
_WEIGHED = 64


@dataclass(frozen=True, slots=True)
class Match:
    """Words that a word typed may stand for: their places from and to, how well they fit, and the slips in it.

    `length` is how many of their characters are matched.
    """

    first: int
    end: int
    quality: float
    length: int
    slips: int = 0


@dataclass(frozen=True, slots=True)
class Typed:
    """A word of what was typed, with all that it may stand for, the best first."""

    text: str
    start: int
    matches: tuple[Match, ...]
    counts: float

    @property
    def slipped(self) -> bool:
        """Whether it stands for other words than it is."""
        return bool(self.matches) and self.matches[0].slips > 0


class Suggester:
    """The questions of an index, found by what is typed so far. Safe to use from several threads.

    Args:
        folder: where `write_suggest` wrote.
        light: words, folded, that carry no matter of their own.
        read: what reads a file.
    """

    def __init__(self, folder: Path, light: Set[str] = frozenset(), read: Read = open_bytes) -> None:
        self._index = Index(folder, read)
        self._light = light
        # Not a method: then it would hold what holds it, and its memory would be free only once cycles are looked for.
        self._matches = lru_cache(_KEPT)(partial(_matches_of, self._index, light))

    def look_up(self, query: str) -> Asked:
        """Return what was typed, looked up word by word."""
        places = Places(query)
        found = pieces(places.folded)
        terms = [(term, start, piece) for piece in found for term, start in piece.terms()][-_MOST_WORDS:]
        typed = []
        for at, (term, start, piece) in enumerate(terms):
            # A blank behind the last word says that it is whole.
            last = at == len(terms) - 1 and piece.end == len(places.folded)
            matches = self._matches(term, last=last, joined=piece.joined)
            typed.append(Typed(term, start, matches, self._counts(len(term), matches, last=last)))
        return Asked(self._index, places, plain(found), typed)

    def _counts(self, length: int, matches: tuple[Match, ...], *, last: bool) -> float:
        """Return how much of its rarity a word counts."""
        if not matches:
            return 0.0 if last and length < _TELLING else _UNKNOWN
        words = self._index.words[matches[0].first : matches[0].end]
        return _LIGHT if not last and len(words) == 1 and words[0] in self._light else 1.0


def _matches_of(index: Index, light: Set[str], term: str, *, last: bool, joined: bool) -> tuple[Match, ...]:
    first, end = index.beginning(term)
    matches = []
    if first < end and index.words[first] == term:
        matches.append(Match(first, first + 1, _WHOLE, len(term)))
        first += 1
    # Of a pair of characters nothing more is to come, nor of a word such as "to" once another follows.
    whole = (joined and len(term) > 1) or (term in light and not last)
    if first < end and not whole:
        matches.append(Match(first, end, _TYPED if last else _BEGUN, len(term)))
    if matches or joined:
        return tuple(matches)
    near = nearest(term, index, light)
    return tuple(Match(first, end, _SLIPPED[slips], length, slips) for first, end, length, slips in near)


class Asked:
    """What was typed, looked up in an index."""

    def __init__(self, index: Index, places: Places, text: str, typed: list[Typed]) -> None:
        self._index = index
        self._places = places
        self._text = text
        self._typed = typed

    def best(self, count: int, allowed: Mask | None = None) -> list[tuple[int, int]]:
        """Return the best texts, at most `count`, one an entry and none twice: whose it is, and which of its texts.

        `allowed` says which entries may be found, shape (entries,).
        """
        if not self._typed or not len(self._index):
            return []
        scores = self._scores()
        if allowed is not None:
            scores[~allowed[self._index.owners]] = 0
        chosen: list[tuple[int, int]] = []
        owners: set[int] = set()
        texts: set[str] = set()
        for number in self._order(scores):
            owner, text = int(self._index.owners[number]), self._index.text(number)
            if owner not in owners and text not in texts:
                owners.add(owner)
                texts.add(text)
                chosen.append((owner, int(self._index.numbers[number])))
                if len(chosen) == count:
                    break
        return chosen

    def _order(self, scores: Scores) -> list[int]:
        """Return the numbers of the texts worth showing, best first; equal ones by entry."""
        worth = np.flatnonzero(scores)
        if len(worth) > _WEIGHED and any(typed.slipped for typed in self._typed):
            worth = np.sort(worth[np.argsort(-scores[worth], kind="stable")[:_WEIGHED]])
        if any(typed.slipped for typed in self._typed):
            begins = [self._begins(self._index.text(number)) for number in worth.tolist()]
            scores[worth] += np.float32(_BEGINS) * np.array(begins, np.float32)
        order = np.lexsort((self._index.numbers[worth], self._index.owners[worth], -scores[worth]))
        best: list[int] = worth[order].tolist()
        return best

    def _begins(self, text: str) -> bool:
        """Tell whether a folded text begins as what was typed does, slips aside."""
        words = text.split(" ", len(self._typed))
        return len(words) >= len(self._typed) and all(
            self._match(typed, word) for typed, word in zip(self._typed, words, strict=False)
        )

    def _match(self, typed: Typed, word: str) -> Match | None:
        """Return how a word typed stands for a word of a text; None where it does not."""
        place = self._index.place(word)
        return next((m for m in typed.matches if place is not None and m.first <= place < m.end), None)

    def _scores(self) -> Scores:
        """Return how well each text fits, shape (texts,): the share that it holds of what was typed, and some more."""
        index = self._index
        scores, total = np.zeros(len(index), np.float32), 0.0
        for typed in self._typed:
            fits = self._fits(typed)
            weight = self._weight(int(np.count_nonzero(fits))) * typed.counts
            scores += np.float32(weight) * fits
            total += weight
        scores /= np.float32(total or 1.0)
        fuller = np.minimum(np.float32(len(self._typed)) / np.maximum(index.lengths, 1), 1)
        more = np.float32(_SHORT) * fuller - np.float32(_OWN) * (index.numbers > 0)
        first, end = index.starting(self._text)
        more[first:end] += np.float32(_BEGINS)
        return np.where(scores >= _LEAST, scores + more, 0)

    def _fits(self, typed: Typed) -> Scores:
        """Return how well each text holds a word, shape (texts,)."""
        fits = np.zeros(len(self._index), np.float32)
        for match in reversed(typed.matches):
            held = self._index.holding(match.first, match.end)
            fits[held] = np.maximum(fits[held], np.float32(match.quality))
        return fits

    def _weight(self, held: int) -> float:
        """Return the rarity of a word that so many texts hold."""
        count = len(self._index)
        return math.log(1 + (count - held + 0.5) / (held + 0.5))

    def parts(self, text: str) -> tuple[Part, ...]:
        """Return `text` in parts that are, or are not, what was typed."""
        places = Places(text)
        terms = _terms(places)
        found = [
            places.span(start, start + min(match.length, len(term)))
            for typed in self._typed
            for term, start, match in self._found(typed, terms)
        ]
        parts, at = [], 0
        for start, end in _joined(found):
            parts += [Part(text[at:start], match=False)] if start > at else []
            parts.append(Part(text[start:end], match=True))
            at = end
        return (*parts, Part(text[at:], match=False)) if at < len(text) else tuple(parts)

    def corrected(self, text: str) -> str | None:
        """Return what was typed with its slips put right as `text` has the words; None where nothing is."""
        there, corrected = Places(text), self._places.text
        terms = _terms(there)
        for typed in reversed(self._typed):
            if typed.slipped and (found := self._found(typed, terms)):
                term, at, _ = found[0]
                first, end = there.span(at, at + len(term))
                start, stop = self._places.span(typed.start, typed.start + len(typed.text))
                corrected = corrected[:start] + _cased(text[first:end], corrected[start:stop]) + corrected[stop:]
        return None if corrected == self._places.text else corrected

    def _found(self, typed: Typed, terms: Sequence[tuple[str, int]]) -> list[tuple[str, int, Match]]:
        """Return the words of a text that a word typed stands for, with their places: those that fit best."""
        found = [(term, start, match) for term, start in terms if (match := self._match(typed, term))]
        best = max((match.quality for *_, match in found), default=0.0)
        return [one for one in found if one[2].quality == best]


def _cased(word: str, typed: str) -> str:
    """Return a word with a capital where one was typed, and without where none was."""
    return word[:1].upper() + word[1:] if typed[:1].isupper() else word.lower()


def _terms(places: Places) -> list[tuple[str, int]]:
    return [term for piece in pieces(places.folded) for term in piece.terms()]


def _joined(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return spans in order, those that touch or overlap as one."""
    joined: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined
