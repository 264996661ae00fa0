"""What an answer states that another can contradict: numbers with a unit, dates, times, yes or no. Pure functions.

Made for precision: two answers conflict only where each gives one single value of a kind, and the two differ; or where
a sentence of one stands in the other as well, word for word, but for a number.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Conflict:
    """A kind of value of which two answers give different ones, each as it stands in its answer."""

    kind: str
    values: tuple[str, str]


_SPOKEN = dict(
    zip(
        ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"],
        range(1, 13),
        strict=True,
    )
)
_NUMBER = rf"(?:\d[\d,]*(?:\.\d+)?|\b(?:{'|'.join(_SPOKEN)})\b)"
_UNITS = {
    "seconds": r"seconds?|secs?",
    "minutes": r"minutes?|mins?",
    "hours": r"hours?|hrs?",
    "days": r"(?:(?:calendar|business|working|consecutive|full) )?days?",
    "weeks": r"weeks?",
    "months": r"months?",
    "years": r"years?",
    "percent": r"%|per ?cent",
    "degrees C": r"°\s?C",
    "degrees F": r"°\s?F",
    "km": r"km|kilomet(?:er|re)s?",
    "miles": r"miles?",
    "metres": r"m|met(?:er|re)s?",
    "feet": r"feet|ft",
    "kg": r"kg|kilos?|kilograms?",
    "MB": r"MB|megabytes?",
    "GB": r"GB|gigabytes?",
    "euros": r"€|EUR|euros?",
    "dollars": r"USD|dollars?",
    "pounds": r"GBP|pounds sterling",
}
_MEASURES = [
    (
        kind,
        re.compile(
            rf"(?<![\w.,$€£-])({_NUMBER})(?:\s*(?:-|–|to|or|and)\s*({_NUMBER}))?(?:\s*|-)(?:{unit})(?!\w)", re.I
        ),
    )
    for kind, unit in _UNITS.items()
]
_SIGNS = {"€": "euros", "$": "dollars", "£": "pounds"}
_PRICE = re.compile(r"([€$£])\s?(\d[\d,]*(?:\.\d+)?)(?!\w)")
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_MONTH = rf"(?P<month>{'|'.join(_MONTHS)})[a-z]{{0,6}}\.?"
_DAY = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?"
_YEAR = r"(?:,?\s+(?P<year>\d{4}))?\b"
_DATES = (
    re.compile(rf"\b{_DAY}\s+(?:of\s+)?{_MONTH}{_YEAR}", re.I),
    re.compile(rf"\b{_MONTH}\s+{_DAY}{_YEAR}", re.I),
    re.compile(r"\b(?P<year>\d{4})-(?P<month>[01]\d)-(?P<day>[0-3]\d)\b"),
)
_POLAR = re.compile(r"\W{0,3}(yes|no)\s*(?:[,.!:;—–-]|$)", re.I)
# An answer that gives examples gives numbers that are not meant to hold.
_EXAMPLE = re.compile(r"\b(?:e\.g|for (?:example|instance)|such as|example)\b", re.I)


def conflict(one: str, other: str) -> Conflict | None:
    """Return in what two answers to the same question contradict each other, if they do."""
    first, second = _stated(one), _stated(other)
    for kind, mine in first.items():
        theirs = second.get(kind, {})
        if len(mine) == len(theirs) == 1:
            (value, shown), (their_value, their_shown) = *mine.items(), *theirs.items()
            if not _agree(value, their_value):
                return Conflict(kind, (shown, their_shown))
    return _in_one_sentence(one, other)


# Where a sentence ends; what is a number in one, and not part of a name, an address, a version or code.
_END = re.compile(r"(?<=[.!?:;])\s+|\n+|\t+")
_ADDRESS = re.compile(r"\S*(?:://|www\.|[\\/@=_])\S*")
_ITEM = re.compile(r"^\s*(?:\d{1,2}[.)]|[-*•])\s+")
_FIGURE = re.compile(
    rf"(?<![\w.,:#])(?:(\d[\d,]*(?:\.\d+)?)(?:st|nd|rd|th)?|({'|'.join(_SPOKEN)}))(?![\w:#]|[.,-]\w)", re.I
)
_CALL = re.compile(r"\w\(|[{}]|;\s*$")  # code, whose numbers are no claims
_LEAST_WORDS = 4  # with fewer, two sentences are alike by chance


def _in_one_sentence(one: str, other: str) -> Conflict | None:
    """Return the first sentence of `one` that `other` has with other numbers, as the numbers that differ."""
    theirs = _figures(other)
    for words, mine in _figures(one).items():
        if words in theirs and not mine.keys() & theirs[words].keys():
            (figures, shown), (their_figures, their_shown) = next(iter(mine.items())), next(iter(theirs[words].items()))
            at = next(n for n, (a, b) in enumerate(zip(figures, their_figures, strict=True)) if a != b)
            return Conflict("number", (shown[at], their_shown[at]))
    return None


def _figures(answer: str) -> dict[str, dict[tuple[str, ...], tuple[str, ...]]]:
    """Return by a sentence's words, its numbers left out, the numbers that `answer` has in it, and each with a word."""
    found: dict[str, dict[tuple[str, ...], tuple[str, ...]]] = {}
    for sentence in _END.split(answer):
        if _CALL.search(sentence) or _EXAMPLE.search(sentence):
            continue
        plain = _ADDRESS.sub("@", _ITEM.sub("", sentence))
        figures = list(_FIGURE.finditer(plain))
        words = re.findall(r"#|[^\W\d_]+", _FIGURE.sub("#", plain).lower())
        if figures and len(words) - words.count("#") >= _LEAST_WORDS:
            amounts = tuple(_amount(figure[1] or figure[2]) for figure in figures)
            found.setdefault(" ".join(words), {}).setdefault(amounts, tuple(_shown(plain, one) for one in figures))
    return found


def _shown(sentence: str, figure: re.Match[str]) -> str:
    """Return a number with the word before it and the one after."""
    before, after = sentence[: figure.start()].split()[-1:], sentence[figure.end() :].split()[:1]
    return " ".join([*before, figure[0], *after]).strip(" .,;:()")


def _agree(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Tell whether two values may be the same: a date without its year is the same as one with."""
    return all(a == b or not a or not b for a, b in zip(one, other, strict=True))


def _stated(answer: str) -> dict[str, dict[tuple[str, ...], str]]:
    """Return by kind the values that `answer` gives, with the words that say each."""
    stated: dict[str, dict[tuple[str, ...], str]] = {}
    for kind, value, shown in _values(answer):
        stated.setdefault(kind, {}).setdefault(value, " ".join(shown.split()))
    return stated


def _values(answer: str) -> Iterator[tuple[str, tuple[str, ...], str]]:
    polar = _POLAR.match(answer)
    if polar:
        yield "yes or no", (polar[1].lower(),), polar[1]
    if _EXAMPLE.search(answer):
        return
    for pattern in _DATES:
        for found in pattern.finditer(answer):
            yield "date", _date(found), found[0]
    for kind, measure in _MEASURES:
        for found in measure.finditer(answer):
            yield kind, (_amount(found[1]), "to " + _amount(found[2] or found[1])), found[0]
    for found in _PRICE.finditer(answer):
        yield _SIGNS[found[1]], (_amount(found[2]), "to " + _amount(found[2])), found[0]


def _date(found: re.Match[str]) -> tuple[str, ...]:
    month = found["month"].lower()
    number = int(month) if month.isdecimal() else _MONTHS.index(month) + 1
    return str(number), str(int(found["day"])), found["year"] or ""


def _amount(text: str) -> str:
    """Return a number however it is written: `1,000`, `1000.0` and, for small ones, `ten`."""
    spoken = _SPOKEN.get(text.lower())
    return str(spoken) if spoken else f"{float(text.replace(',', '')):g}"
