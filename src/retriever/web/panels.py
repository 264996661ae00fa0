"""What the templates work out for what they show: addresses, filters to choose from, and what made a hit's score."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from retriever.types import Explanation, Facet, Facets

MOST_CHIPS = 3
"""How many values stand in the open, categories and tags together; the others are in a panel."""

_MOST_POINTS = 50  # the largest that meaning or words can add, but for a pin


@dataclass(frozen=True, slots=True)
class Choice:
    """What an address of the page chooses beside the question: any of the tags, any of the categories.

    `exact` asks for the question as it was typed, nothing put right.
    """

    tags: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    exact: bool = False


@dataclass(frozen=True, slots=True)
class Offered:
    """A value that can be filtered on, and how many entries carry it."""

    value: str
    entries: int
    chosen: bool


def offered(facets: Sequence[Facet], chosen: Sequence[str]) -> list[Offered]:
    """Return what can be filtered on, the chosen first, also what an address chose that no entry carries.

    A single value that nobody chose parts nothing from anything, so there is none then.
    """
    counts = {facet.value: facet.entries for facet in facets}
    values = dict.fromkeys([*chosen, *counts])
    if len(values) == 1 and not chosen:
        return []
    return [Offered(value, counts.get(value, 0), value in chosen) for value in values]


@dataclass(frozen=True, slots=True)
class Chips:
    """What can be filtered on: what stands `in_the_open`, each with its field's name, and what is in a panel."""

    in_the_open: tuple[tuple[str, Offered], ...]
    categories: tuple[Offered, ...]
    tags: tuple[Offered, ...]


def chips(facets: Facets, choice: Choice) -> Chips:
    """Return the filters, all that are chosen in the open and first, since a phone shows no more than two."""
    categories = offered(facets.categories, choice.categories)
    tags = offered(facets.tags, choice.tags)
    named = [("category", one) for one in categories] + [("tag", one) for one in tags]
    chosen = [pair for pair in named if pair[1].chosen]
    free = [one for one in categories if not one.chosen], [one for one in tags if not one.chosen]
    room = max(MOST_CHIPS - len(chosen), 0)
    few = free[0][: max(room - 1, 0) if free[1] else room]
    others = free[1][: room - len(few)]
    return Chips(
        (*chosen, *(("category", one) for one in few), *(("tag", one) for one in others)),
        tuple(free[0][len(few) :]),
        tuple(free[1][len(others) :]),
    )


def address(question: str, choice: Choice = Choice(), *, exact: bool = False) -> str:
    """Return the address that asks `question` with the filters of `choice`; `exact` as it is typed."""
    fields = [("q", question)] if question else []
    fields += [("category", value) for value in choice.categories] + [("tag", value) for value in choice.tags]
    fields += [("exact", "1")] if exact and question else []
    return f"/?{urlencode(fields, quote_via=quote)}" if fields else "/"


def points(explanation: Explanation) -> int:
    """Return a score in hundredths."""
    return round(100 * explanation.total)


def parts(explanation: Explanation) -> list[tuple[str, int]]:
    """Return what each kind of evidence added, in whole hundredths that add up to `points`; none that added nothing."""
    exact = {name: 100 * part for name, part in explanation.parts.items()}
    whole = {name: math.floor(part) for name, part in exact.items()}
    over = points(explanation) - sum(whole.values())
    for name in sorted(exact, key=lambda name: whole[name] - exact[name])[:over]:
        whole[name] += 1
    return [(name, part) for name, part in whole.items() if part]


def of_most(part: int) -> int:
    """Return the length of a part's bar, 0 to 100."""
    return min(max(round(100 * part / _MOST_POINTS), 0), 100)
