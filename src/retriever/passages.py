"""Entries to passages, split where the window would cut them.

Every question, alternate and answer paragraph is one, every sentence of a paragraph that has several, and the question
with the answer as one text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from retriever.types import Entry, Passage, PassageKind

Fit = Callable[[str], int]
"""How many leading characters of a text the encoder's window holds."""

_SENTENCE_END = re.compile(r"(?:[.!?…]['\")\]]*\s|[。！？]|\n)")
_SPACE = re.compile(r"\s")


def passages_of(entry: Entry, fit: Fit) -> list[Passage]:
    """Return the passages of `entry`: its question, alternates, answer paragraphs, sentences, and all of it as one.

    A page text has no question of its own, so its title is no passage. The one text of the whole entry holds as much as
    the window does: what it leaves out is in the paragraphs.
    """
    passages: list[Passage] = []
    if entry.kind == "faq":
        passages += _split("question", entry.question, 1, fit)
        for number, alternate in enumerate(entry.alternates, start=1):
            passages += _split("alternate", alternate, number, fit)
    for number, paragraph in enumerate(entry.answer, start=1):
        passages += _split("answer", paragraph.text, number, fit)
    for number, paragraph in enumerate(entry.answer, start=1):
        found = list(sentences(paragraph.text))
        if len(found) > 1:
            for start, end in found:
                for first, last in spans(paragraph.text[start:end], fit):
                    text = paragraph.text[start + first : start + last]
                    passages.append(Passage("sentence", text, number, start + first, start + last))
    whole = entry_text(entry)
    passages.append(Passage("entry", whole[: fit(whole)], 1, 0, fit(whole)))
    return passages


def text_of(entry: Entry, kind: PassageKind, number: int) -> str:
    """Return the text of `entry` that passages of a kind are cut from."""
    match kind:
        case "question":
            return entry.question
        case "alternate":
            return entry.alternates[number - 1]
        case "answer" | "sentence":
            return entry.answer[number - 1].text
        case "entry":
            return entry_text(entry)


def entry_text(entry: Entry) -> str:
    """Return question and answer as one text."""
    return "\n".join((entry.question, *(paragraph.text for paragraph in entry.answer)))


def sentences(text: str) -> Iterator[tuple[int, int]]:
    """Yield offsets of the sentences of `text`: a line is at least one, and a scrap such as "Yes." joins the next."""
    start = _skip_space(text, 0)
    while start < len(text):
        end = _sentence_end(text, start)
        yield start, start + len(text[start:end].rstrip())
        start = _skip_space(text, end)


# Shorter than this ("Yes.", "It does."), a sentence says little by itself.
_SCRAP = 12


def _sentence_end(text: str, start: int) -> int:
    newline = text.find("\n", start)
    line = len(text) if newline < 0 else newline
    for match in _SENTENCE_END.finditer(text, start, line):
        if match.end() - start >= _SCRAP and line - match.end() > 0:
            return match.end()
    return line


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
