"""JSON (one document) and JSON Lines (one object a line) → drafts."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any

from retriever.readers.drafts import Draft, Flaw, Item, Note, Refused
from retriever.readers.products import LISTS, NAMELESS, record_of
from retriever.readers.records import draft_of

MAX_LINE_CHARS = 1_000_000
_SPACE = re.compile(r"[ \t\n\r]*")
# No number that is kept has more digits; Python itself refuses 4,300 and more with an error of its own.
_MAX_DIGITS = 40


def _whole(digits: str) -> float:
    return int(digits) if len(digits) < _MAX_DIGITS else math.inf


_DECODER = json.JSONDecoder(parse_int=_whole)


def read_json(text: str, _title: str) -> Iterator[Item]:
    """Read a list of entries, an object that holds one under a usual name, or one object that is an entry."""
    scan = _Scan(text)
    if scan.peek() == "[":
        yield from _entries(scan)
    elif scan.peek() == "{":
        yield from _document(scan)
    else:
        raise Flaw("is not a list of entries or an object that holds one: see docs/formats.md", scan.line())
    if scan.peek():
        raise Flaw("there is more text after the end of the JSON: nothing below is read", scan.line())


def read_json_lines(text: str, _title: str) -> Iterator[Item]:
    """Read one object a line; a bad line costs itself alone."""
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        if len(line) > MAX_LINE_CHARS:
            yield Refused(number, f"a line of {len(line):,} characters: {MAX_LINE_CHARS:,} are read at most")
            continue
        try:
            yield _draft(_DECODER.decode(line), number)
        except json.JSONDecodeError as error:
            yield Refused(number, f"not JSON: {error.msg} at column {error.colno}")
        except RecursionError:
            yield Refused(number, "nested too deep to be an entry")
        except Flaw as flaw:
            yield Refused(number, flaw.reason)


class _Scan:
    """A place in a JSON text, and the line that it is on."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._place = 0
        self._counted = 0
        self._line = 1

    def peek(self) -> str:
        """Return the next character that is not white space; empty at the end."""
        space = _SPACE.match(self._text, self._place)
        self._place = space.end() if space else self._place
        return self._text[self._place : self._place + 1]

    def take(self, wanted: str) -> None:
        if self.peek() != wanted:
            raise Flaw(f"not JSON: a `{wanted}` is missing: nothing from here on is read", self.line())
        self._place += 1

    def value(self) -> Any:
        self.peek()
        try:
            value, self._place = _DECODER.raw_decode(self._text, self._place)
        except json.JSONDecodeError as error:
            raise Flaw(
                f"not JSON: {error.msg} at column {error.colno}: nothing from here on is read", error.lineno
            ) from error
        except RecursionError as error:
            raise Flaw("nested too deep to be a list of entries", self.line()) from error
        return value

    def line(self) -> int:
        self._line += self._text.count("\n", self._counted, self._place)
        self._counted = self._place
        return self._line


def _entries(scan: _Scan) -> Iterator[Item]:
    """Read a list one element at a time, so that each has its line and a break costs only what follows it."""
    scan.take("[")
    while scan.peek() != "]":
        line = scan.line()
        value = scan.value()
        try:
            yield _draft(value, line)
        except Flaw as flaw:
            yield Refused(line, flaw.reason)
        if scan.peek() != "]":
            scan.take(",")
    scan.take("]")


def _document(scan: _Scan) -> Iterator[Item]:
    line, found = scan.line(), False
    own: dict[str, Any] = {}
    scan.take("{")
    while scan.peek() != "}":
        key = scan.value()
        scan.take(":")
        if key in LISTS and scan.peek() == "[":
            found = True
            yield from _entries(scan)
        else:
            own[str(key)] = scan.value()
        if scan.peek() != "}":
            scan.take(",")
    scan.take("}")
    if not found:
        yield _alone(own, line)
    elif beside := [key for key in own if key not in NAMELESS]:
        yield Note(f"beside the list of entries, not kept: {', '.join(beside)[:200]}")


def _alone(record: dict[str, Any], line: int) -> Item:
    """Read an object without a list as the one entry that it may be."""
    try:
        draft = draft_of(record, line)
    except Flaw as flaw:
        return Refused(line, flaw.reason)
    if draft.question or draft.answer:
        return draft
    return Refused(None, f"no entries found: an object should hold a list under one of {', '.join(LISTS)}")


def _draft(value: Any, line: int) -> Draft:
    if not isinstance(value, dict):
        raise Flaw("an entry should be an object with a question and an answer")
    return draft_of(record_of(value), line)
