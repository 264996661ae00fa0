"""Entries to passages: every question, alternate and answer paragraph is one, split where the window would cut it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from retriever.types import Entry, Passage, PassageKind

Fit = Callable[[str], int]
"""How many leading characters of a text the encoder's window holds."""

_SENTENCE_END = re.compile(r"(?:[.!?…]['\")\]]*\s|[。！？]|\n)")
_SPACE = re.compile(r"\s")


def passages_of(entry: Entry, fit: Fit) -> list[Passage]:
    """Return the passages of `entry`: its question, alternates, then answer paragraphs.

    A page text has no question of its own, so only its paragraphs are passages.
    """
    passages: list[Passage] = []
    if entry.kind == "faq":
        passages += _split("question", entry.question, 1, fit)
        for number, alternate in enumerate(entry.alternates, start=1):
            passages += _split("alternate", alternate, number, fit)
    for number, paragraph in enumerate(entry.answer, start=1):
        passages += _split("answer", paragraph.text, number, fit)
    return passages


def _split(kind: PassageKind, text: str, number: int, fit: Fit) -> Iterator[Passage]:
    for start, end in spans(text, fit):
        yield Passage(kind, text[start:end], number, start, end)


def spans(text: str, fit: Fit) -> Iterator[tuple[int, int]]:
    """Yield offsets of consecutive parts of `text` that each fit the window, losing nothing but white space between.

    A part ends at the last sentence end that fits, failing that at white space, failing that anywhere.
    """
    start = _skip_space(text, 0)
    while start < len(text):
        rest = text[start:]
        held = max(1, fit(rest))
        end = start + (held if held >= len(rest) else _cut(rest, held, fit))
        stripped = start + len(text[start:end].rstrip())
        yield start, stripped
        start = _skip_space(text, end)


def _skip_space(text: str, at: int) -> int:
    while at < len(text) and text[at].isspace():
        at += 1
    return at


def _cut(text: str, held: int, fit: Fit) -> int:
    """Return where to cut `text`, of which `held` characters fit: late, at a boundary, and so that the part fits."""
    for boundary in (_SENTENCE_END, _SPACE):
        cuts = [match.end() for match in boundary.finditer(text, 0, held)]
        # A sentence end in the first third would leave a stub; white space close to the end reads better.
        if cuts and cuts[-1] > held // 3:
            return cuts[-1]
    # Cut inside a word, the head can take more tokens than the whole word did.
    while held > 1 and fit(text[:held]) < held:
        held = max(1, held * 9 // 10)
    return held
