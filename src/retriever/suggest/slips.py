"""Words that a misspelt word, or the beginning of one, may stand for."""

from __future__ import annotations

from collections.abc import Iterator, Set

from retriever.suggest.index import Index

_SHORTEST, _LONG = 4, 8


def nearest(word: str, index: Index, common: Set[str]) -> list[tuple[int, int, int, int]]:
    """Return the words whose beginning is a slip or two away from `word`.

    Each is places from and to, how many characters are matched, and how many slips; fewer slips first. A slip is a
    letter too many, too few or wrong, or two exchanged. In a short word every letter tells, so it stands only for one
    with two letters exchanged, or for a `common` word. Numbers and codes are never misspelt.
    """
    if not word.isalpha():
        return []
    if len(word) < _SHORTEST:
        return list(_short(word, index, common))
    for most in (1, 2) if len(word) >= _LONG else (1,):
        found = list(_within(word, most, index))
        if found:
            return found
    return []


def _short(word: str, index: Index, common: Set[str]) -> Iterator[tuple[int, int, int, int]]:
    from rapidfuzz.distance import OSA

    meant = {word[:at] + word[at + 1] + word[at] + word[at + 2 :] for at in range(len(word) - 1)}
    if len(word) == _SHORTEST - 1:
        meant |= {other for other in common if OSA.distance(word, other, score_cutoff=1) <= 1}
    for other in sorted(meant):
        at = index.place(other)
        if at is not None:
            yield at, at + 1, len(other), 1


def _within(word: str, most: int, index: Index) -> Iterator[tuple[int, int, int, int]]:
    from rapidfuzz import process
    from rapidfuzz.distance import OSA

    # What is as long as the word is likelier meant than what is longer or shorter.
    for length in sorted(range(len(word) - most, len(word) + most + 1), key=lambda n: abs(n - len(word))):
        beginnings, places = index.prefixes(length)
        for _, slips, at in process.extract(word, beginnings, scorer=OSA.distance, score_cutoff=most, limit=None):
            first, end = places[at]
            yield first, end, length, int(slips)
