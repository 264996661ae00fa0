"""An entry found, as a hit: the passage nearest to the question, the sentence that answers, and where it stands."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from retriever.highlight import best_sentence, contenders, fragment_link, mark
from retriever.types import AnswerText, Entry, Explanation, FoundKind, FoundPassage, Highlight, Hit, Passage

_GAP = "\n\n"
"""What parts the paragraphs of an answer's text."""


def show_hit(
    rank: int,
    entry: Entry,
    passages: Sequence[Passage],
    cosines: NDArray[np.float32],
    asked: Mapping[str, float],
    stems: Callable[[str], list[str]],
    explanation: Explanation | None,
) -> Hit:
    """Return the hit of `entry`.

    Args:
        rank: its place, from 1.
        entry: what was found.
        passages: all passages of the entry.
        cosines: of the question asked with each of them.
        asked: the stems of the question's words, each with its rarity.
        stems: text to the stems of its words, in order.
        explanation: what ordered it, where that was asked for.
    """
    text = _GAP.join(paragraph.text for paragraph in entry.answer)
    nearest = max((at for at, p in enumerate(passages) if p.kind in _FOUND), key=lambda at: float(cosines[at]))
    passage = passages[nearest]
    sentence = _sentence(passages, cosines, asked, stems)
    offset = sum(len(paragraph.text) + len(_GAP) for paragraph in entry.answer[: sentence.number - 1])
    highlight = Highlight(sentence.text, offset + sentence.start, offset + sentence.end)
    return Hit(
        rank=rank,
        entry_id=entry.id,
        score=round(min(max(float(cosines[nearest]), -1.0), 1.0), 6),  # float32 can overshoot
        question=entry.question,
        answer=AnswerText(text, _html(entry, sentence)),
        passage=FoundPassage(_FOUND[passage.kind], passage.text, passage.number if passage.kind == "answer" else None),
        highlight=highlight,
        source=entry.source,
        link=_link(entry, text, sentence.text),
        tags=entry.tags,
        lang=entry.lang,
        kind=entry.kind,
        metadata=entry.metadata,
        explain=explanation,
        owner=entry.owner,
        reviewed=entry.reviewed,
        valid_from=entry.valid_from,
        valid_until=entry.valid_until,
    )


_FOUND: dict[str, FoundKind] = {"question": "question", "alternate": "alternate", "answer": "answer"}


def _sentence(
    passages: Sequence[Passage],
    cosines: NDArray[np.float32],
    asked: Mapping[str, float],
    stems: Callable[[str], list[str]],
) -> Passage:
    """Return the sentence that answers best; a paragraph of a single sentence is one."""
    parted = {p.number for p in passages if p.kind == "sentence"}
    places = [
        at for at, p in enumerate(passages) if p.kind == "sentence" or (p.kind == "answer" and p.number not in parted)
    ]
    places.sort(key=lambda at: (passages[at].number, passages[at].start))
    total = sum(asked.values()) or 1.0
    coverage = [
        sum(asked[stem] for stem in asked.keys() & set(stems(passages[at].text))) / total if weighed else 0.0
        for at, weighed in zip(places, contenders(cosines[places]), strict=True)
    ]
    return passages[places[best_sentence(cosines[places], coverage)]]


def _html(entry: Entry, sentence: Passage) -> str:
    return "\n".join(
        mark(p.html, p.text, sentence.start, sentence.end) if number == sentence.number else p.html
        for number, p in enumerate(entry.answer, start=1)
    )


def _link(entry: Entry, text: str, sentence: str) -> str | None:
    """Return where the source can be read, opened at the sentence; None unless that is on the web."""
    url = entry.source.url
    try:
        parts = urlsplit(url or "")
    except ValueError:
        return None
    if not url or parts.scheme not in {"http", "https"} or not parts.netloc:
        return None
    return fragment_link(url, entry.source.anchor, text, sentence)
