"""Answers that are too long, empty or broken, and dates that have passed. Each entry by itself; pure functions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, timedelta

from retriever.lint.findings import Finding, finding_of, quoted
from retriever.types import Entry

MAX_WORDS = 600
"""Words of an answer that a person still reads: three minutes."""

_LINK = re.compile(r"(?:https?://|www\.|mailto:)\S+")
_POINTERS = frozenset(
    [
        "see",
        "here",
        "this",
        "link",
        "click",
        "read",
        "more",
        "the",
        "at",
        "go",
        "to",
        "visit",
        "for",
        "please",
        "page",
        "details",
        "info",
        "our",
        "on",
    ]
)
_ANCHOR = re.compile(r"<a [^>]*>(.*?)</a>", re.DOTALL)
_PLACEHOLDER = re.compile(
    r"\b(?:TODO|FIXME|TBD|TBA|XXX)\b|\b(?i:lorem ipsum)\b|\b[Cc]oming soon\b|^\W*[Tt]o be (?:added|written|announced)\b"
    r"|\b(?:[Pp]roblem|[Ss]olution) description\b|\b(?:answer|text) goes here\b|\[(?:your|insert)\b[^\]]*\]"
)
_FEW_WORDS = 12
_NOTHING = frozenset({"n/a", "na", "none", "null", "nan", "nil", "tbd", "answer", "placeholder", "test"})
_FENCE = re.compile(r"^ {0,3}`{3,}[^`\n]*$", re.MULTILINE)
_CUT_OFF = re.compile(r"(?:[,(\[{:]|\b(?:and|or|the|an|of|to|with|from|because|that|which|if|e\.g\.|i\.e\.))\s*$", re.I)
_DAMAGED = re.compile("\N{REPLACEMENT CHARACTER}|Ã[\u0080-\u00bf]|â€[\u0080-\u2122™œ]")
_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}\.?"
_YEAR_BOUND = re.compile(
    rf"\b(?:in|for|during|by|until|till|before|of|year|{_MONTH}(?: \d{{1,2}},?)?) (?:the (?:year |summer |winter )?)?"
    r"((?:19|20)\d\d)\b|\b((?:19|20)\d\d)[/–]\d\d\b",
    re.I,
)
_LONG_PAST_YEARS = 2


def find_in_answer(entry: Entry) -> Iterator[Finding]:
    """Yield what is wrong with one entry's answer, the worst first; one that says nothing is not looked at further."""
    text = "\n".join(paragraph.text for paragraph in entry.answer)
    words = re.findall(r"\w+", text)
    if not words or text.strip(" .?!-").lower() in _NOTHING:
        yield finding_of("empty", entry, f"the answer is {quoted(text)}, which says nothing" if text else "no answer")
        return
    placeholder = _PLACEHOLDER.search(text)
    if placeholder and ("lorem" in placeholder[0].lower() or len(words) <= _FEW_WORDS):
        yield finding_of("empty", entry, f"the answer is a placeholder: {quoted(text)}")
        return
    if _only_link(entry):
        yield finding_of("empty", entry, f"the answer is only a link: {quoted(text)}")
    yield from _broken(entry, text)
    if len(words) > MAX_WORDS:
        yield finding_of("long", entry, f"the answer has {len(words):,} words; people read {MAX_WORDS}: part it")


def _only_link(entry: Entry) -> bool:
    text = "\n".join(p.text for p in entry.answer)
    linked = " ".join(found for p in entry.answer for found in _ANCHOR.findall(p.html))
    if not (linked or _LINK.search(text)):
        return False
    rest = re.findall(r"[^\W_]+", _LINK.sub(" ", text).lower())
    for word in re.findall(r"[^\W_]+", re.sub(r"<[^>]+>", " ", _LINK.sub(" ", linked)).lower()):
        if word in rest:
            rest.remove(word)
    return set(rest) <= _POINTERS


def _broken(entry: Entry, text: str) -> Iterator[Finding]:
    if len(_FENCE.findall(text)) % 2:
        yield finding_of("broken", entry, "a code fence in the answer is opened and never closed")
    last = entry.answer[-1]
    cut = _CUT_OFF.search(last.text)
    if cut and not last.html.startswith("<pre"):
        yield finding_of("broken", entry, f"the answer seems cut off: it ends {quoted('…' + last.text[-40:])}")
    damaged = _DAMAGED.search(text + entry.question)
    if damaged:
        yield finding_of("broken", entry, f"characters were lost in another encoding: {quoted(damaged[0])}")


def find_stale(entry: Entry, today: date, review_days: int) -> Iterator[Finding]:
    """Yield the dates of one entry that have passed: of validity, of its last review, and years in its question."""
    if entry.valid_until and entry.valid_until < today:
        yield finding_of("date", entry, f"it was valid until {entry.valid_until}; renew or remove it")
    if entry.reviewed and entry.reviewed < today - timedelta(days=review_days):
        days = (today - entry.reviewed).days
        owner = f"; its owner is {entry.owner}" if entry.owner else ""
        yield finding_of("date", entry, f"it was last reviewed on {entry.reviewed}, {days:,} days ago{owner}")
    years = [int(next(filter(None, found.groups()), 0)) for found in _YEAR_BOUND.finditer(entry.question)]
    if years and 0 < max(years) <= today.year - _LONG_PAST_YEARS:
        yield finding_of("date", entry, f"its question is bound to {max(years)}: {quoted(entry.question)}")
