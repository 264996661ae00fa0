"""Entries of all files → entries that are there once, with ids that outlive reordering and other entries' edits."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from retriever.readers.drafts import fold
from retriever.types import Entry, Refusal

Fate = Literal["kept", "merged"] | Refusal
MAX_SLUG_CHARS = 48
_ASCII_WORD = re.compile(r"[a-z0-9]+")
_Content = tuple[str, str, str]


def unite(entries: Sequence[Entry]) -> tuple[tuple[Entry, ...], list[Fate]]:
    """Return the entries to index, in order, and what became of each one given; an empty id is one to be made."""
    kept: list[Entry] = []
    contents: list[_Content] = []
    by_id: dict[str, int] = {}
    by_content: defaultdict[_Content, list[int]] = defaultdict(list)
    fates: list[Fate] = []
    for entry in entries:
        content = _content(entry)
        place = by_id.get(entry.id)
        if place is not None and place not in by_content[content]:
            fates.append(_taken(entry, kept[place]))
            continue
        if place is None:
            place = _same(entry, by_content[content], kept)
        fates.append("kept" if place is None else "merged")
        if place is None:
            place = len(kept)
            by_content[content].append(place)
            contents.append(content)
            kept.append(entry)
        else:
            kept[place] = _merged(kept[place], entry)
        if entry.id:
            by_id[entry.id] = place
    return _with_ids(kept, contents), fates


def _same(entry: Entry, places: Sequence[int], kept: Sequence[Entry]) -> int | None:
    """Return the entry of the same content that this one may be merged into: not one with another id of its own."""
    return next((place for place in places if not entry.id or not kept[place].id), None)


def _merged(first: Entry, second: Entry) -> Entry:
    alternates = {fold(text): text for text in reversed((*first.alternates, *second.alternates))}
    return replace(
        first,
        id=first.id or second.id,
        alternates=tuple(reversed(alternates.values())),
        tags=tuple(dict.fromkeys((*first.tags, *second.tags))),
        metadata={**second.metadata, **first.metadata},
        owner=first.owner or second.owner,
        reviewed=first.reviewed or second.reviewed,
        valid_from=first.valid_from or second.valid_from,
        valid_until=first.valid_until or second.valid_until,
        pin_for=tuple(dict.fromkeys((*first.pin_for, *second.pin_for))),
    )


def _taken(entry: Entry, owner: Entry) -> Refusal:
    where = f"{owner.source.file}, line {owner.source.line}" if owner.source.line else owner.source.file
    reason = f"the id `{entry.id}` is already that of another entry ({where}): give one of them another id"
    return Refusal(entry.source.file, entry.source.line, reason)


def _with_ids(entries: Sequence[Entry], contents: Sequence[_Content]) -> tuple[Entry, ...]:
    """Give an id to each entry without one: of its question, or, where others ask the same, of its answer too."""
    taken = {entry.id for entry in entries if entry.id}
    asked = Counter(content[:2] for entry, content in zip(entries, contents, strict=True) if not entry.id)
    done = []
    for entry, content in zip(entries, contents, strict=True):
        if not entry.id:
            entry = replace(entry, id=_id(entry, content if asked[content[:2]] > 1 else content[:2], taken))  # noqa: PLW2901
            taken.add(entry.id)
        done.append(entry)
    return tuple(done)


def _id(entry: Entry, basis: Sequence[str], taken: set[str]) -> str:
    digest = hashlib.sha256("\n".join(basis).encode()).hexdigest()
    slug = slug_of(entry.question)
    # Eight digits tell entries with one slug apart; more are taken only where somebody's own id is in the way.
    return next(name for length in (8, 16, 64) if (name := f"{slug}-{digest[:length]}") not in taken)


def slug_of(text: str) -> str:
    """Return the words of `text` as an id shows them: letters and digits of any script, at most 48 characters."""
    text = fold(text)
    if text.isascii():
        words = _ASCII_WORD.findall(text)
    else:
        words = "".join(char if unicodedata.category(char)[0] in "LNM" else " " for char in text).split()
    slug = "-".join(words)
    if len(slug) > MAX_SLUG_CHARS:
        slug = slug[: MAX_SLUG_CHARS + 1].rpartition("-")[0] or slug[:MAX_SLUG_CHARS]
    return slug or "entry"


def _content(entry: Entry) -> _Content:
    return entry.kind, fold(entry.question), fold("\n".join(paragraph.text for paragraph in entry.answer))
