"""Pairs of all forms → those that stand: each text once, pairs inside answers told from parts of those answers."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Iterable

from retriever.readers.html.pairs import Pair
from retriever.readers.html.tree import Page, Span


class Claims:
    """The pairs found so far: a question's text is one pair's alone, and so is an answer's beginning."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.pairs: list[Pair] = []
        self._asked = bytearray(len(page))
        self._answered: set[int] = set()

    def add(self, pairs: Iterable[Pair]) -> None:
        """Take the pairs whose question and answer no earlier form has taken."""
        for pair in pairs:
            ask, starts = slice(*pair.ask), {self._first(span) for span in pair.answer}
            if 1 in self._asked[ask] or starts & self._answered:
                continue
            if any(pair.ask.start < start.end and start.start < pair.ask.end for start in pair.answer):
                continue
            self._asked[ask] = b"\1" * (pair.ask.end - pair.ask.start)
            self._answered |= starts
            self.pairs.append(pair)

    def _first(self, span: Span) -> int:
        """Return the first text of a stretch, so that a panel and the box inside it count as one place."""
        return next(self.page.texts(span, everything=True), span.start)


def settle(page: Page, pairs: list[Pair]) -> tuple[list[Pair], list[Pair]]:
    """Return the pairs that stand, in reading order, and those that turn out to be the names of groups of pairs."""
    pairs = sorted(pairs, key=lambda pair: pair.ask)
    _group(page, pairs)
    asking = {(pair.form, pair.group) for pair in pairs if pair.asks}
    starts = [pair.ask.start for pair in pairs]
    pairs = [
        pair for pair in pairs if pair.form != "tabs" or (pair.form, pair.group) in asking or _inside(starts, pair)
    ]
    starts = [pair.ask.start for pair in pairs]
    kept, groups, dropped = [], [], set[int]()
    for number, pair in enumerate(pairs):
        if number in dropped:
            continue
        inner = [place for place in _inside(starts, pair) if place != number and place not in dropped]
        serious = any((pairs[place].form, pairs[place].group) in asking for place in inner)
        own = pair.size(page) - sum(pairs[place].size(page) + page.size(pairs[place].ask) for place in inner)
        if not inner or (not serious and (pair.form, pair.group) in asking):
            dropped.update(inner)
            kept.append(pair)
        elif pair.asks and own > 20:
            pair.without.update(node for place in inner for node in pairs[place].nodes)
            kept.append(pair)
        else:
            groups.append(pair)
    return kept, groups


def _inside(starts: list[int], pair: Pair) -> list[int]:
    return [
        place for span in pair.answer for place in range(bisect_left(starts, span.start), bisect_left(starts, span.end))
    ]


def _group(page: Page, pairs: list[Pair]) -> None:
    """Give each pair the nearest node that holds another pair of its form too."""
    by_form: defaultdict[str, list[int]] = defaultdict(list)
    for pair in pairs:
        insort(by_form[pair.form], pair.ask.start)
    for pair in pairs:
        first = min([pair.ask.start, *pair.nodes])
        pair.group = nearest_shared(page, by_form[pair.form], pair.ask.start, first)


def nearest_shared(page: Page, places: list[int], place: int, node: int | None = None) -> int:
    """Return the nearest node above `node` (or `place`) that holds another of the sorted `places`; 0 for none."""
    here = bisect_left(places, place)
    before = places[here - 1] if here else -1
    after = places[here + 1] if here + 1 < len(places) else len(page)
    for up in page.above(place if node is None else node):
        if up <= before or after < page.end[up]:
            return up
    return 0


def claimed(page: Page, pairs: Iterable[Pair]) -> bytearray:
    """Return which nodes belong to pairs, questions and answers."""
    taken = bytearray(len(page))
    for pair in pairs:
        for span in (pair.ask, *pair.answer, *map(page.span, pair.nodes)):
            taken[slice(*span)] = b"\1" * (span.end - span.start)
    return taken
