"""What a format yields: drafts of entries, refusals, and notes, none of which know their file."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal

from retriever.types import EntryKind

Markup = Literal["text", "markdown", "html", "auto"]
"""How an answer is written; `auto` is HTML where it holds tags that format text, else plain text."""

# C0 and C1 controls are no text (a tab and a newline are); in a log or a terminal they do harm.
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_SEPARATORS = re.compile("\r\n?|[\x0b\x0c\x85\u2028\u2029]")
_INVISIBLE = " \t\n\u200b\u2060\ufeff\u00a0"


@dataclass(frozen=True, slots=True)
class Draft:
    """An entry as its file has it: not checked, not merged, without the file's name."""

    question: str
    answer: str
    line: int | None = None
    markup: Markup = "text"
    id: str | None = None
    alternates: tuple[str, ...] = ()
    url: str | None = None
    anchor: str | None = None
    title: str | None = None
    tags: tuple[str, ...] = ()
    lang: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    kind: EntryKind = "faq"
    owner: str | None = None
    reviewed: date | None = None
    valid_from: date | None = None
    valid_until: date | None = None
    pin_for: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Refused:
    """Something that was not taken, and why; `line` None is the whole file."""

    line: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class Note:
    """What was done to the file that its owner may not expect."""

    text: str


Item = Draft | Refused | Note
Reader = Callable[[str, str], Iterator[Item]]
"""A format: the file's text and the title to fall back on → what it holds, in the order of lines."""


class Flaw(Exception):
    """What is wrong with an entry; where a reader lets it out, with the rest of the file."""

    def __init__(self, reason: str, line: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.line = line


def clean(text: str) -> str:
    """Return `text` as it is indexed: composed (NFC), every line end a newline, nothing invisible around it."""
    text = _CONTROLS.sub("", _SEPARATORS.sub("\n", text))
    return unicodedata.normalize("NFC", text).strip(_INVISIBLE)


def one_line(text: str) -> str:
    """Return `text` cleaned, with every run of white space a single blank."""
    return " ".join(clean(text).split())


def fold(text: str) -> str:
    """Return what two texts have in common that differ in white space and case only."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def title_of(stem: str) -> str:
    """Return a file's name as a title: `shipping-and-returns` is “Shipping and returns”."""
    words = " ".join(stem.replace("_", " ").replace("-", " ").split())
    printable = one_line(words.encode("utf-8", "replace").decode())
    return printable[:1].upper() + printable[1:] or "Page"
