"""The words of entries, on an absolute scale: how much of a question an entry holds, exact codes, and spelling.

bm25s computes the scores of terms in entries; this module turns a question into terms and adds the terms' columns. A
*share* is a BM25 score divided by what an entry holding every term at full weight would get: 0 to 1 whatever the
question, so that shares of two questions compare.
"""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import Stemmer
from numpy.typing import NDArray

from retriever.types import Entry, Rows

Scores = NDArray[np.float32]

# BM25's usual values: k1 0.9 to 1.6 and b 0.4 to 0.9 moved nDCG@10 by under 0.001 on public FAQ sets.
_K1, _B = 1.2, 0.75
# How often a question's words count beside its answer's; 3 gained nothing over 2.
_QUESTION_TIMES = 2
# How much of its rarity a word that no entry has counts in a share's divisor: 0 overrates what is left of a question.
_UNKNOWN_WORD, _UNKNOWN_PAIR = 0.5, 1.0

_CHUNK = re.compile(r"\w+(?:[_.\-/:@+#]+\w+)*")
_PART = re.compile(r"[^\W_]+")
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")
_QUOTED = re.compile(r"\"([^\"]+)\"|`([^`]+)`|“([^”]+)”|(?<!\w)'([^']+)'(?!\w)")
_CAMEL = re.compile(r"[a-z][A-Z]")
_JOINERS = frozenset("_/:@+#")

# Snowball's stemmers by language; other languages keep their words whole.
_STEMMERS = {
    "ar": "arabic", "da": "danish", "de": "german", "el": "greek", "en": "english", "es": "spanish", "fi": "finnish",
    "fr": "french", "hu": "hungarian", "it": "italian", "nl": "dutch", "no": "norwegian", "pt": "portuguese",
    "ro": "romanian", "ru": "russian", "sv": "swedish", "tr": "turkish",
}  # fmt: skip


def is_code(chunk: str) -> bool:
    """Tell whether a chunk of text is an identifier, a code or a path, and not a plain word or number."""
    digits, letters = any(map(str.isdigit, chunk)), any(map(str.isalpha, chunk))
    mixed = digits and letters and len(chunk) >= 3
    return mixed or bool(_JOINERS & set(chunk)) or ("." in chunk and letters) or bool(_CAMEL.search(chunk))


class Analyzer:
    """Text to terms in one language: stemmed words, and chunks such as `unused-import` once more as they stand."""

    def __init__(self, lang: str) -> None:
        name = _STEMMERS.get(lang.lower().partition("-")[0])
        self.stem = Stemmer.Stemmer(name).stemWord if name else str

    def words(self, text: str) -> list[str]:
        """Return the stems of the words of `text`, in order."""
        return [self.stem(word) for word in _PART.findall(text.lower())]

    def terms(self, text: str) -> list[str]:
        """Return its words, and its compound chunks whole."""
        return self.words(text) + ["=" + c for c in _CHUNK.findall(text.lower()) if _PART.fullmatch(c) is None]

    def term(self, word: str) -> str:
        """Return the term of one word, or of one compound chunk whole."""
        return self.stem(word.lower()) if _PART.fullmatch(word) else "=" + word.lower()

    def pairs(self, text: str) -> list[str]:
        """Return its pairs of neighbouring words."""
        words = self.words(text)
        return [f"{first} {second}" for first, second in pairwise(words)]

    def codes(self, text: str) -> list[str]:
        """Return the terms of its identifiers and codes, each once."""
        codes = (chunk for chunk in _CHUNK.findall(text) if len(chunk) > 1 and is_code(chunk))
        return list(dict.fromkeys(map(self.term, codes)))


class TermIndex:
    """The BM25 of every term in every entry, read by term."""

    def __init__(self, terms: Sequence[str], arrays: Mapping[str, NDArray[Any]], count: int) -> None:
        self._columns = {term: at for at, term in enumerate(terms)}
        self._data, self._entries, self._starts = (arrays[name] for name in ("data", "entries", "starts"))
        self.count = count
        held = np.diff(self._starts)
        self._idf = np.log(1 + (count - held + 0.5) / (held + 0.5))
        self.unknown = float(np.log(1 + (count + 0.5) / 0.5))

    @staticmethod
    def index(documents: Sequence[Sequence[str]]) -> tuple[list[str], dict[str, NDArray[Any]]]:
        """Return the terms of `documents`, one an entry, and the arrays that the class reads."""
        if not any(documents):
            empty: dict[str, NDArray[Any]] = {
                "data": np.zeros(0, np.float32),
                "entries": np.zeros(0, np.int32),
                "starts": np.zeros(1, np.int64),
            }
            return [], empty
        import bm25s

        logging.getLogger("bm25s").setLevel(logging.WARNING)  # it sets itself to DEBUG
        engine = bm25s.BM25(method="lucene", k1=_K1, b=_B)
        engine.index([list(document) for document in documents], show_progress=False)
        terms = sorted(engine.vocab_dict, key=engine.vocab_dict.__getitem__)
        scores = engine.scores
        # The engine adds an empty term of its own at the end, where a document may be empty.
        terms = terms[: len(scores["indptr"]) - 1]
        return terms, {"data": scores["data"], "entries": scores["indices"], "starts": scores["indptr"]}

    def idf(self, term: str) -> float:
        """Return the rarity of a term; one that no entry has is rarest."""
        at = self._columns.get(term)
        return self.unknown if at is None else float(self._idf[at])

    def column(self, term: str) -> tuple[Rows, Scores]:
        """Return the entries that hold a term, and its BM25 in each."""
        at = self._columns.get(term)
        span = slice(0, 0) if at is None else slice(self._starts[at], self._starts[at + 1])
        return self._entries[span], self._data[span]

    def share(self, terms: Iterable[str], unknown: float) -> Scores:
        """Return every entry's BM25 for the terms, divided by the sum of their IDF, shape (entries,)."""
        scores, total = np.zeros(self.count, np.float32), 0.0
        for term in dict.fromkeys(terms):
            entries, values = self.column(term)
            scores[entries] += values
            total += self.idf(term) if len(entries) else unknown * self.unknown
        return scores / np.float32(total) if total else scores


@dataclass(frozen=True, slots=True)
class LexicalScores:
    """What words say of every entry, each 0 to 1, shape (entries,).

    `question`: the share of the question's words in the entry's questions; `words`: in the whole entry; `pairs`: of its
    pairs of words; `exact`: of its codes and quoted phrases, as they stand.
    """

    question: Scores
    words: Scores
    pairs: Scores
    exact: Scores


_FIELDS = ("question", "words", "pairs")


def write_lexical(entries: Sequence[Entry], lang: str, known: Iterable[str], folder: Path) -> None:
    """Write the lexical index of `entries`, whose ordinals are its rows. `known` are words that are no misspellings."""
    analyzer = Analyzer(lang)
    questions = [" \n ".join((entry.question, *entry.alternates)) for entry in entries]
    answers = ["\n".join(paragraph.text for paragraph in entry.answer) for entry in entries]
    both = list(zip(questions, answers, strict=True))
    documents = {
        "question": [analyzer.terms(q) for q in questions],
        "words": [analyzer.terms(q) * _QUESTION_TIMES + analyzer.terms(a) for q, a in both],
        "pairs": [analyzer.pairs(q) * _QUESTION_TIMES + analyzer.pairs(a) for q, a in both],
    }
    counts = Counter(word for q, a in both for word in set(_WORD.findall(f"{q} {a}".lower())))
    terms: dict[str, list[str]] = {}
    arrays: dict[str, NDArray[Any]] = {}
    for name in _FIELDS:
        terms[name], found = TermIndex.index(documents[name])
        arrays |= {f"{name}.{key}": array for key, array in found.items()}
    vocabulary = {"terms": terms, "counts": counts, "known": sorted(known)}
    (folder / "lexical.json").write_bytes(msgspec.json.encode(vocabulary))
    np.savez(folder / "lexical.npz", **arrays)  # type: ignore[arg-type]  # its stub takes an array for a flag


class _Vocabulary(msgspec.Struct):
    terms: dict[str, list[str]]
    counts: dict[str, int]
    known: list[str]


class Lexical:
    """An open lexical index of `count` entries."""

    def __init__(self, folder: Path, lang: str, count: int) -> None:
        vocabulary = msgspec.json.decode((folder / "lexical.json").read_bytes(), type=_Vocabulary)
        with np.load(folder / "lexical.npz", allow_pickle=False) as arrays:
            parts = {name: {key: arrays[f"{name}.{key}"] for key in ("data", "entries", "starts")} for name in _FIELDS}
        self.analyzer = Analyzer(lang)
        self._question, self._words, self._pairs = (
            TermIndex(vocabulary.terms[name], parts[name], count) for name in _FIELDS
        )
        self._spelling = Spelling(vocabulary.counts, vocabulary.known, self.analyzer)

    def correct(self, query: str) -> str:
        """Return the question with its misspelt words put right."""
        return self._spelling.correct(query)

    def score(self, query: str) -> LexicalScores:
        """Return what the question's words say of every entry."""
        terms = self.analyzer.terms(query)
        return LexicalScores(
            self._question.share(terms, _UNKNOWN_WORD),
            self._words.share(terms, _UNKNOWN_WORD),
            self._pairs.share(self.analyzer.pairs(query), _UNKNOWN_PAIR),
            self._exact(query),
        )

    def rarity(self, term: str) -> float:
        """Return how rare a term is in the corpus: 1 for one that no entry has, near 0 for one that most have."""
        return self._words.idf(term) / self._words.unknown

    def _exact(self, query: str) -> Scores:
        """Return how much of the question's codes and quoted phrases each entry holds as they stand."""
        codes = [self._words.column(code)[0] for code in self.analyzer.codes(query)]
        quoted = ["".join(groups) for groups in _QUOTED.findall(query)]
        phrases = [self._holding_all(pairs) for text in quoted if (pairs := self.analyzer.pairs(text))]
        found = [(rows, self._rarity_of(len(rows))) for rows in (*codes, *phrases) if len(rows)]
        scores = np.zeros(self._words.count, np.float32)
        total = sum(rarity for _, rarity in found)
        for rows, rarity in found:
            scores[rows] += rarity * rarity / total
        return scores

    def _holding_all(self, pairs: Sequence[str]) -> Rows:
        rows = self._pairs.column(pairs[0])[0]
        for pair in pairs[1:]:
            rows = np.intersect1d(rows, self._pairs.column(pair)[0])
        return rows

    def _rarity_of(self, held: int) -> float:
        """Return the rarity of what `held` entries have: 1 for a single entry, near 0 for most of them."""
        count = self._words.count
        return float(np.log(1 + (count - held + 0.5) / (held + 0.5)) / np.log(1 + (count - 0.5) / 1.5))


class Spelling:
    """Corrects words that neither the corpus nor the language knows to the corpus's own nearest word.

    Never a code, a number, a quotation, or a word that the corpus has.
    """

    _SHORTEST, _LONG = 4, 8

    def __init__(self, counts: Mapping[str, int], known: Sequence[str], analyzer: Analyzer) -> None:
        self._counts = counts
        self._known = known
        self._stem = analyzer.stem

    @cached_property
    def _stems(self) -> frozenset[str]:
        return frozenset(self._stem(word) for word in (*self._counts, *self._known))

    @cached_property
    def _targets(self) -> list[str]:
        return [word for word in self._counts if word.isalpha() and len(word) >= self._SHORTEST]

    def correct(self, query: str) -> str:
        """Return the question with its misspelt words put right."""
        kept = [match.span() for match in _QUOTED.finditer(query)]
        kept += [match.span() for match in _CHUNK.finditer(query) if _PART.fullmatch(match[0]) is None]

        def put_right(match: re.Match[str]) -> str:
            inside = any(start <= match.start() < end for start, end in kept)
            return match[0] if inside else self._word(match[0])

        return _WORD.sub(put_right, query)

    def _word(self, word: str) -> str:
        lower = word.lower()
        plain = len(lower) >= self._SHORTEST and lower.isalpha() and word in (lower, lower.capitalize())
        if not plain or lower in self._counts or self._stem(lower) in self._stems:
            return word
        return self._nearest(lower) or word

    def _nearest(self, word: str) -> str | None:
        """Return the commonest of the nearest words: one slip off, or two in a long word that begins alike."""
        from rapidfuzz import process
        from rapidfuzz.distance import OSA

        most = 1 if len(word) < self._LONG else 2
        near = process.extract(word, self._targets, scorer=OSA.distance, score_cutoff=most, limit=20)
        fit = [
            (slips, found[0] != word[0], -self._counts[found], found)
            for found, slips, _ in near
            if found[0] == word[0] or slips == 1
        ]
        return min(fit)[-1] if fit else None
