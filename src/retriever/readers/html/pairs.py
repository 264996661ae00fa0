"""A pair as a form of markup holds it, before pairs of all forms are set against each other."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from retriever.readers.html.cues import asks, key
from retriever.readers.html.tree import Page, Span


@dataclass(slots=True)
class Pair:
    """A question and its answer.

    `ask` is the stretch of the page that holds the question, `answer` those that hold the answer, less the nodes in
    `without` and `skip` characters at its start. `nodes` are the tags that hold all of the pair, `anchors` those whose
    id may lead to it, the best first. `html` is the answer where the page's data holds it and its text does not.
    `group` tells where pairs stand together; a `weak` pair is one only where nothing surer is on the page.
    """

    form: str
    question: str
    ask: Span
    answer: tuple[Span, ...] = ()
    nodes: tuple[int, ...] = ()
    anchors: tuple[int, ...] = ()
    alternates: tuple[str, ...] = ()
    html: str | None = None
    line: int = 1
    group: int = 0
    skip: int = 0
    weak: bool = False
    without: set[int] = field(default_factory=set)
    anchor: str | None = None
    lang: str | None = None
    section: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)

    @property
    def asks(self) -> bool:
        """Whether the question reads like one."""
        return asks(self.question)

    @property
    def key(self) -> str:
        """What the question has in common with other spellings of it."""
        return key(self.question)

    def size(self, page: Page) -> int:
        """Return how many characters the answer has on the page."""
        return sum(page.size(span) for span in self.answer)
