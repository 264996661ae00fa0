"""The questions of an index as they are typed towards: which texts hold which words, kept in one file of arrays."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import count, groupby
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retriever.arrays import Read, open_arrays, open_bytes, write_arrays
from retriever.suggest.folding import fold, plain_and_terms
from retriever.types import Entry

Ordinals = NDArray[np.int32]

FILE = "suggest.bin"
# Sorts behind every character that a word can have.
_LAST = "\U0010ffff"


@dataclass(frozen=True, slots=True)
class Questions:
    """The questions of entries, ready to be written."""

    arrays: Mapping[str, NDArray[Any]]

    def write(self, folder: Path) -> None:
        """Write them; the same questions are the same bytes."""
        write_arrays(self.arrays, folder / FILE)


def index_questions(entries: Iterable[Entry]) -> Questions:
    """Return the questions and alternates of `entries`, whose ordinals are their places; page texts are left out."""
    terms: defaultdict[str, int] = defaultdict(count().__next__)
    texts: list[str] = []
    owners, numbers, held, lengths = array("i"), array("i"), array("i"), array("i")
    for ordinal, entry in enumerate(entries):
        for number, text in enumerate((entry.question, *entry.alternates) if entry.kind == "faq" else ()):
            plain, found = plain_and_terms(fold(text))
            texts.append(plain)
            owners.append(ordinal)
            numbers.append(number)
            lengths.append(len(found))
            held.extend(map(terms.__getitem__, found))
    # Texts are met by entry, so that equal ones stay in that order.
    order = np.array(sorted(range(len(texts)), key=texts.__getitem__), np.int64)
    encoded = [texts[at].encode() for at in order]
    arrays: dict[str, NDArray[Any]] = {
        "texts": np.frombuffer(b"".join(encoded), np.uint8),
        "ends": np.cumsum([0, *map(len, encoded)], dtype=np.int64),
        "owners": np.array(owners, np.int32)[order],
        "numbers": np.array(numbers, np.int32)[order],
        "lengths": np.array(lengths, np.int32)[order],
    }
    place = np.empty(len(texts), np.int32)
    place[order] = np.arange(len(texts), dtype=np.int32)
    holding = np.repeat(place, np.array(lengths, np.int64))
    return Questions(arrays | _columns(terms, np.array(held, np.int32), holding))


def _columns(terms: Mapping[str, int], held: Ordinals, holding: Ordinals) -> dict[str, NDArray[Any]]:
    """Return the words, sorted, and for each the texts that hold it: `held` are words by number, `holding` texts."""
    words = sorted(terms)
    place = np.empty(len(words), np.int32)
    place[[terms[word] for word in words]] = np.arange(len(words), dtype=np.int32)
    held = place[held]
    order = np.lexsort((holding, held))
    return {
        "words": np.frombuffer("\n".join(words).encode(), np.uint8),
        "starts": np.searchsorted(held[order], np.arange(len(words) + 1)).astype(np.int64),
        "holding": holding[order],
    }


class Index:
    """An open file: texts by number, in the order of their folded selves, and words by place, sorted.

    `owners` and `numbers` say for each text whose it is, and which: 0 an entry's question, 1 its first alternate.
    `lengths` is how many different words it has.
    """

    def __init__(self, folder: Path, read: Read = open_bytes) -> None:
        arrays = open_arrays(folder / FILE, read)
        self.owners, self.numbers, self.lengths = (arrays[name] for name in ("owners", "numbers", "lengths"))
        self._blob, self._starts, self._holding = (arrays[name] for name in ("words", "starts", "holding"))
        self._texts, self._ends = arrays["texts"], arrays["ends"]
        self._prefixes: dict[int, tuple[list[str], list[tuple[int, int]]]] = {}

    def __len__(self) -> int:
        return len(self.owners)

    @cached_property
    def words(self) -> list[str]:
        """All words, sorted."""
        return self._blob.tobytes().decode().split("\n") if len(self._blob) else []

    def place(self, word: str) -> int | None:
        """Return the place of a word, None where no text has it."""
        at = bisect_left(self.words, word)
        return at if at < len(self.words) and self.words[at] == word else None

    def beginning(self, prefix: str) -> tuple[int, int]:
        """Return the places, from and to, of the words that begin with `prefix`."""
        return bisect_left(self.words, prefix), bisect_left(self.words, prefix + _LAST)

    def holding(self, first: int, end: int) -> NDArray[np.int32]:
        """Return the numbers of the texts that hold any of the words from `first` to `end`; some more than once."""
        return self._holding[self._starts[first] : self._starts[end]]

    def prefixes(self, length: int) -> tuple[list[str], list[tuple[int, int]]]:
        """Return the first `length` characters of all words that have so many, each once, and the places of each."""
        known = self._prefixes.get(length)
        if known is None:
            long = ((word[:length], at) for at, word in enumerate(self.words) if len(word) >= length)
            grouped = [(prefix, [at for _, at in group]) for prefix, group in groupby(long, key=lambda found: found[0])]
            known = [prefix for prefix, _ in grouped], [(places[0], places[-1] + 1) for _, places in grouped]
            self._prefixes[length] = known
        return known

    def text(self, number: int) -> str:
        """Return a text, folded."""
        return self._bytes(number).decode()

    def starting(self, text: str) -> tuple[int, int]:
        """Return the numbers, from and to, of the texts that begin with a folded text."""
        numbers = range(len(self))
        return (
            bisect_left(numbers, text.encode(), key=self._bytes),
            bisect_left(numbers, (text + _LAST).encode(), key=self._bytes),
        )

    def _bytes(self, number: int) -> bytes:
        return self._texts[self._ends[number] : self._ends[number + 1]].tobytes()
