"""Entries that ask the same: near vectors, and no word that tells the questions apart. Conflicts among them.

The vectors are those of the snapshot. A cosine alone cannot tell “week 3” from “week 4” or “log in” from “log out”,
so numbers, codes, negation, what is asked for and the words that differ each have a say.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from retriever.guard import content_words, denied
from retriever.lexical import is_code
from retriever.lint.claims import conflict
from retriever.lint.findings import Finding, Place, quoted
from retriever.ranking import related
from retriever.snapshot import KINDS, Snapshot
from retriever.types import Allowed, Entry

# Least nearness of two questions, and of two entries with their answers, on the scale where 0 is nothing in common: the
# more the words differ, the more of it. Set on public FAQ sets: docs/lint.md.
_SAME_WORDS = 0.79
_WORDS_ADDED, _ALL_ADDED = 0.82, 0.79
_WORDS_EXCHANGED, _ALL_EXCHANGED = 0.85, 0.84
_NEAREST = 32

# Words of a question about a fault that say no more than that there is one, and a list's own marks.
_NOISE = frozenset(
    [
        "q",
        "question",
        "error",
        "issue",
        "problem",
        "fix",
        "fixing",
        "solve",
        "resolve",
        "encounter",
        "encountered",
        "following",
    ]
)
_SPELT_S = re.compile(r"(?<=\w{3})is(e|ed|es|ing|ation|ations)\b", re.I)
_HARD = frozenset(
    [
        "monday",
        "tuesday",
        "wednesday",
        "thursday",
        "friday",
        "saturday",
        "sunday",
        "january",
        "february",
        "march",
        "april",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
        "first",
        "second",
        "third",
    ]
)
_OPPOSED = tuple(
    frozenset(pair.split("/"))
    for pair in [
        "in/out",
        "on/off",
        "before/after",
        "with/without",
        "up/down",
        "from/to",
        "more/less",
        "over/under",
        "all/one",
        "for/against",
    ]
)
_ASKED_FOR = re.compile(
    r"\b(when|where|who|whom|whose|why|which|how (?:long|much|many|often|far|old|soon|big|large))\b", re.I
)
_OBLIGED = re.compile(r"\b(?:must|should|need(?:s|ed)?|(?:have|has|had) to|required?|mandatory|necessary)\b", re.I)


@dataclass(frozen=True, slots=True)
class Matter:
    """What a question must share with another to be the same: `hard` all of it, `words` mostly."""

    hard: frozenset[str]
    codes: frozenset[str]
    words: frozenset[str]
    plain: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question or alternate, its row, its entry and that one's row of question and answer."""

    text: str
    row: int
    ordinal: int
    matter: Matter


def find_twins(snapshot: Snapshot, entries: Sequence[Entry]) -> Iterator[Finding]:
    """Yield the pairs of entries that ask the same: as conflicts where their answers differ, else as duplicates."""
    asked = _asked(snapshot, entries)
    best: dict[tuple[int, int], tuple[float, str, str]] = {}
    for mine, theirs, cosine in _near(snapshot, asked):
        pair = mine.ordinal, theirs.ordinal
        nearer = best.get(pair, (-1.0,))[0] < cosine
        if nearer and entries[pair[0]].lang == entries[pair[1]].lang and _same(snapshot, mine, theirs, cosine):
            best[pair] = cosine, mine.text, theirs.text
    for (one, other), (cosine, text, their_text) in best.items():
        yield _finding(*_placed(entries[one], text, entries[other], their_text), cosine)


def _asked(snapshot: Snapshot, entries: Sequence[Entry]) -> dict[int, _Asked]:
    """Return by row every question and alternate that is whole there."""
    asked = {}
    for row in np.flatnonzero(snapshot.kinds <= KINDS.index("alternate")).tolist():
        ordinal = int(snapshot.owners[row])
        passage = snapshot.passage(row, entries[ordinal])
        if passage.start == 0 and entries[ordinal].kind == "faq":
            whole = (
                entries[ordinal].question
                if passage.kind == "question"
                else entries[ordinal].alternates[passage.number - 1]
            )
            asked[row] = _Asked(whole, row, ordinal, matter_of(whole, snapshot))
    return asked


def _near(snapshot: Snapshot, asked: dict[int, _Asked]) -> Iterator[tuple[_Asked, _Asked, float]]:
    """Yield the pairs of questions whose vectors are near, each once."""
    rows = np.array(list(asked), dtype=np.int64)
    mask = np.zeros(len(snapshot.kinds), dtype=np.bool_)
    mask[rows] = True
    allowed = Allowed.of(mask)
    least = _SAME_WORDS * (1 - snapshot.manifest.calibration.floor) + snapshot.manifest.calibration.floor
    for row, mine in asked.items():
        vector = snapshot.vectors.get(np.array([row]))[0]
        found = snapshot.vectors.search(vector, _NEAREST, allowed)
        for other, score in zip(found.rows.tolist(), found.scores.tolist(), strict=True):
            if score >= least and row < other and mine.ordinal != asked[other].ordinal:
                yield mine, asked[other], score


def matter_of(text: str, snapshot: Snapshot) -> Matter:
    """Return what `text` asks about."""
    analyzer = snapshot.lexical.analyzer
    spelt = _SPELT_S.sub(r"iz\1", text)
    plain = frozenset(re.findall(r"[^\W_]+", text.lower()))
    words = [word for word in content_words(spelt) if word.lower() not in _NOISE]
    codes = frozenset(word.lower() for word in words if is_code(word) and not word.isalpha())
    hard = {word for word in plain if word.isdecimal()} - set(re.findall(r"\d+", " ".join(codes)))
    hard |= (plain & _HARD) | ({"not"} if denied(text, "") else set())
    stems = {stem for word in words for stem in analyzer.words(word)}
    stems |= {"?" + found.lower() for found in _ASKED_FOR.findall(text)}
    stems |= {"?must"} if _OBLIGED.search(text) else set()
    return Matter(frozenset(hard), codes, frozenset(stems), plain)


def _same(snapshot: Snapshot, mine: _Asked, theirs: _Asked, cosine: float) -> bool:
    one, other = mine.matter, theirs.matter
    if one.hard != other.hard or (one.codes - other.codes and other.codes - one.codes) or _opposed(one, other):
        return False
    floor = snapshot.manifest.calibration.floor
    near = float(related(np.array([cosine], np.float32), floor)[0])
    left, added = one.words - other.words, other.words - one.words
    if not left and not added:
        return near >= _SAME_WORDS
    if len(left) == len(added) == 1:  # one word in another's place makes another question
        return False
    every = float(related(np.array([_entry_cosine(snapshot, mine.ordinal, theirs.ordinal)], np.float32), floor)[0])
    if not left or not added:
        return near >= _WORDS_ADDED and every >= _ALL_ADDED
    return near >= _WORDS_EXCHANGED and every >= _ALL_EXCHANGED


def _opposed(one: Matter, other: Matter) -> bool:
    left, added = one.plain - other.plain, other.plain - one.plain
    return any(pair & left and pair & added for pair in _OPPOSED)


def _entry_cosine(snapshot: Snapshot, one: int, other: int) -> float:
    """Return the cosine of two entries, question and answer as one text."""
    rows = np.array([_entry_row(snapshot, one), _entry_row(snapshot, other)])
    mine, theirs = snapshot.vectors.get(rows)
    return float(mine @ theirs)


def _entry_row(snapshot: Snapshot, ordinal: int) -> int:
    start, end = int(snapshot.starts[ordinal]), int(snapshot.starts[ordinal + 1])
    return start + int(np.argmax(snapshot.kinds[start:end] == KINDS.index("entry")))


def _placed(one: Entry, text: str, other: Entry, their_text: str) -> tuple[Entry, str, Entry, str]:
    """Return the two in the order in which they are written."""
    order = [(e.source.file, e.source.line or 0, e.id) for e in (one, other)]
    return (one, text, other, their_text) if order[0] <= order[1] else (other, their_text, one, text)


def _finding(one: Entry, text: str, other: Entry, their_text: str, cosine: float) -> Finding:
    place, similarity = Place.of(other), round(min(cosine, 1.0), 2)
    found = conflict(_claims_of(one), _claims_of(other))
    apart = _told_apart(one, other)
    if found:
        mine, theirs = found.values
        message = f"{quoted(text)} is answered “{mine}” here and “{theirs}” for {quoted(their_text)}{apart}"
        return Finding("conflict", one.source.file, one.source.line, one.id, message, place, similarity, found.values)
    message = f"{quoted(text)} asks the same as {quoted(their_text)}{apart}"
    return Finding("duplicate", one.source.file, one.source.line, one.id, message, place, similarity)


def _claims_of(entry: Entry) -> str:
    """Return the answer without its code, whose numbers are no claims."""
    return "\n".join(p.text for p in entry.answer if not p.html.startswith("<pre"))


def _told_apart(one: Entry, other: Entry) -> str:
    """Say which metadata differ: an owner may have meant two entries for that."""
    keys = [key for key in one.metadata if key in other.metadata and one.metadata[key] != other.metadata[key]]
    return f"; they differ in {', '.join(keys)}" if keys else ""
