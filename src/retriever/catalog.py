"""What a snapshot holds, looked at without a question: categories and tags with counts, entries in order, and by id."""

from __future__ import annotations

import numpy as np

from retriever.errors import InputError
from retriever.snapshot import KINDS, Snapshot
from retriever.types import CATEGORY, Allowed, Facet, Facets, Listing, Mask, Related, Rows

MAX_LISTED = 500
"""Entries that can be listed at once: a page of them is already long."""
_CATEGORY = f"metadata.{CATEGORY}"
_QUESTION = KINDS.index("question")
# How far a cosine stands above that of texts that have nothing in common, where one question is related to another.
_RELATED = 0.2
# Entries that ask the same are one to whoever looks for another question.
_SPARE = 3


def facets_of(snapshot: Snapshot, allowed: Mask) -> Facets:
    """Return how many of the `allowed` entries, shape (entries,), carry each category, and each tag that is none."""
    categories = _facet(snapshot, _CATEGORY, allowed)
    named = {facet.value for facet in categories}
    return Facets(categories, tuple(facet for facet in _facet(snapshot, "tags", allowed) if facet.value not in named))


def _facet(snapshot: Snapshot, name: str, allowed: Mask) -> tuple[Facet, ...]:
    counts = snapshot.counted(name, allowed).items()
    return tuple(Facet(value, count) for value, count in sorted(counts, key=lambda found: (-found[1], found[0])))


def listing_of(snapshot: Snapshot, allowed: Mask, category: str | None, start: int, count: int) -> Listing:
    """Return `count` of the `allowed` entries from the place `start` on, counted from 0, as their files have them.

    With a `category`, those that carry it; with an empty one, those that carry none. Raises InputError if `start` or
    `count` is out of bounds.
    """
    if start < 0:
        raise InputError("start", f"is {start}; it must be 0 or more")
    if not 1 <= count <= MAX_LISTED:
        raise InputError("count", f"is {count}; it must be between 1 and {MAX_LISTED}")
    if category is not None:
        allowed = allowed & snapshot.carrying(_CATEGORY, category or None)
    order = snapshot.written()
    order = order[allowed[order]]
    return Listing(len(order), start, tuple(map(snapshot.entry, order[start : start + count].tolist())))


def related_to(snapshot: Snapshot, ordinal: int, allowed: Mask, count: int) -> tuple[Related, ...]:
    """Return up to `count` of the `allowed` entries whose questions are nearest to that of the entry at `ordinal`.

    Each question is there once, and the entry's own is not, nor what is hardly nearer than any other text.
    """
    of_questions = Allowed.of((snapshot.kinds == _QUESTION) & allowed[snapshot.owners])
    vector = snapshot.vectors.get(snapshot.starts[ordinal : ordinal + 1])[0]
    wanted, least = _SPARE * (count + 1), snapshot.manifest.calibration.floor + _RELATED
    while True:
        near = snapshot.vectors.search(vector, wanted, of_questions)
        rows = near.rows[np.lexsort((near.rows, -near.scores))][: int(np.count_nonzero(near.scores >= least))]
        found = _distinct(snapshot, ordinal, rows, count)
        if len(found) == count or len(rows) < wanted:  # all that are near were found, or there are no more
            return found
        wanted *= 4


def _distinct(snapshot: Snapshot, ordinal: int, rows: Rows, count: int) -> tuple[Related, ...]:
    """Return the first entries of `rows` that ask something else than the one at `ordinal`, and than each other."""
    seen = {_plain(snapshot.entry(ordinal).question)}
    found: list[Related] = []
    for other in snapshot.owners[rows].tolist():
        entry = snapshot.entry(other)
        if len(found) < count and other != ordinal and _plain(entry.question) not in seen:
            seen.add(_plain(entry.question))
            found.append(Related(entry.id, entry.question, entry.lang))
    return tuple(found)


def _plain(question: str) -> str:
    """Return a question less case, spacing and the marks around it: where these alone differ, it is the same."""
    return " ".join(question.casefold().split()).strip("?¿!. ")
