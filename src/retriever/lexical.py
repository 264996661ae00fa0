"""The words of entries, on an absolute scale: how much of a question an entry holds, exact codes, and spelling.

bm25s computes the scores of terms in entries; this module turns a question into terms and adds the terms' columns. A
*share* is a BM25 score divided by what an entry holding every term at full weight would get: 0 to 1 whatever the
question, so that shares of two questions compare.
"""

from __future__ import annotations

import hashlib
import itertools
import logging
import re
from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import Stemmer
from numpy.typing import NDArray

from retriever.arrays import open_arrays, write_arrays
from retriever.types import Entry, Mask, Rows

Scores = NDArray[np.float32]
Keys = NDArray[np.uint64]

# BM25's usual values: k1 0.9 to 1.6 and b 0.4 to 0.9 moved nDCG@10 by under 0.001 on public FAQ sets.
_K1, _B = 1.2, 0.75
# How often a question's words count beside its answer's; 3 gained nothing over 2.
_QUESTION_TIMES = 2
# How much of its rarity a word that no entry has counts in a share's divisor: 0 overrates what is left of a question.
_UNKNOWN_WORD, _UNKNOWN_PAIR = 0.5, 1.0

_CHUNK = re.compile(r"\w+(?:[_.\-/:@+#]+\w+)*")
_PART = re.compile(r"[^\W_]+")
_JOINED = re.compile(r"_|\w[.\-/:@+#]+\w")
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


def _stemmer(name: str) -> tuple[Callable[[str], str], Callable[[list[str]], list[str]]]:
    stemmer = Stemmer.Stemmer(name)
    return stemmer.stemWord, stemmer.stemWords


class Analyzer:
    """Text to terms in one language: stemmed words, and chunks such as `unused-import` once more as they stand."""

    def __init__(self, lang: str) -> None:
        name = _STEMMERS.get(lang.lower().partition("-")[0])
        self.stem, self._stems = _stemmer(name) if name else (str, list)

    def words(self, text: str) -> list[str]:
        """Return the stems of the words of `text`, in order."""
        return self._stems(_PART.findall(text.lower()))

    def terms(self, text: str) -> list[str]:
        """Return its words, and its compound chunks whole."""
        return self.words(text) + _compounds(text)

    def term(self, word: str) -> str:
        """Return the term of one word, or of one compound chunk whole."""
        return self.stem(word.lower()) if _PART.fullmatch(word) else "=" + word.lower()

    def pairs(self, text: str) -> list[str]:
        """Return its pairs of neighbouring words."""
        return _pairs(self.words(text))

    def terms_and_pairs(self, text: str) -> tuple[list[str], list[str]]:
        """Return what `terms` and `pairs` do, in one pass."""
        words = self.words(text)
        return words + _compounds(text), _pairs(words)

    def codes(self, text: str) -> list[str]:
        """Return the terms of its identifiers and codes, each once."""
        codes = (chunk for chunk in _CHUNK.findall(text) if len(chunk) > 1 and is_code(chunk))
        return list(dict.fromkeys(map(self.term, codes)))


def _compounds(text: str) -> list[str]:
    lower = text.lower()
    chunks = _CHUNK.findall(lower) if _JOINED.search(lower) else ()
    return ["=" + chunk for chunk in chunks if _PART.fullmatch(chunk) is None]


def _pairs(words: Sequence[str]) -> list[str]:
    return [f"{first} {second}" for first, second in pairwise(words)]


def _key(term: str) -> int:
    """Return 64 bits that stand for a term. Of five million terms two share theirs once in a million indexes."""
    return int.from_bytes(hashlib.blake2b(term.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


def _keys(terms: Iterable[str], count: int) -> Keys:
    return np.fromiter(map(_key, terms), np.uint64, count)


def keys_of(terms: Iterable[str]) -> Keys:
    """Return the keys of `terms`, each term once, in order."""
    once = dict.fromkeys(terms)
    return _keys(once, len(once))


def _find(keys: Keys, key: int) -> int | None:
    """Return where `key` stands among sorted `keys`, None if nowhere."""
    wanted = np.uint64(key)
    at = int(np.searchsorted(keys, wanted))
    return at if at < len(keys) and keys[at] == wanted else None


@dataclass(frozen=True, slots=True)
class Column:
    """A term: the entries that hold it, ascending, its score in each, and the highest of those."""

    entries: NDArray[np.int32]
    values: Scores
    most: float

    def at(self, ordinals: NDArray[np.int32]) -> Scores:
        """Return the term's score in each of `ordinals`, 0 where they do not hold it."""
        if not len(self.entries):
            return np.zeros(len(ordinals), np.float32)
        place = np.minimum(np.searchsorted(self.entries, ordinals), len(self.entries) - 1)
        found: Scores = np.where(self.entries[place] == ordinals, self.values[place], np.float32(0))
        return found


@dataclass(frozen=True, slots=True)
class Share:
    """The columns of a question's terms in one field, and what an entry holding all at full weight would get."""

    columns: tuple[Column, ...]
    total: float

    def at(self, ordinals: NDArray[np.int32]) -> Scores:
        """Return the share of each of `ordinals`."""
        scores = np.zeros(len(ordinals), np.float32)
        for column in self.columns:
            scores += column.at(ordinals)
        return scores / np.float32(self.total) if self.total else scores

    def of_all(self, count: int) -> Scores:
        """Return the share of every one of `count` entries: the same numbers as `at` gives."""
        scores = np.zeros(count, np.float32)
        for column in self.columns:
            scores[column.entries] += column.values
        return scores / np.float32(self.total) if self.total else scores


class TermIndex:
    """The BM25 of every term in every entry, read by term."""

    def __init__(self, arrays: Mapping[str, NDArray[Any]], count: int) -> None:
        self._keys, self._places, self._starts = (arrays[name] for name in ("keys", "places", "starts"))
        self._entries, self._values, self._most = (arrays[name] for name in ("entries", "values", "most"))
        self.count = count
        self.unknown = float(np.log(1 + (count + 0.5) / 0.5))

    def column(self, term: str) -> Column:
        """Return the entries that hold a term, and its BM25 in each."""
        return self.columns(keys_of((term,)))[0]

    def held(self, term: str) -> int:
        """Return how many entries hold a term."""
        found = _find(self._keys, _key(term))
        if found is None:
            return 0
        at = int(self._places[found])
        return int(self._starts[at + 1]) - int(self._starts[at])

    def columns(self, keys: Keys) -> list[Column]:
        """Return the column of each of the terms whose keys these are; it is empty where no entry has the term."""
        if not len(self._keys):
            return [Column(self._entries, self._values, 0.0)] * len(keys)
        found = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        places = self._places[found]
        spans = zip(self._starts[places].tolist(), self._starts[places + 1].tolist(), strict=True)
        known, most = (self._keys[found] == keys).tolist(), self._most[places].tolist()
        return [
            Column(self._entries[start:stop], self._values[start:stop], top)
            if held
            else Column(self._entries[:0], self._values[:0], 0.0)
            for held, (start, stop), top in zip(known, spans, most, strict=True)
        ]

    def idf(self, held: int) -> float:
        """Return the rarity of a term that `held` entries have; one that none has is rarest."""
        return float(np.log(1 + (self.count - held + 0.5) / (held + 0.5))) if held else self.unknown

    def share(self, keys: Keys, unknown: float) -> Share:
        """Return the columns of terms, by key. One that no entry has counts `unknown` of its rarity in the divisor."""
        columns = self.columns(keys)
        total = sum(self.idf(len(c.entries)) if len(c.entries) else unknown * self.unknown for c in columns)
        return Share(tuple(column for column in columns if len(column.entries)), total)


class Documents:
    """The terms of entries in one field, each as a number in the order of first appearance: 4 bytes a term."""

    def __init__(self) -> None:
        self._numbers: defaultdict[str, int] = defaultdict(itertools.count().__next__)
        self._ids, self._ends = array("i"), array("q", [0])

    def add(self, terms: Iterable[str]) -> None:
        """Add an entry."""
        self._ids.extend(map(self._numbers.__getitem__, terms))
        self._ends.append(len(self._ids))

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, at: int) -> Sequence[int]:
        if at >= len(self):
            raise IndexError(at)
        return self._ids[self._ends[at] : self._ends[at + 1]]

    def columns(self) -> dict[str, NDArray[Any]]:
        """Return the arrays that TermIndex reads."""
        count = len(self._numbers)
        keys = _keys(self._numbers, count)
        places = np.argsort(keys).astype(np.int32)
        scores = self._bm25() if count else _NOTHING
        starts = np.asarray(scores["indptr"], np.int64)[: count + 1]
        values = np.asarray(scores["data"], np.float32)
        most = np.maximum.reduceat(values, starts[:-1]) if count else values
        entries = np.asarray(scores["indices"], np.int32)
        of_terms: dict[str, NDArray[Any]] = {"keys": keys[places], "places": places, "starts": starts, "most": most}
        return of_terms | {"entries": entries, "values": values}

    def _bm25(self) -> Mapping[str, Any]:
        import bm25s

        logging.getLogger("bm25s").setLevel(logging.WARNING)  # it sets itself to DEBUG
        engine = bm25s.BM25(method="lucene", k1=_K1, b=_B)
        found: Mapping[str, Any] = engine.build_index_from_ids(range(len(self._numbers)), self, show_progress=False)
        return found


_NOTHING: Mapping[str, Any] = {"indptr": [0], "data": [], "indices": []}


@dataclass(frozen=True, slots=True)
class LexicalScores:
    """What words say of some entries, each 0 to 1, shape (entries,).

    `question`: the share of the question's words in the entry's questions; `words`: in the whole entry; `pairs`: of its
    pairs of words; `exact`: of its codes and quoted phrases, as they stand.
    """

    question: Scores
    words: Scores
    pairs: Scores
    exact: Scores


@dataclass(frozen=True, slots=True)
class Asked:
    """A question's terms, looked up among those of `count` entries."""

    question: Share
    words: Share
    pairs: Share
    exact: Share
    count: int

    def scores(self, ordinals: Rows) -> LexicalScores:
        """Return what the question's words say of the entries `ordinals`."""
        fields = (self.question, self.words, self.pairs, self.exact)
        if self.count <= _FEW:
            return LexicalScores(*(share.of_all(self.count)[ordinals] for share in fields))
        at = ordinals.astype(np.int32)  # of the columns' own type, or each would be copied to search it
        return LexicalScores(*(share.at(at) for share in fields))

    def best(self, count: int, allowed: Mask | None = None) -> Rows:
        """Return the entries that share most of the words, pairs and codes, best first: at most `count`, and exactly.

        Terms are added up from the rarest on. Once those left cannot lift an entry that has none of the rare ones among
        the best, no more entries are taken up, and those that can no longer be among the best are dropped term by term.
        So the long columns of common words are looked into, and seldom walked.
        """
        if self.count <= _FEW:
            return self._best_of_few(count, allowed)
        shares = [(column, share.total or 1.0) for share in self._shares for column in share.columns]
        columns = sorted(shares, key=lambda column: -len(column[0].entries))
        sums, met, top, least = np.zeros(self.count, np.float32), [np.zeros(0, np.int32)], 0.0, 0.0
        left = sum(column.most / total for column, total in columns)
        while columns:
            column, total = columns.pop()
            entries, values = column.entries, column.values / np.float32(total)
            if allowed is not None:
                kept = allowed[entries]
                entries, values = entries[kept], values[kept]
            before = sums[entries]
            met.append(entries[before == 0])
            sums[entries] = before + values
            top, left = max(top, float((before + values).max(initial=0))), left - column.most / total
            if left < top and left < (least := _least(sums[np.concatenate(met)], count)):
                break
        worth = np.concatenate(met)
        worth = self._sift(worth, sums, columns, left, least, count)
        scores = self.scores(worth.astype(np.int64))
        together = scores.words + scores.pairs + scores.exact
        return worth[np.argsort(-together, kind="stable")[:count]].astype(np.int64)

    def _sift(
        self,
        worth: NDArray[np.int32],
        sums: Scores,
        columns: Sequence[tuple[Column, float]],
        left: float,
        least: float,
        count: int,
    ) -> NDArray[np.int32]:
        """Return those of `worth`, ascending, that may be among the best once `columns`, worth `left`, are added."""
        for column, total in sorted(columns, key=lambda column: -column[0].most / column[1]):
            worth = worth[sums[worth] + left >= least]
            if len(worth) <= _ENOUGH * count:
                break
            sums[worth] += column.at(worth) / np.float32(total)
            left -= column.most / total
            least = _least(sums[worth], count)
        return np.sort(worth[sums[worth] + left >= least])

    @property
    def _shares(self) -> tuple[Share, ...]:
        return self.words, self.pairs, self.exact

    def _best_of_few(self, count: int, allowed: Mask | None) -> Rows:
        """Return the same by weighing every entry."""
        total = self.words.of_all(self.count) + self.pairs.of_all(self.count) + self.exact.of_all(self.count)
        if allowed is not None:
            total[~allowed] = 0
        best = np.argsort(-total, kind="stable")[:count]
        return best[total[best] > 0]


def _least(sums: Scores, count: int) -> float:
    """Return what the last of the best `count` has, less what rounding may do to it; 0 where there are fewer."""
    return float(np.partition(sums, -count)[-count]) - _ROUNDING if len(sums) >= count else 0.0


# So few entries more than are wanted are weighed sooner than sorted out.
_ENOUGH = 4
# Weighing so many entries one and all takes less time than choosing whom to weigh.
_FEW = 4_000
# Far above what sums of a few dozen float32 differ by when they are added in another order.
_ROUNDING = 1e-4
_FIELDS = ("question", "words", "pairs")
FILE = "lexical.bin"


def write_lexical(entries: Iterable[Entry], lang: str, known: Iterable[str], folder: Path) -> None:
    """Write the lexical index of `entries`, whose ordinals are its rows. `known` are words that are no misspellings."""
    analyzer = Analyzer(lang)
    question, words, pairs = fields = Documents(), Documents(), Documents()
    counts: Counter[str] = Counter()
    for entry in entries:
        asked = " \n ".join((entry.question, *entry.alternates))
        answer = "\n".join(paragraph.text for paragraph in entry.answer)
        asked_terms, asked_pairs = analyzer.terms_and_pairs(asked)
        terms, pairs_of_answer = analyzer.terms_and_pairs(answer)
        question.add(asked_terms)
        words.add(asked_terms * _QUESTION_TIMES + terms)
        pairs.add(asked_pairs * _QUESTION_TIMES + pairs_of_answer)
        counts.update(set(_WORD.findall(f"{asked} {answer}".lower())))
    parts = {name: documents.columns() for name, documents in zip(_FIELDS, fields, strict=True)}
    parts["spelling"] = Spelling.index(counts, known, analyzer)
    write_arrays({f"{name}.{key}": part[key] for name, part in parts.items() for key in part}, folder / FILE)


class Lexical:
    """An open lexical index of `count` entries."""

    def __init__(self, folder: Path, lang: str, count: int) -> None:
        parts: dict[str, dict[str, NDArray[Any]]] = defaultdict(dict)
        for name, held in open_arrays(folder / FILE).items():
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
        keys = keys_of(self.analyzer.terms(query))
        return Asked(
            self._question.share(keys, _UNKNOWN_WORD),
            self._words.share(keys, _UNKNOWN_WORD),
            self._pairs.share(keys_of(self.analyzer.pairs(query)), _UNKNOWN_PAIR),
            self._exact(query),
            self._words.count,
        )

    def rarity(self, term: str) -> float:
        """Return how rare a term is in the corpus: 1 for one that no entry has, near 0 for one that most have."""
        return self._words.idf(self._words.held(term)) / self._words.unknown

    def _exact(self, query: str) -> Share:
        """Return a column for each of the question's codes and quoted phrases, of the entries that hold it as it is."""
        codes = [self._words.column(code).entries for code in self.analyzer.codes(query)]
        quoted = ["".join(groups) for groups in _QUOTED.findall(query)]
        phrases = [self._holding_all(pairs) for text in quoted if (pairs := self.analyzer.pairs(text))]
        found = [(entries, self._rarity_of(len(entries))) for entries in (*codes, *phrases) if len(entries)]
        total = sum(rarity for _, rarity in found)
        weights = [rarity * rarity / total for _, rarity in found]
        columns = [
            Column(entries, np.full(len(entries), weight, np.float32), weight)
            for (entries, _), weight in zip(found, weights, strict=True)
        ]
        return Share(tuple(columns), 1.0)

    def _holding_all(self, pairs: Sequence[str]) -> NDArray[np.int32]:
        rarest, *others = sorted((self._pairs.column(pair) for pair in pairs), key=lambda column: len(column.entries))
        entries = rarest.entries
        for column in others:
            entries = entries[column.at(entries) > 0]
        return entries

    def _rarity_of(self, held: int) -> float:
        """Return the rarity of what `held` entries have: 1 for a single entry, near 0 for most of them."""
        count = self._words.count
        return float(np.log(1 + (count - held + 0.5) / (held + 0.5)) / np.log(1 + (count - 0.5) / 1.5))


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

    @classmethod
    def index(cls, counts: Mapping[str, int], known: Iterable[str], analyzer: Analyzer) -> dict[str, NDArray[Any]]:
        """Return the arrays that the class reads: of `counts`, in how many entries each word is, and `known` words."""
        stems = {analyzer.stem(word) for word in (*counts, *known)}
        targets = sorted((w for w in counts if w.isalpha() and len(w) >= cls._SHORTEST), key=lambda w: (_shelf(w), w))
        shelves = {shelf: "\n".join(words).encode() for shelf, words in groupby(targets, _shelf)}
        keys = _keys(targets, len(targets))
        order = np.argsort(keys)
        return {
            "stems": np.sort(_keys(stems, len(stems))),
            "keys": keys[order],
            "counts": np.array([counts[word] for word in targets], np.int64)[order],
            "shelves": np.array(list(shelves), np.int64),
            "starts": np.cumsum([0, *map(len, shelves.values())], dtype=np.int64),
            "text": np.frombuffer(b"".join(shelves.values()), np.uint8),
        }

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
        if not plain or _find(self._stems, _key(self._stem(lower))) is not None:
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
        fit = [(slips, begins, -count, found) for slips, begins, found in near if (count := self._count(found))]
        return min(fit)[-1] if fit else None

    def _on_shelf(self, first: str, length: int) -> list[str]:
        shelf = ord(first) << _LENGTH_BITS | length
        at = int(np.searchsorted(self._shelves, shelf))
        if at == len(self._shelves) or self._shelves[at] != shelf:
            return []
        return self._text[self._starts[at] : self._starts[at + 1]].tobytes().decode().split("\n")

    def _count(self, word: str) -> int:
        """Return in how many entries a word is that another may be corrected to; 0 if it is none."""
        at = _find(self._keys, _key(word))
        return 0 if at is None else int(self._counts[at])


_LENGTH_BITS = 32


def _shelf(word: str) -> int:
    return ord(word[0]) << _LENGTH_BITS | len(word)
