"""The lexical index: written for entries, and open."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retriever.arrays import Read, open_arrays, open_bytes, write_arrays
from retriever.lexical.asked import Asked
from retriever.lexical.columns import Column, Postings, Share, TermIndex
from retriever.lexical.documents import Documents
from retriever.lexical.postings import Occurrences, bm25_columns
from retriever.lexical.spelling import Spelling
from retriever.lexical.terms import Analyzer, Keys, asked_key, asked_pairs, compounds, keys_in, pair_keys, quotations
from retriever.lexical.tokens import Kept, read_tokens
from retriever.types import Entry

# How often a question's words count beside its answer's; 3 gained nothing over 2.
_QUESTION_TIMES = 2
# How much of its rarity a word that no entry has counts in a share's divisor: 0 overrates what is left of a question.
_UNKNOWN_WORD, _UNKNOWN_PAIR = 0.5, 1.0
_FIELDS = ("question", "words", "pairs")
FILE = "lexical.bin"


@dataclass(frozen=True, slots=True)
class Words:
    """The lexical index of entries, ready to be written."""

    arrays: Mapping[str, NDArray[Any]]

    def write(self, folder: Path) -> None:
        """Write the file that Lexical opens."""
        write_arrays(self.arrays, folder / FILE)


def index_words(entries: Iterable[Entry], lang: str, known: Iterable[str], kept: Kept | None = None) -> Words:
    """Index the words of `entries`, whose ordinals are their rows. `known` are words that are no misspellings.

    What is read is put into `kept`, and what is there from the last build is not read again.
    """
    analyzer = Analyzer(lang)
    documents = Documents(read_tokens(entries, kept), analyzer)
    parts = _fields(documents) | {"spelling": Spelling.index(documents.counts, known, analyzer)}
    return Words({f"{name}.{key}": part[key] for name, part in parts.items() for key in part})


def _fields(documents: Documents) -> dict[str, dict[str, NDArray[Any]]]:
    """Return the arrays of each field: what is asked, all words, and all pairs of neighbouring words."""
    keys, count = keys_in(documents.terms, len(documents.terms)), documents.count
    asked = documents.asked + documents.asked_chunks
    answered = documents.answered + documents.answered_chunks
    return {
        "question": bm25_columns(keys, asked, count),
        "words": bm25_columns(keys, asked.times(_QUESTION_TIMES) + answered, count),
        "pairs": bm25_columns(*_pairs(documents, keys), count),
    }


def _pairs(documents: Documents, keys: Keys) -> tuple[Keys, Occurrences]:
    """Return the keys of the pairs of neighbouring words, and where each pair stands."""
    asked, answered = documents.asked.neighbours(len(keys)), documents.answered.neighbours(len(keys))
    pairs = asked.times(_QUESTION_TIMES) + answered
    found, numbers = np.unique(pairs.terms, return_inverse=True)
    # Without terms there are no pairs either.
    first, second = np.divmod(found, max(len(keys), 1))
    return pair_keys(keys[first], keys[second]), Occurrences(numbers.astype(np.int32), pairs.entries)


_NONE = Share((), 1.0)


class Lexical:
    """An open lexical index of `count` entries."""

    def __init__(self, folder: Path, lang: str, count: int, read: Read = open_bytes) -> None:
        parts: dict[str, dict[str, NDArray[Any]]] = defaultdict(dict)
        for name, held in open_arrays(folder / FILE, read).items():
            field, _, key = name.partition(".")
            parts[field][key] = held
        self.analyzer = Analyzer(lang)
        self._question, self._words, self._pairs = (TermIndex(parts[name], count) for name in _FIELDS)
        self._spelling = Spelling(parts["spelling"], self.analyzer)

    def correct(self, query: str) -> str:
        """Return the question with its misspelt words put right."""
        return self._spelling.correct(query)

    def look_up(self, query: str) -> Asked:
        """Return the question's terms, ready to weigh entries by."""
        words = [asked_key(word) for word in self.analyzer.words(query)]
        keys = list(dict.fromkeys((*words, *map(asked_key, compounds(query.lower())))))
        return Asked(
            self._question.share(keys, _UNKNOWN_WORD),
            self._words.share(keys, _UNKNOWN_WORD),
            self._pairs.share(asked_pairs(words), _UNKNOWN_PAIR),
            self._exact(query),
            self._words.count,
        )

    def _pairs_of(self, text: str) -> list[int]:
        """Return the keys of its pairs of neighbouring words, each once, in order."""
        return asked_pairs([asked_key(word) for word in self.analyzer.words(text)])

    def rarity(self, term: str) -> float:
        """Return how rare a term is in the corpus: 1 for one that no entry has, near 0 for one that most have."""
        return self._words.column(term).rarity / self._words.unknown

    def _exact(self, query: str) -> Share:
        """Return a column for each of the question's codes and quoted phrases, of the entries that hold it as it is."""
        codes = [self._words.column(code).entries for code in self.analyzer.codes(query)]
        quoted = quotations(query)
        if not (codes or quoted):  # as is usual
            return _NONE
        phrases = [self._holding_all(pairs) for text in quoted if len(pairs := self._pairs_of(text))]
        found = [(entries, self._rarity_of(len(entries))) for entries in (*codes, *phrases) if len(entries)]
        if not found:
            return _NONE
        total = sum(rarity for _, rarity in found)
        weights = [rarity * rarity / total for _, rarity in found]
        lengths = [len(entries) for entries, _ in found]
        values = np.repeat(np.array(weights, np.float32), lengths)
        postings = Postings(np.concatenate([entries for entries, _ in found]), values)
        columns = [
            Column(postings, stop - length, stop, weight, rarity)
            for stop, length, weight, (_, rarity) in zip(accumulate(lengths), lengths, weights, found, strict=True)
        ]
        return Share(tuple(columns), 1.0)

    def _holding_all(self, pairs: Sequence[int]) -> NDArray[np.int32]:
        rarest, *others = sorted(self._pairs.columns(pairs), key=lambda column: len(column.entries))
        entries = rarest.entries
        for column in others:
            entries = entries[column.at(entries) > 0]
        return entries

    def _rarity_of(self, held: int) -> float:
        """Return the rarity of what `held` entries have: 1 for a single entry, near 0 for most of them."""
        return self._words.idf(held) / self._words.idf(1)
