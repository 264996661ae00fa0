"""The words of entries as numbers, and as the terms that they are looked up by."""

from __future__ import annotations

import itertools
from array import array
from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np

from retriever.lexical.postings import Occurrences, entries_holding
from retriever.lexical.terms import PART, WORD, Analyzer, compounds
from retriever.types import Entry


class Stream:
    """The words of one text an entry, each as its number: 4 bytes a word."""

    def __init__(self, numbers: defaultdict[str, int]) -> None:
        self._number = numbers.__getitem__
        self._ids, self._lengths = array("i"), array("i")

    def add(self, words: Sequence[str]) -> None:
        """Add an entry's."""
        self._ids.extend(map(self._number, words))
        self._lengths.append(len(words))

    def __len__(self) -> int:
        return len(self._lengths)

    def occurrences(self) -> Occurrences:
        """Return where the words stand."""
        lengths = np.frombuffer(self._lengths, np.int32)
        entries = np.repeat(np.arange(len(lengths)), lengths)
        return Occurrences(np.frombuffer(self._ids, np.int32).astype(np.int64), entries)


class Documents:
    """The words of entries, and their compound chunks: what they ask apart from what they answer.

    Each different word is a number, and is stemmed once however often it stands there.
    """

    def __init__(self, entries: Iterable[Entry], analyzer: Analyzer) -> None:
        numbers: defaultdict[str, int] = defaultdict(itertools.count().__next__)
        streams = [Stream(numbers) for _ in range(4)]
        asked, asked_chunks, answered, answered_chunks = streams
        for entry in entries:
            question = " \n ".join((entry.question, *entry.alternates)).lower()
            answer = "\n".join(paragraph.text for paragraph in entry.answer).lower()
            asked.add(WORD.findall(question))
            asked_chunks.add(compounds(question))
            answered.add(WORD.findall(answer))
            answered_chunks.add(compounds(answer))
        self.count = len(asked)
        whole = asked.occurrences() + answered.occurrences()
        self.counts = {
            word: count
            for word, count in zip(numbers, entries_holding(whole, len(numbers)).tolist(), strict=True)
            if count
        }
        self.terms, places = _terms_of(numbers, analyzer)
        self.asked, self.asked_chunks, self.answered, self.answered_chunks = (
            stream.occurrences().map(places) for stream in streams
        )


def _terms_of(words: Iterable[str], analyzer: Analyzer) -> tuple[list[str], list[list[int]]]:
    """Return the different terms of `words`, and for each word the numbers of its own: a chunk is a term as it is."""
    parts = [[word] if word[0] == "=" else PART.findall(word) for word in words]
    flat = [part for found in parts for part in found]
    stems = iter([part if part[0] == "=" else stem for part, stem in zip(flat, analyzer.stems(flat), strict=True)])
    numbers: defaultdict[str, int] = defaultdict(itertools.count().__next__)
    places = [[numbers[next(stems)] for _ in found] for found in parts]
    return list(numbers), places
