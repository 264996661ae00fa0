"""Which headings of a Markdown page are questions, which are sections, and which belong to an answer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Role = Literal["question", "section", "answer"]

_MARK = re.compile(r"[?？؟\u037e]\W*$")
_OPENING = re.compile(
    r"(?:how|what|what's|why|when|where|which|who|whom|whose|can|could|do|does|did|is|are|am|was|were|will|would|should|may|must"
    r"|has|have|had|isn't|aren't|don't|doesn't|won't|can't|i can't|i cannot)\s",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading: its level, its words, and whether text follows before the next heading."""

    level: int
    text: str
    has_text: bool
    forced: bool = False

    @property
    def asks(self) -> bool:
        """Whether it reads like a question, or was marked as one."""
        return self.forced or asks(self.text)


def asks(text: str) -> bool:
    """Return whether `text` reads like a question: it ends in a question mark, or opens with a word that asks."""
    return bool(_MARK.search(text) or _OPENING.match(text))


def roles(headings: Sequence[Heading]) -> list[Role]:
    """Return what each heading is.

    A heading that asks is a question. Beside such headings, or where none asks, so is any other that holds text at
    the level of questions. What is deeper than a question belongs to its answer, unless it asks. The rest are sections.
    """
    level = _question_level(headings)
    inside: int | None = None
    found: list[Role] = []
    for place, heading in enumerate(headings):
        if inside is not None and heading.level > inside and not heading.asks:
            found.append("answer")
            continue
        role = _role(headings, place, level)
        inside = heading.level if role == "question" else None
        found.append(role)
    return found


def _role(headings: Sequence[Heading], place: int, level: int) -> Role:
    heading, below = headings[place], _below(headings, place)
    if heading.asks:
        return "section" if below and not heading.has_text and below[0].asks else "question"
    if _is_title(headings, place) or heading.level < level or any(deeper.asks for deeper in below):
        return "section"
    return "section" if below and not heading.has_text else "question"


def _below(headings: Sequence[Heading], place: int) -> Sequence[Heading]:
    """Return the headings under the one at `place`."""
    level = headings[place].level
    end = next((n for n in range(place + 1, len(headings)) if headings[n].level <= level), len(headings))
    return headings[place + 1 : end]


def _is_title(headings: Sequence[Heading], place: int) -> bool:
    """Return whether this is the page's title: the first heading, above all the others."""
    return place == 0 and len(headings) > 1 and all(other.level > headings[0].level for other in headings[1:])


def _question_level(headings: Sequence[Heading]) -> int:
    """Return the level of headings that ask, else the highest level at which at least half the headings hold text."""
    asking = [heading.level for heading in headings if heading.asks]
    if asking:
        return min(asking)
    body = [heading for place, heading in enumerate(headings) if not _is_title(headings, place)]
    for level in sorted({heading.level for heading in body}):
        held = [heading.has_text for heading in body if heading.level == level]
        if sum(held) * 2 >= len(held):
            return level
    return min((heading.level for heading in body), default=1)
