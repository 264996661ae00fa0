"""What a page says of itself: its title, address, language, and where its links lead from."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from retriever.readers.html.cues import asks
from retriever.readers.html.pairs import Pair
from retriever.readers.html.tree import Page, attribute
from retriever.readers.html.write import resolve

_LANG = re.compile(r"[A-Za-z]{2,8}(?:[-_][A-Za-z0-9]{1,8})*")
_UNSTABLE = ("ui-id-", "radix-", "headlessui-", "react-aria", ":r", "mui-", "chakra-", "uid-")


@dataclass(frozen=True, slots=True)
class About:
    """`url` is the page's own address, `base` the one that its relative links start from, where they are known."""

    title: str
    url: str | None
    base: str | None
    lang: str | None


def describe(page: Page, fallback: str) -> About:
    """Return what the page says of itself; `fallback` is its title if it has none."""
    url = next(_addresses(page), None)
    base = next((resolve(attribute(page.tag(tag), "href"), url) for tag in page.named(0, "base")), None)
    root = next(page.named(0, "html"), None)
    own = attribute(page.tag(root), "lang") or attribute(page.tag(root), "xml:lang") if root else ""
    return About(_title(page, fallback).rstrip("¶#🔗 "), url, base if _absolute(base) else url, language(own))


def language(name: str) -> str | None:
    """Return a language's code if it is one."""
    return name if len(name) < 40 and _LANG.fullmatch(name) else None


def language_at(page: Page, number: int) -> str | None:
    """Return the language that the nearest tag above a node names."""
    for up in page.above(number):
        if (tag := page.tag(up)).has_attr("lang"):
            return language(attribute(tag, "lang"))
    return None


def anchor_at(page: Page, nodes: tuple[int, ...]) -> str | None:
    """Return the first id that a link can lead to, of these nodes and of what is at the head of them."""
    for order, number in enumerate(nodes):
        inside = min(page.end[number], number + 6) if order == 0 else number
        for candidate in (number, *(inner for inner, _ in page.tags(number + 1, inside))):
            tag = page.tag(candidate)
            name = attribute(tag, "id") or (attribute(tag, "name") if tag.name == "a" else "")
            first = page.ids.get(name) == candidate  # of two with one id, a link leads to the first
            if first and len(name) <= 200 and len(name.split()) == 1 and not name.startswith(_UNSTABLE):
                return name
    return None


def around(page: Page, pair: Pair, shared: int) -> tuple[int, ...]:
    """Return the nodes whose id may lead to a pair: its own, then what holds it alone, up to the node `shared`."""
    boxes: list[int] = []
    for up in page.above(pair.ask.start):
        if up == shared or page.tag(up).name in {"body", "main", "html"}:
            break
        boxes.append(up)
    return (*pair.anchors[:1], *boxes, *pair.anchors[1:]) if shared else pair.anchors


def _addresses(page: Page) -> Iterator[str]:
    for tag in map(page.tag, page.named(0, "link")):
        href = attribute(tag, "href")
        if "canonical" in attribute(tag, "rel").lower().split() and _absolute(href):
            yield href
    for tag in map(page.tag, page.named(0, "meta")):
        content = attribute(tag, "content")
        if attribute(tag, "property") == "og:url" and _absolute(content):
            yield content


def _absolute(url: str | None) -> bool:
    return bool(url and url.startswith(("http://", "https://")) and len(url.split()) == 1 and len(url) < 2_000)


def _title(page: Page, fallback: str) -> str:
    """Return the page's one heading that is no question itself, else what the browser's tab shows."""
    headings = [page.text(page.span(tag), everything=True) for tag in page.named(0, "h1")]
    if len(headings) == 1 and headings[0] and not asks(headings[0]):
        return headings[0][:300]
    titles = [page.text(page.span(tag), everything=True) for tag in page.named(0, "title")]
    return next((title[:300] for title in titles if title), fallback)
