"""The pages that are read without a question: all questions, those of a section, one entry, and nothing there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from retriever.types import Entry, Related
from retriever.web.contents import BROWSE, Contents, Section, entry_url
from retriever.web.language import Language
from retriever.web.page import template
from retriever.web.site import Site
from retriever.web.structured import faq_page

PER_PAGE = 40
"""Entries on a page of a section."""
_SECTIONS_PER_PAGE = 60
# Up to so many questions, a page shows all that there are; beyond, a few of each section.
_SHOWN_AT_ONCE = 300
_SHOWN_OF_EACH = 5
# Characters of HTML that the answers on one page may have together: it stays under 50 kB as it is sent.
_ANSWERS = 60_000


@dataclass(frozen=True, slots=True)
class Frame:
    """What stands around each of these pages."""

    site: Site
    language: Language
    entries: int | None = None
    snapshot: str | None = None


@dataclass(frozen=True, slots=True)
class _Pages:
    """Where a page stands among those of a list; `url` is that of the list."""

    url: str
    number: int
    count: int

    def address(self, number: int) -> str:
        """Return the address of another of them."""
        return self.url if number == 1 else f"{self.url}{'&' if '?' in self.url else '?'}page={number}"


@dataclass(frozen=True, slots=True)
class _Shown:
    """An entry of a list, and whether there is room for its whole answer."""

    entry: Entry
    whole: bool


def page_count(section: Section) -> int:
    """Return how many pages a section fills."""
    return -(-len(section.listed) // PER_PAGE)


def render_browse(frame: Frame, contents: Contents, number: int = 1) -> str | None:
    """Return a page of all sections; None where there are not so many pages."""
    pages = _Pages(BROWSE, number, max(-(-len(contents.sections) // _SECTIONS_PER_PAGE), 1))
    if not 1 <= number <= pages.count:
        return None
    total = len(contents.places)
    first = (number - 1) * _SECTIONS_PER_PAGE
    return _render(
        frame,
        "browse.html",
        heading=frame.language.t("browse.all"),
        path=pages.address(number),
        pages=pages,
        total=total,
        most=total if total <= _SHOWN_AT_ONCE else _SHOWN_OF_EACH,
        sections=contents.sections[first : first + _SECTIONS_PER_PAGE],
    )


def render_section(frame: Frame, section: Section, entries: Sequence[Entry], number: int, today: date) -> str:
    """Return a page of a section, which shows `entries`."""
    shown = _shorten(entries)
    pages = _Pages(section.url, number, page_count(section))
    holding = [one.entry for one in shown if one.whole and one.entry.validity(today) == "valid"]
    return _render(
        frame,
        "section.html",
        heading=section.name,
        path=pages.address(number),
        data=faq_page(holding, frame.site.public_url),
        pages=pages,
        section=section,
        shown=shown,
        today=today,
    )


def render_entry(frame: Frame, entry: Entry, contents: Contents, related: Sequence[Related], today: date) -> str:
    """Return the page of an entry."""
    section, before, after = contents.around(entry.id)
    holds = entry.validity(today) == "valid"
    return _render(
        frame,
        "entry.html",
        heading=entry.question,
        path=entry_url(entry.id),
        data=faq_page([entry], frame.site.public_url) if holds else "",
        section=section,
        before=before,
        after=after,
        entry=entry,
        related=related,
        today=today,
    )


def render_absent(frame: Frame, said: str, query: str = "") -> str:
    """Return the page that says that there is nothing at an address; `query` is what may be searched for instead."""
    return _render(frame, "absent.html", heading=frame.language.t("absent.title"), said=said, query=query)


def _render(frame: Frame, name: str, **values: Any) -> str:
    plain: dict[str, Any] = {"path": "", "data": "", "query": ""}
    return template(name, frame.language).render(
        plain
        | values
        | {
            "site": frame.site,
            "title": frame.site.named(frame.language),
            "entries": frame.entries,
            "snapshot": frame.snapshot,
            "browse": BROWSE,
            "entry_url": entry_url,
        }
    )


def _shorten(entries: Sequence[Entry]) -> list[_Shown]:
    """Return the entries of a page, those beyond its room without their whole answers."""
    shown, left = [], _ANSWERS
    for entry in entries:
        length = sum(len(paragraph.html) for paragraph in entry.answer)
        whole = length <= left
        left -= length if whole else 0
        shown.append(_Shown(entry, whole))
    return shown
