"""What is left of a page beside marked-up pairs → its lines, as they are read, with what tells a question from text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from bs4 import Tag

from retriever.readers.html.cues import MAX_QUESTION
from retriever.readers.html.tree import HEADINGS, Page, Span, attribute, words

_BOLD = frozenset({"b", "strong"})
_BUTTONS = frozenset({"btn", "button", "cta"})
_NO_QUESTIONS = frozenset({"pre", "code", "blockquote", "textarea", "button", "figure"})


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text, from the text numbered `first` to that numbered `last`; `level` is that of its heading.

    `bold` says that all of it is bold, `marked` that a class calls it a question, `quiet` that it stands where no
    questions do, as code does, `linked` that all of it leads to another page, `pressed` that it looks like a button.
    `opening` is the first node that is its own, tags around it included.
    """

    first: int
    last: int
    text: str
    heading: int = 0
    level: int = 0
    bold: bool = False
    marked: bool = False
    quiet: bool = False
    linked: bool = False
    pressed: bool = False
    opening: int = 0


@dataclass(slots=True)
class _Style:
    """What the tags around each node make of it."""

    heading: list[int]
    bold: bytearray
    marked: bytearray
    quiet: bytearray
    linked: bytearray


def read_lines(page: Page, taken: bytearray) -> list[Line]:
    """Return the lines of what is content and in no pair, in reading order."""
    style = _style(page)
    found: list[Line] = []
    run: list[int] = []
    for number in page.texts(page.span(0)):
        if taken[number] or not page.size(Span(number, number + 1)):
            continue
        if run and _parted(page, style, run[-1], number):
            found.extend(_split(page, style, run))
            run = []
        run.append(number)
    if run:
        found.extend(_split(page, style, run))
    return _opened(page, found)


def level_of(page: Page, number: int) -> int:
    """Return a heading's level, 1 to 6; 0 for what is none."""
    tag = page.tag(number)
    if attribute(tag, "role") == "heading":
        level = attribute(tag, "aria-level")
        return min(int(level), 6) if level in set("123456") else 2
    return HEADINGS.get(tag.name, 0) if attribute(tag, "role") not in {"presentation", "none"} else 0


def _style(page: Page) -> _Style:
    size = len(page)
    style = _Style([0] * size, bytearray(size), bytearray(size), bytearray(size), bytearray(size))
    for number, node in enumerate(page.nodes):
        up = page.parent[number]
        style.heading[number], style.bold[number] = style.heading[up], style.bold[up]
        style.marked[number], style.quiet[number] = style.marked[up], style.quiet[up]
        style.linked[number] = style.linked[up]
        if isinstance(node, Tag) and number:
            if level_of(page, number):
                style.heading[number] = number
            names = words(node) if node.has_attr("class") else frozenset()
            style.bold[number] |= node.name in _BOLD or _is_bold(node, names)
            if node.name == "a" and not attribute(node, "href").startswith("#"):
                style.linked[number] = 2 if names & _BUTTONS else 1
            style.quiet[number] |= node.name in _NO_QUESTIONS
            style.marked[number] |= "question" in names and len(names) < 4
    return style


def _is_bold(tag: Tag, names: frozenset[str]) -> bool:
    weight = attribute(tag, "style").replace(" ", "").lower().partition("font-weight:")[2]
    return weight.startswith(("bold", "6", "7", "8", "9")) or bool(names & {"bold", "strong", "semibold"})


def _parted(page: Page, style: _Style, before: int, number: int) -> bool:
    """Return whether a new line begins at a text."""
    heading = style.heading[number]
    if heading or style.heading[before]:
        return heading != style.heading[before]
    if page.block[before] != page.block[number]:
        return True
    return any(isinstance(node, Tag) and node.name == "br" for node in page.nodes[before + 1 : number])


def _split(page: Page, style: _Style, run: list[int]) -> Iterator[Line]:
    """Yield a run of texts as one line, or as two where a bold question opens it."""
    count = next((place for place, number in enumerate(run) if not style.bold[number]), len(run))
    lead = _line(page, style, run[:count]) if 0 < count < len(run) else None
    if lead and not lead.heading and lead.text.endswith(("?", "？", "؟")) and len(lead.text) <= MAX_QUESTION:
        yield lead
        yield _line(page, style, run[count:])
    else:
        yield _line(page, style, run)


def _line(page: Page, style: _Style, run: list[int]) -> Line:
    heading = style.heading[run[0]]
    return Line(
        run[0],
        run[-1],
        page.text(Span(run[0], run[-1] + 1)),
        heading=heading,
        level=level_of(page, heading) if heading else 0,
        bold=all(style.bold[number] for number in run),
        marked=bool(style.marked[run[0]]),
        quiet=bool(style.quiet[run[0]]),
        linked=all(style.linked[number] for number in run),
        pressed=all(style.linked[number] == 2 for number in run),
    )


def _opened(page: Page, found: list[Line]) -> list[Line]:
    """Tell each line the first node that is its own: no text lies between that and the line."""
    done: list[Line] = []
    last = 0
    for line in found:
        opening = line.first
        while page.parent[opening] > last and not page.size(Span(page.parent[opening], line.first)):
            opening = page.parent[opening]
        done.append(replace(line, opening=opening))
        last = line.last
    return done
