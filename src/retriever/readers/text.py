"""Plain text → drafts: entries after dash lines, as FAQ pages look once copied out of a site, or `Q:` and `A:`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

from retriever.readers.drafts import Draft, Flaw, Item

MAX_LINE_CHARS = 1_000_000
# A line longer than this was not wrapped by hand: it is a paragraph.
_WRAP = 120
_MAX_TITLE = 80
_DASH = re.compile(r"\s*(?:-{1,3}|–|—)\s*")
_ASKED = re.compile(r"\s*Q(?:uestion)?\s?\d*\s?[:.]\s*(?=\S)", re.IGNORECASE)
_ANSWERED = re.compile(r"\s*A(?:nswer)?\s?\d*\s?[:.](?:\s+|$)", re.IGNORECASE)
_ITEM = re.compile(r"\s*(?:[-*•‣–]|\d{1,3}[.)])\s+\S")
_ENDED = re.compile(r"[.!?:;…。！？][\"'”’»)\]]*$")

Line = tuple[int, str]


def read_text(text: str, title: str) -> Iterator[Item]:
    """Read the form that the file is in, its introduction as page text; a file in neither form is refused."""
    lines = list(enumerate(text.split("\n"), 1))
    for number, content in lines:
        if len(content) > MAX_LINE_CHARS:
            raise Flaw(f"a line of {len(content):,} characters: {MAX_LINE_CHARS:,} are read at most", number)
    introduction, blocks = _cut(lines)
    heading, prose = _introduction(introduction)
    title = heading or title
    if answer := _flow(prose):
        yield Draft(question=title, answer=answer, line=prose[0][0], title=title, kind="page")
    for first, question, below in blocks:
        yield Draft(question=question, answer=_flow(below), line=first, title=title)


def _cut(lines: list[Line]) -> tuple[list[Line], list[tuple[int, str, list[Line]]]]:
    asked = any(_ASKED.match(line) for _, line in lines)
    if asked and any(_ANSWERED.match(line) for _, line in lines):
        introduction, *blocks = _before_each(lines, _ASKED.match)
        return _undashed(introduction), [_asked(block) for block in blocks]
    if any(_DASH.fullmatch(line) for _, line in lines):
        introduction, *blocks = _before_each(lines, _DASH.fullmatch)
        filled = (_filled(block[1:]) for block in blocks)
        return _filled(introduction), [(block[0][0], block[0][1].strip(), block[1:]) for block in filled if block]
    if not any(line.strip() for _, line in lines):
        raise Flaw("empty file")
    raise Flaw(
        "no question found: put a line with a single dash before each question, or begin lines with `Q:` and `A:`"
    )


def _before_each(lines: list[Line], starts: Callable[[str], object]) -> list[list[Line]]:
    blocks: list[list[Line]] = [[]]
    for line in lines:
        if starts(line[1]):
            blocks.append([])
        blocks[-1].append(line)
    return blocks


def _asked(block: list[Line]) -> tuple[int, str, list[Line]]:
    """Return a question, which may go on to the line before `A:`, and the lines of its answer."""
    number, first = block[0]
    rest = [(n, line) for n, line in _undashed(block[1:])]
    question = [_ASKED.sub("", first, count=1)]
    start = next((place for place, (_, line) in enumerate(rest) if _ANSWERED.match(line)), None)
    if start is not None and all(line.strip() for _, line in rest[:start]):
        question += [line for _, line in rest[:start]]
        rest = rest[start:]
    return number, " ".join(" ".join(question).split()), [(n, _ANSWERED.sub("", line, count=1)) for n, line in rest]


def _undashed(lines: list[Line]) -> list[Line]:
    return [(number, "" if _DASH.fullmatch(line) else line) for number, line in lines]


def _filled(lines: list[Line]) -> list[Line]:
    """Return the lines without the blank ones at their start."""
    first = next((place for place, (_, line) in enumerate(lines) if line.strip()), len(lines))
    return lines[first:]


def _introduction(lines: list[Line]) -> tuple[str | None, list[Line]]:
    """Return the page's title, if its first line reads like one, and its text."""
    lines = _filled(lines)
    if lines and len(lines[0][1].strip()) <= _MAX_TITLE and not _ENDED.search(lines[0][1].strip()):
        following = [line for _, line in lines[1:]]
        if not any(line.strip() for line in following) or not following[0].strip():
            return lines[0][1].strip(" \t#="), _filled(lines[1:])
    return None, lines


def _flow(lines: Sequence[Line]) -> str:
    """Return the paragraphs with a blank line between them, soft line ends joined."""
    groups = groupby((line.rstrip() for _, line in lines), key=bool)
    return "\n\n".join(_paragraph(list(group)) for filled, group in groups if filled)


def _paragraph(lines: list[str]) -> str:
    if any(_ITEM.match(line) or line.startswith(("    ", "\t")) for line in lines):
        return "\n".join(lines)
    if any(len(line) > _WRAP for line in lines) or all(_ENDED.search(line) for line in lines[:-1]):
        return "\n\n".join(line.strip() for line in lines)
    return " ".join(line.strip() for line in lines)
