"""A page as Beautiful Soup has it, numbered in reading order, so that any stretch of it is a pair of numbers."""

from __future__ import annotations

import re
import warnings
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import accumulate
from typing import NamedTuple

from bs4 import BeautifulSoup, CData, MarkupResemblesLocatorWarning, Tag, XMLParsedAsHTMLWarning
from bs4.element import NavigableString, RubyParenthesisString, RubyTextString
from bs4.exceptions import ParserRejectedMarkup
from lxml import etree

from retriever.readers.drafts import Flaw, one_line

# Beautiful Soup takes 12 µs and 2 KB for a tag.
MAX_TAGS = 60_000
MAX_DEPTH = 500
MAX_CHARS = 40_000_000
# lxml compares each attribute of a tag with all the others.
MAX_ATTRIBUTES = 500


def listed(names: str) -> frozenset[str]:
    """Return a set of words that are written with blanks between."""
    return frozenset(names.split())


HEADINGS = {f"h{level}": level for level in range(1, 7)}
BLOCKS = listed(
    "address article aside blockquote body caption center dd details dialog dir div dl dt fieldset figcaption figure"
    " footer form h1 h2 h3 h4 h5 h6 header hgroup hr html legend li main menu nav ol p pre section summary table tbody"
    " td tfoot th thead tr ul"
)
_WHOLE = frozenset({"p", "ul", "ol", "table", "pre", "blockquote", *HEADINGS})
_TEXTS = (NavigableString, CData, RubyTextString, RubyParenthesisString)
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


class Span(NamedTuple):
    """A stretch of the page: the number of its first node, and of the first node after it."""

    start: int
    end: int


class Page:
    """The page's tags and texts in reading order.

    `end[n]` is the number after the last node inside node n, `parent[n]` the node that holds it, `block[n]` the nearest
    block at or above it, `line[n]` its line in the file. Where `gone[n]` is set, the node is no content of the page.
    """

    def __init__(self, soup: BeautifulSoup, lines: list[int]) -> None:
        self.nodes: list[Tag | NavigableString] = [soup]
        self.parent = [0]
        numbers = {id(soup): 0}
        for node in soup.descendants:
            if isinstance(node, Tag) or type(node) in _TEXTS:
                numbers[id(node)] = len(self.nodes)
                self.parent.append(numbers[id(node.parent)])
                self.nodes.append(node)  # type: ignore[arg-type]
        self.end = self._ends()
        self.block = self._blocks()
        self.line = self._lines(lines)
        self.gone = bytearray(len(self.nodes))
        sizes = [0 if isinstance(node, Tag) else len("".join(one_line(node).split())) for node in self.nodes]
        self._chars = list(accumulate(sizes, initial=0))
        self.ids: dict[str, int] = {}
        self._again: dict[str, list[int]] = {}
        self._named: dict[str, list[int]] = {}
        for number, tag in self.tags():
            self._named.setdefault(tag.name, []).append(number)
            for name in (attribute(tag, "id"), attribute(tag, "name") if tag.name == "a" else ""):
                if name:
                    self.ids.setdefault(name, number)
                    self._again.setdefault(name, []).append(number)

    def __len__(self) -> int:
        return len(self.nodes)

    def tags(self, start: int = 0, end: int | None = None) -> Iterator[tuple[int, Tag]]:
        """Yield the tags from `start` up to `end` with their numbers."""
        for number in range(start, len(self.nodes) if end is None else end):
            node = self.nodes[number]
            if isinstance(node, Tag):
                yield number, node

    def tag(self, number: int) -> Tag:
        node = self.nodes[number]
        assert isinstance(node, Tag)
        return node

    def span(self, number: int) -> Span:
        return Span(number, self.end[number])

    def target(self, name: str, number: int) -> int | None:
        """Return the tag with an id; where several have it, as pages made by copying do, the first after `number`."""
        places = self._again.get(name, [])
        after = bisect_right(places, number)
        return places[after] if after < len(places) else self.ids.get(name)

    def inner(self, number: int) -> Span:
        """Return what a node holds, with the node itself only where that is a block of text by itself."""
        return self.span(number) if self.tag(number).name in _WHOLE else Span(number + 1, self.end[number])

    def named(self, number: int, *names: str) -> Iterator[int]:
        """Yield the tags of these names inside a node, in order for each name."""
        for name in names:
            places = self._named.get(name, [])
            yield from places[bisect_right(places, number) : bisect_left(places, self.end[number])]

    def holds(self, number: int, names: Iterable[str]) -> bool:
        """Return whether any tag of these names is inside a node."""
        return any(next(self.named(number, name), None) is not None for name in names)

    def children(self, number: int) -> Iterator[int]:
        """Yield the tags directly inside a node."""
        child = number + 1
        while child < self.end[number]:
            if isinstance(self.nodes[child], Tag):
                yield child
            child = self.end[child]

    def next_tag(self, number: int) -> int | None:
        """Return the tag that follows a node inside the same parent, unless text stands between."""
        place, stop = self.end[number], self.end[self.parent[number]]
        while place < stop:
            if isinstance(self.nodes[place], Tag):
                return place
            if self.size(Span(place, place + 1)):
                return None
            place += 1
        return None

    def above(self, number: int) -> Iterator[int]:
        """Yield the nodes that hold a node, nearest first, without the document itself."""
        while number := self.parent[number]:
            yield number

    def size(self, span: Span) -> int:
        """Return how many characters, white space aside, a stretch has, whether it is content or not."""
        return self._chars[span.end] - self._chars[span.start]

    def core(self, span: Span) -> Span:
        """Return the innermost tag in a stretch that holds its text but for one sign beside it; else the stretch."""
        wanted = self.size(span) - 1
        found = [self.span(number) for number, _ in self.tags(*span) if self.end[number] <= span.end]
        return next((inner for inner in reversed(found) if wanted > 3 and self.size(inner) >= wanted), span)

    def texts(self, span: Span, *, everything: bool = False) -> Iterator[int]:
        """Yield the numbers of the texts in a stretch that are content."""
        for number in range(*span):
            if (everything or not self.gone[number]) and not isinstance(self.nodes[number], Tag):
                yield number

    def text(self, span: Span, *, everything: bool = False) -> str:
        """Return a stretch on one line, as it is read: blocks and line breaks are parted by a blank."""
        parts: list[str] = []
        block, place = -1, span.start
        for number in self.texts(span, everything=everything):
            if self.block[number] != block or self._broken(place, number):
                parts.append(" ")
            parts.append(str(self.nodes[number]))
            block, place = self.block[number], number
        return one_line("".join(parts))

    def remove(self, number: int) -> None:
        """Mark a node and all in it as no content."""
        self.gone[number : self.end[number]] = b"\1" * (self.end[number] - number)

    def _broken(self, start: int, end: int) -> bool:
        """Return whether a block or a line break lies between two texts of one block."""
        between = self.nodes[start + 1 : end]
        return any(isinstance(node, Tag) and (node.name == "br" or node.name in BLOCKS) for node in between)

    def _ends(self) -> list[int]:
        ends = list(range(1, len(self.nodes) + 1))
        for number in range(len(self.nodes) - 1, 0, -1):
            holder = self.parent[number]
            ends[holder] = max(ends[holder], ends[number])
        return ends

    def _blocks(self) -> list[int]:
        blocks = [0] * len(self.nodes)
        for number, node in enumerate(self.nodes):
            own = isinstance(node, Tag) and (node.name in BLOCKS or "-" in node.name)
            blocks[number] = number if own else blocks[self.parent[number]]
        return blocks

    def _lines(self, lines: list[int]) -> list[int]:
        """Return each node's line: a tag's as lxml tells it, a text's counted on from the node before it."""
        found, remaining, passed = [1] * len(self.nodes), iter(lines), 0
        for number, node in enumerate(self.nodes[1:], 1):
            found[number] = found[number - 1] + passed
            passed = 0
            if isinstance(node, Tag):
                found[number] = next(remaining, found[number])
            else:
                ahead = node[: len(node) - len(node.lstrip())].count("\n")
                found[number] += ahead
                passed = node.count("\n") - ahead
        return found


def parse(text: str) -> Page:
    """Return the page; raises Flaw where it is too big or too deep to be read in bounded time."""
    if len(text) > MAX_CHARS:
        raise Flaw(f"has {len(text):,} characters, and {MAX_CHARS:,} of HTML are read at most: split it")
    data = text.encode()
    _check(data)
    with warnings.catch_warnings():
        for category in (XMLParsedAsHTMLWarning, MarkupResemblesLocatorWarning):
            warnings.simplefilter("ignore", category)
        try:
            soup = BeautifulSoup(data, "lxml", from_encoding="utf-8")
        except ParserRejectedMarkup as error:
            raise Flaw("is not HTML that can be read") from error
    return Page(soup, _lines(data, [tag.name for tag in soup.find_all(True)]))


def attribute(tag: Tag, name: str) -> str:
    """Return an attribute's value, or an empty text; of a list of words, the words with blanks between."""
    value = tag.get(name) or ""
    return value.strip() if isinstance(value, str) else " ".join(value)


def words(tag: Tag) -> frozenset[str]:
    """Return the words that a tag's classes are made of: `faq-itemTitle` is faq, item, title."""
    names = attribute(tag, "class")
    return _words(names if "-" not in tag.name else f"{tag.name} {names}")


@lru_cache(maxsize=4096)
def _words(names: str) -> frozenset[str]:
    return frozenset(word.lower() for word in _WORD.findall(names[:500]))


class _Count:
    """What lxml tells of a page while it reads it, without a tree."""

    def __init__(self) -> None:
        self.tags = self.depth = self.deepest = self.attributes = 0

    def start(self, _tag: str, attributes: dict[str, str]) -> None:
        self.tags += 1
        self.depth += 1
        self.deepest = max(self.deepest, self.depth)
        self.attributes = max(self.attributes, len(attributes))

    def end(self, _tag: str) -> None:
        self.depth -= 1

    def data(self, _text: str) -> None: ...

    def close(self) -> _Count:
        return self


def _check(data: bytes) -> None:
    parser = etree.HTMLParser(target=_Count(), encoding="utf-8", huge_tree=True)
    try:
        parser.feed(data)
        count = parser.close()
    except etree.LxmlError as error:
        raise Flaw("is not HTML that can be read") from error
    if count.tags > MAX_TAGS:
        raise Flaw(f"has {count.tags:,} tags, and {MAX_TAGS:,} are read at most: split the page")
    if count.deepest > MAX_DEPTH:
        raise Flaw(f"is nested {count.deepest:,} levels deep, at most {MAX_DEPTH} are read: close its tags")
    if count.attributes > MAX_ATTRIBUTES:
        raise Flaw(f"has a tag of {count.attributes:,} attributes, at most {MAX_ATTRIBUTES} are read")


def _lines(data: bytes, names: list[str]) -> list[int]:
    """Return each tag's line. Beautiful Soup is told none by lxml, so lxml is asked itself: it meets the same tags."""
    root = etree.fromstring(data, etree.HTMLParser(encoding="utf-8", huge_tree=True))
    lines: list[int] = []
    if root is not None:
        for name, element in zip(names, root.iter(etree.Element), strict=False):
            if element.tag != name:
                break
            lines.append(element.sourceline or 1)
    return lines
