"""Questions that unfold their answers: `<details>`, buttons with their panels, and the classes that plug-ins write."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from bs4 import Tag

from retriever.readers.html.cues import asked, asks, invites
from retriever.readers.html.pairs import Pair
from retriever.readers.html.tree import BLOCKS, HEADINGS, Page, Span, attribute, listed, words

CONTEXT = listed(
    "faq faqs accordion accordions accordian toggle toggles collapse collapsible collapsable expander expandable qa qna"
    " ufaq tta disclosure foldable questions"
)
_ASKS = frozenset({"question"})
_TITLES = listed("title heading header head trigger summary label term name subject")
_TOGGLES = listed("toggle button btn link question")
_TOGGLED = frozenset({"a", "button", "span", "label", "dt", *HEADINGS})
_BODIES = listed("content body panel text inner desc description details detail definition data pane reply")
_MANY = listed("list section container group items questions answers form icon mark category count")
_POINTERS = ("aria-controls", "data-bs-target", "data-target", "data-accordion-target", "data-hs-collapse")
_TOGGLE_MARKS = ("data-toggle", "data-bs-toggle", "data-sptoggle", "aria-expanded", "data-accordion-target")
_MAX_BETWEEN = 40
_MAX_CLIMB = 4


def details_pairs(page: Page) -> Iterator[Pair]:
    """Yield each `<details>`: its summary asks, the rest of it answers."""
    for number in page.named(0, "details"):
        summary = next((child for child in page.children(number) if page.tag(child).name == "summary"), None)
        if summary is None or page.gone[number]:
            continue
        question = asked(page.text(page.core(page.span(summary))))
        spans = (Span(number + 1, summary), Span(page.end[summary], page.end[number]))
        if question:
            yield Pair(
                "details",
                question,
                page.span(summary),
                tuple(span for span in spans if page.size(span)),
                nodes=(number,),
                anchors=(summary, number),
                line=page.line[summary],
            )


def panel_pairs(page: Page) -> Iterator[Pair]:
    """Yield what is clicked on with the panel that it opens, named by an id or standing beside it."""
    labelled = _labelled(page)
    panels: dict[int, Pair] = {}
    for number, tag in page.tags():
        panel = None if page.gone[number] and attribute(tag, "role") != "tab" else _panel(page, number, tag, labelled)
        tab = attribute(tag, "role") == "tab"
        question = (
            asked(page.text(page.core(page.span(number)), everything=tab and bool(page.gone[number]))) if panel else ""
        )
        if panel is None or not question or invites(question) or number in range(*page.span(panel)):
            continue
        if panel in panels and len(panels[panel].question) >= len(question):
            continue
        tab = tab and attribute(page.tag(panel), "role") == "tabpanel"
        panels[panel] = Pair(
            "tabs" if tab else "accordion",
            question,
            page.span(number),
            (page.inner(panel),),
            nodes=(number, panel),
            anchors=(number, *_named(page, number, tag), panel),
            line=page.line[number],
        )
    yield from panels.values()


def _named(page: Page, number: int, tag: Tag) -> list[int]:
    """Return the heading that wraps a button, and the box that a label checks."""
    box = page.ids.get(attribute(tag, "for") or "\0")
    return [
        *([box] if box else []),
        *(up for up in islice(page.above(number), _MAX_CLIMB) if page.tag(up).name in HEADINGS),
    ]


def _labelled(page: Page) -> dict[str, int]:
    """Return panels by the id of what names them."""
    return {
        attribute(tag, "aria-labelledby"): number
        for number, tag in page.tags()
        if attribute(tag, "role") in {"region", "tabpanel"} and attribute(tag, "aria-labelledby")
    }


def _panel(page: Page, number: int, tag: Tag, labelled: dict[str, int]) -> int | None:
    """Return the panel that a tag opens; None where it opens nothing, or something that is no part of the text."""
    if tag.name in {"input", "body", "form"} or tag.name == "summary" or page.size(page.span(number)) > 1_000:
        return None
    names = [attribute(tag, pointer) for pointer in _POINTERS]
    if any(tag.has_attr(mark) for mark in _TOGGLE_MARKS) or attribute(tag, "role") == "tab":
        names.append(attribute(tag, "href"))
    targets = (page.target(name.rpartition("#")[2], number) for names_ in names for name in names_.split())
    found = next((target for target in targets if target is not None), labelled.get(attribute(tag, "id") or "\0"))
    if found is None and (_opens(page, number, tag) or _is_box_label(page, tag)):
        found = _beside(page, number)
    return None if found is None or page.gone[found] or page.tag(found).name in {"input", "nav", "body"} else found


def _opens(page: Page, number: int, tag: Tag) -> bool:
    """Return whether a tag, which names no panel, opens what stands beside it."""
    if tag.has_attr("aria-expanded") and tag.name != "a":
        return True
    if tag.name != "button" and attribute(tag, "role") != "button":
        return False
    around = set(words(tag)).union(*(words(page.tag(up)) for up in islice(page.above(number), _MAX_CLIMB)))
    return attribute(tag, "type") not in {"submit", "reset"} and bool(
        CONTEXT & around or asks(page.text(page.span(number)))
    )


def _is_box_label(page: Page, tag: Tag) -> bool:
    """Return whether this is the label of a check box, which opens a panel by CSS alone."""
    box = page.ids.get(attribute(tag, "for") or "\0") if tag.name == "label" else None
    return box is not None and attribute(page.tag(box), "type") in {"checkbox", "radio"}


def _beside(page: Page, number: int) -> int | None:
    """Return the block that follows a tag, or what holds nothing but the tag."""
    for _ in range(_MAX_CLIMB):
        following = page.next_tag(number)
        while following is not None and not page.size(page.span(following)):
            following = page.next_tag(following)
        if following is not None:
            tag = page.tag(following)
            block = tag.name in BLOCKS and tag.name not in {"details", "summary", *HEADINGS}
            return following if block and not _is_trigger(page, following) else None
        holder = page.parent[number]
        if page.size(page.span(holder)) > page.size(page.span(number)) + 3 or page.tag(holder).name in {"li", "body"}:
            return None
        number = holder
    return None


def _is_trigger(page: Page, number: int) -> bool:
    """Return whether a block is nothing but the next button."""
    button = next(page.named(number, "button"), None)
    return button is not None and page.size(page.span(button)) == page.size(page.span(number))


class _Mark(NamedTuple):
    """A tag whose class says that it asks or answers; `sure` where the class says so in these words."""

    number: int
    asks: bool
    sure: bool


def class_pairs(page: Page) -> Iterator[Pair]:
    """Yield what the classes of plug-ins and themes call a question, with what they then call its answer."""
    marks = list(_marks(page))
    asking = [mark.number for mark in marks if mark.asks]
    pending: _Mark | None = None
    covered = 0
    found: list[Pair] = []
    for mark in marks:
        if mark.number < covered:
            continue
        if mark.asks:
            if pending is None or mark.number >= page.end[pending.number]:
                pending = mark
        elif pending and _fit(page, pending, mark, asking):
            covered = page.end[mark.number]
            found.extend(_class_pair(page, pending, mark))
            pending = None
    sure = {attribute(page.tag(pair.nodes[0]), "class") for pair in found if not pair.weak}
    for pair in found:
        pair.weak = attribute(page.tag(pair.nodes[0]), "class") not in sure
        yield pair


def _marks(page: Page) -> Iterator[_Mark]:
    inside = bytearray(len(page))
    for number, tag in page.tags(1):
        names = words(tag)
        inside[number] = inside[page.parent[number]] or (
            bool(names & CONTEXT) and tag.name not in {"html", "body", "main"}
        )
        if page.gone[number] or not names or (tag.name in {"a", "body"} and not names & (_ASKS | _TITLES | _TOGGLES)):
            continue
        q, a = _is_named(names, "question", "q"), _is_named(names, "answer", "a")
        if q != a and not names & _MANY:
            yield _Mark(number, asks=q, sure=True)
        elif not q and not a and inside[number]:
            if names & _TITLES or (names & _TOGGLES and tag.name in _TOGGLED):
                yield _Mark(number, asks=True, sure=False)
            elif names & _BODIES or ("collapse" in names and tag.name == "div"):
                yield _Mark(number, asks=False, sure=False)


def _is_named(names: frozenset[str], word: str, letter: str) -> bool:
    """Return whether a class is made of this word, or of its first letter and what says that this is a FAQ."""
    return word in names or (letter in names and len(names) < 4 and (len(names) == 1 or bool(names & CONTEXT)))


def _fit(page: Page, asking: _Mark, answering: _Mark, marked: list[int]) -> bool:
    """Return whether a marked tag answers: near the question, nothing between, and not a box around more questions."""
    number, end = answering.number, page.end[answering.number]
    inside = bisect_left(marked, end) - bisect_left(marked, number)
    if number < page.end[asking.number]:
        return inside == 0 and page.size(Span(asking.number, number)) > 0
    if page.parent[number] not in islice(page.above(asking.number), _MAX_CLIMB):
        return False
    if page.size(Span(page.end[asking.number], number)) > _MAX_BETWEEN:
        return False
    if inside > (0 if not asking.sure else 1) and not asks(page.text(page.span(asking.number))[:1_000]):
        return False
    return asking.sure or not (
        page.holds(number, {"details", "dl"}) or sum(1 for _ in page.named(number, *HEADINGS)) > 1
    )


def _class_pair(page: Page, asking: _Mark, answering: _Mark) -> Iterator[Pair]:
    ask = Span(asking.number, min(page.end[asking.number], answering.number))
    question = asked(page.text(page.core(ask)))
    if not question or invites(question) or len(question) > 1_000:
        return
    yield Pair(
        "classes",
        question,
        ask,
        (page.inner(answering.number),),
        nodes=(asking.number, answering.number),
        anchors=(asking.number, answering.number),
        line=page.line[asking.number],
        weak=not (asking.sure or answering.sure or asks(question)),
    )
