"""The words of entries as the terms that they are looked up by: each different word is stemmed once."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable

from retriever.lexical.postings import entries_holding
from retriever.lexical.terms import PART, Analyzer
from retriever.lexical.tokens import ANSWERED, ANSWERED_CHUNKS, ASKED, ASKED_CHUNKS, Tokens


class Documents:
    """Where the terms of `count` entries stand in what they ask and in what they answer: words, and chunks apart.

    `counts` is in how many entries each word is.
    """

    def __init__(self, tokens: Tokens, analyzer: Analyzer) -> None:
        self.count = len(tokens.lengths)
        held = entries_holding(tokens.of(ASKED) + tokens.of(ANSWERED), len(tokens.words)).tolist()
        self.counts = {word: count for word, count in zip(tokens.words, held, strict=True) if count}
        self.terms, places = _terms_of(tokens.words, analyzer)
        self.asked, self.answered, self.asked_chunks, self.answered_chunks = (
            tokens.of(text).map(places) for text in (ASKED, ANSWERED, ASKED_CHUNKS, ANSWERED_CHUNKS)
        )


def _terms_of(words: Iterable[str], analyzer: Analyzer) -> tuple[list[str], list[list[int]]]:
    """Return the different terms of `words`, and for each word the numbers of its own: a chunk is a term as it is."""
    parts = [[word] if word[0] == "=" else PART.findall(word) for word in words]
    flat = [part for found in parts for part in found]
    stems = iter([part if part[0] == "=" else stem for part, stem in zip(flat, analyzer.stems(flat), strict=True)])
    numbers: defaultdict[str, int] = defaultdict(itertools.count().__next__)
    places = [[numbers[next(stems)] for _ in found] for found in parts]
    return list(numbers), places
