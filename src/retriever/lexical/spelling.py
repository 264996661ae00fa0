"""Misspelt words put right, by the corpus's own."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retriever.lexical.terms import CHUNK, PART, QUOTED, WORD, Analyzer, find, key_of, keys_in


class Spelling:
    """Corrects words that neither the corpus nor the language knows to the corpus's own nearest word.

    Never a code, a number, a quotation, or a word that the corpus has. The corpus's words stand in *shelves*, one for a
    first letter and a length, so that only words that may be near are compared.
    """

    _SHORTEST, _LONG = 4, 8

    def __init__(self, arrays: Mapping[str, NDArray[Any]], analyzer: Analyzer) -> None:
        self._stems, self._keys, self._counts = (arrays[name] for name in ("stems", "keys", "counts"))
        self._shelves, self._starts, self._text = (arrays[name] for name in ("shelves", "starts", "text"))
        self._firsts = sorted({chr(shelf >> _LENGTH_BITS) for shelf in self._shelves.tolist()})
        self._stem = analyzer.stem
        self._kept: dict[str, str] = {}

    @classmethod
    def index(cls, counts: Mapping[str, int], known: Iterable[str], analyzer: Analyzer) -> dict[str, NDArray[Any]]:
        """Return the arrays that the class reads: of `counts`, in how many entries each word is, and `known` words."""
        stems = set(analyzer.stems([*counts, *known]))
        targets = sorted((w for w in counts if w.isalpha() and len(w) >= cls._SHORTEST), key=lambda w: (_shelf(w), w))
        shelves = {shelf: "\n".join(words).encode() for shelf, words in groupby(targets, _shelf)}
        keys = keys_in(targets, len(targets))
        order = np.argsort(keys)
        return {
            "stems": np.sort(keys_in(stems, len(stems))),
            "keys": keys[order],
            "counts": np.array([counts[word] for word in targets], np.int64)[order],
            "shelves": np.array(list(shelves), np.int64),
            "starts": np.cumsum([0, *map(len, shelves.values())], dtype=np.int64),
            "text": np.frombuffer(b"".join(shelves.values()), np.uint8),
        }

    def correct(self, query: str) -> str:
        """Return the question with its misspelt words put right."""
        if all(self._word(word) == word for word in WORD.findall(query)):  # as most are
            return query
        kept = [match.span() for match in QUOTED.finditer(query)]
        kept += [match.span() for match in CHUNK.finditer(query) if PART.fullmatch(match[0]) is None]

        def put_right(match: re.Match[str]) -> str:
            inside = any(start <= match.start() < end for start, end in kept)
            return match[0] if inside else self._word(match[0])

        return WORD.sub(put_right, query)

    def _word(self, word: str) -> str:
        """Return a word put right. Those met last are kept."""
        right = self._kept.get(word)
        if right is None:
            if len(self._kept) >= _KEPT_WORDS:
                self._kept.clear()
            right = self._kept[word] = self._put_right(word)
        return right

    def _put_right(self, word: str) -> str:
        lower = word.lower()
        plain = len(lower) >= self._SHORTEST and lower.isalpha() and word in (lower, lower.capitalize())
        if not plain or find(self._stems, key_of(self._stem(lower))) is not None:
            return word
        return self._nearest(lower) or word

    def _nearest(self, word: str) -> str | None:
        """Return the commonest of the nearest words: one slip off, or two in a long word that begins alike."""
        from rapidfuzz import process
        from rapidfuzz.distance import OSA

        most = 1 if len(word) < self._LONG else 2
        near = [
            (int(slips), False, found)
            for length in range(len(word) - most, len(word) + most + 1)
            for found, slips, _ in process.extract(
                word, self._on_shelf(word[0], length), scorer=OSA.distance, score_cutoff=most, limit=None
            )
        ]
        others = {first + rest for first in self._firsts for rest in (word, word[1:])}
        others |= {word[1:], word[1] + word[0] + word[2:]}
        near += [(1, True, other) for other in others if other[0] != word[0]]
        fit = [
            (slips, begins, -count, found)
            for slips, begins, found in near
            if _likely(word, found) and (count := self._count(found))
        ]
        return min(fit)[-1] if fit else None

    def _on_shelf(self, first: str, length: int) -> list[str]:
        shelf = ord(first) << _LENGTH_BITS | length
        at = int(np.searchsorted(self._shelves, shelf))
        if at == len(self._shelves) or self._shelves[at] != shelf:
            return []
        return self._text[self._starts[at] : self._starts[at + 1]].tobytes().decode().split("\n")

    def _count(self, word: str) -> int:
        """Return in how many entries a word is that another may be corrected to; 0 if it is none."""
        at = find(self._keys, key_of(word))
        return 0 if at is None else int(self._counts[at])


def _likely(word: str, meant: str) -> bool:
    """Tell whether a slip is likelier than another word: a short one with one other letter mostly is another word.

    Of such corrections of four letters on a public set of misspelt questions none was right, of those of a letter too
    many, missing or moved 41 in 42.
    """
    return len(word) > _SHORT or len(word) != len(meant) or sorted(word) == sorted(meant)


_SHORT = 4
_LENGTH_BITS = 32
_KEPT_WORDS = 4000


def _shelf(word: str) -> int:
    return ord(word[0]) << _LENGTH_BITS | len(word)
