"""What there is to browse: the entries by category, those without one by file, all in the order of files and lines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from threading import Lock
from urllib.parse import quote

from retriever.search import Searcher
from retriever.types import Entry, Filters

_AT_ONCE = 500
BROWSE = "/browse"


@dataclass(frozen=True, slots=True)
class Listed:
    """An entry in a table of contents."""

    entry_id: str
    question: str
    lang: str

    @property
    def url(self) -> str:
        """Return the address of its page."""
        return entry_url(self.entry_id)


@dataclass(frozen=True, slots=True)
class Section:
    """The entries of a category, or of a `file` whose entries have none."""

    name: str
    category: str
    file: str | None
    listed: tuple[Listed, ...]

    @property
    def url(self) -> str:
        """Return the address of its page."""
        if self.file:
            return f"{BROWSE}?file={quote(self.file, safe='')}"
        return f"{BROWSE}/{quote(self.category, safe='')}"

    @property
    def filters(self) -> Filters:
        """Return what finds its entries, together with its category."""
        return Filters(source=(self.file,) if self.file else ())


@dataclass(frozen=True, slots=True)
class Contents:
    """All sections. `places` says for each entry's id in which of them it stands first, and where."""

    sections: tuple[Section, ...]
    places: dict[str, tuple[int, int]] = field(init=False)

    def __post_init__(self) -> None:
        places: dict[str, tuple[int, int]] = {}
        for number, section in enumerate(self.sections):
            for at, listed in enumerate(section.listed):
                places.setdefault(listed.entry_id, (number, at))
        object.__setattr__(self, "places", places)

    def category(self, name: str) -> Section | None:
        """Return the section of a category."""
        return next((section for section in self.sections if section.category == name and not section.file), None)

    def file(self, name: str) -> Section | None:
        """Return the section of the entries of a file that have no category."""
        return next((section for section in self.sections if section.file == name), None)

    def around(self, entry_id: str) -> tuple[Section | None, Listed | None, Listed | None]:
        """Return the section that an entry stands in, and the entries before it and after it there."""
        if entry_id not in self.places:
            return None, None, None
        number, at = self.places[entry_id]
        section = self.sections[number]
        listed = section.listed
        return section, listed[at - 1] if at else None, listed[at + 1] if at + 1 < len(listed) else None


class Kept:
    """The contents of what is served, worked out once a snapshot and day: entries come to hold and cease to."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._key: tuple[str, date] | None = None
        self._contents = Contents(())

    def of(self, searcher: Searcher) -> Contents:
        """Return the contents of what `searcher` finds today."""
        key = (searcher.manifest.id, date.today())
        with self._lock:
            if self._key != key:
                self._contents, self._key = contents_of(searcher), key
            return self._contents


def contents_of(searcher: Searcher) -> Contents:
    """Return all that `searcher` finds, by section, in the order of their first entries."""
    placed: list[tuple[str, int, Section]] = []
    for facet in searcher.facets().categories:
        entries = list(_walk(searcher, facet.value))
        if entries:
            placed.append((*_place(entries[0]), Section(facet.value, facet.value, None, _listed(entries))))
    files: dict[str, list[Entry]] = {}
    for entry in _walk(searcher, ""):
        files.setdefault(entry.source.file, []).append(entry)
    for file, entries in files.items():
        name = entries[0].source.title or file
        placed.append((*_place(entries[0]), Section(name, "", file, _listed(entries))))
    return Contents(tuple(section for *_, section in sorted(placed, key=lambda one: one[:2])))


def entry_url(entry_id: str) -> str:
    """Return the address of an entry's page."""
    return f"/entry/{quote(entry_id, safe='')}"


def _walk(searcher: Searcher, category: str) -> Iterator[Entry]:
    start, total = 0, 1
    while start < total:
        found = searcher.listing(category, start=start, count=_AT_ONCE)
        yield from found.entries
        start, total = start + _AT_ONCE, found.total


def _listed(entries: list[Entry]) -> tuple[Listed, ...]:
    return tuple(Listed(entry.id, entry.question, entry.lang) for entry in entries)


def _place(entry: Entry) -> tuple[str, int]:
    return entry.source.file, entry.source.line or 0
