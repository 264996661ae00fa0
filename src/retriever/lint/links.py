"""Links from answers to anchors in the corpus that no entry has."""

from __future__ import annotations

import posixpath
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Sequence
from html import unescape
from urllib.parse import unquote, urldefrag, urlsplit

from retriever.lint.findings import Finding, finding_of, quoted
from retriever.types import Entry

_HREF = re.compile(r'<a [^>]*?href="([^"]*)"')


def find_dead(entries: Sequence[Entry]) -> Iterator[Finding]:
    """Yield the links whose page is in the corpus, and whose anchor no entry and no heading there has."""
    anchors = _anchors(entries)
    for entry in entries:
        links = (unescape(href) for paragraph in entry.answer for href in _HREF.findall(paragraph.html))
        for link in dict.fromkeys(links):
            page = _page(entry, link)
            anchor = unquote(urlsplit(link).fragment)
            if anchor and page in anchors and anchor not in anchors[page] and anchor != "top":
                yield finding_of("link", entry, f"{quoted(link)} leads nowhere: no entry of {page} has that anchor")


def _anchors(entries: Sequence[Entry]) -> dict[str, set[str]]:
    """Return the anchors of each page: by its file, and by the address that its entries give."""
    anchors: dict[str, set[str]] = defaultdict(set)
    for entry in entries:
        titles = (entry.question, entry.source.title or "", str(entry.metadata.get("section", "")))
        known = {entry.source.anchor or "", *map(_slug, titles)}
        for page in (entry.source.file, urldefrag(entry.source.url or "").url):
            anchors[page] |= known
    anchors.pop("", None)
    return anchors


def _page(entry: Entry, link: str) -> str:
    """Return the page that `link` leads to: a file of the corpus, that of `entry` itself, or an address."""
    address = urldefrag(link).url
    if not address:
        return entry.source.file
    if urlsplit(address).scheme or address.startswith("/"):
        return address
    folder = posixpath.dirname(entry.source.file)
    return posixpath.normpath(posixpath.join(folder, unquote(urlsplit(address).path)))


def _slug(title: str) -> str:
    """Return the anchor that a heading gets where its page is shown."""
    return re.sub(r"[^\w\- ]", "", unicodedata.normalize("NFC", title).lower()).strip().replace(" ", "-")
