"""Stretches of a page → the HTML of an answer: formatting, links, lists, tables, code; nothing that is clicked on."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from html import escape
from urllib.parse import urljoin, urlsplit

from bs4 import Tag

from retriever.readers.html.tree import BLOCKS, HEADINGS, Page, Span, attribute, listed

_KEPT = listed(
    "p ul ol li dl dt dd pre table caption thead tbody tfoot tr td th blockquote figure figcaption"
    " a abbr b cite code del dfn em i ins kbd q s samp small strong sub sup u var"
) | frozenset(HEADINGS)
_ALONE = frozenset({"br", "hr"})
_CLICKED = listed("button input select textarea option optgroup video audio")
_SPANS = ("colspan", "rowspan")
_MAX_HREF = 2_000


def write(page: Page, spans: Sequence[Span], base: str | None, *, without: Collection[int] = (), skip: int = 0) -> str:
    """Return the stretches as HTML, less the nodes in `without` and the first `skip` characters, which are a mark."""
    writer = _Writer(page, base, frozenset(without), skip)
    for span in spans:
        writer.parts.append("<div>" if len(spans) > 1 else "")
        writer.run(span)
        writer.parts.append("</div>" if len(spans) > 1 else "")
    return "".join(writer.parts)


class _Writer:
    def __init__(self, page: Page, base: str | None, without: frozenset[int], skip: int) -> None:
        self.page = page
        self.base = base
        self.without = without
        self.skip = skip
        self.parts: list[str] = []

    def run(self, span: Span) -> None:
        """Write the nodes that begin inside the stretch; what began before it is not opened again."""
        closing: list[tuple[int, str]] = []
        number, hidden = span.start, _hidden_above(self.page, span)
        while number < span.end:
            while closing and closing[-1][0] <= number:
                self.parts.append(closing.pop()[1])
            node = self.page.nodes[number]
            if (
                self.page.gone[number]
                or number in self.without
                or (isinstance(node, Tag) and self._left(number, hidden))
            ):
                number = max(self.page.end[number], number + 1)
                continue
            if isinstance(node, Tag):
                opened, closed = self._open(node)
                self.parts.append(opened)
                closing.append((self.page.end[number], closed))
            else:
                self.parts.append(escape(self._text(str(node)), quote=False))
            number += 1
        self.parts.extend(closed for _, closed in reversed(closing))

    def _left(self, number: int, hidden: int) -> bool:
        """Return whether a tag stays out: what is clicked on, and what is hidden behind the answer that is shown."""
        tag = self.page.tag(number)
        return tag.name in _CLICKED or (number > hidden and is_hidden(tag))

    def _text(self, text: str) -> str:
        if not self.skip:
            return text
        text = text.lstrip()
        taken = min(self.skip, len(text))
        self.skip -= taken
        return text[taken:].lstrip() if not self.skip else text[taken:]

    def _open(self, tag: Tag) -> tuple[str, str]:
        name = tag.name
        if name in _ALONE:
            return f"<{name}>", ""
        if name in {"img", "iframe"}:
            return _image(tag) if name == "img" else self._frame(tag), ""
        if name == "a":
            return self._link(tag)
        if name == "summary":
            return "<p><b>", "</b></p>"
        if name in _KEPT:
            spans = [(key, attribute(tag, key)) for key in _SPANS]
            shown = "".join(f' {key}="{count}"' for key, count in spans if count.isdecimal() and len(count) < 4)
            return f"<{name}{shown}>", f"</{name}>"
        return ("<div>", "</div>") if name in BLOCKS or "-" in name else ("", "")

    def _link(self, tag: Tag) -> tuple[str, str]:
        href = resolve(attribute(tag, "href"), self.base) or _mail(tag)
        return (f'<a href="{escape(href)}">', "</a>") if href else ("", "")

    def _frame(self, tag: Tag) -> str:
        """Return a link to what a frame shows, such as a film."""
        source, title = resolve(attribute(tag, "src"), self.base), attribute(tag, "title")
        return f'<p><a href="{escape(source)}">{escape(title, quote=False)}</a></p>' if source and title else ""


def is_hidden(tag: Tag) -> bool:
    """Return whether a tag is hidden until something is clicked."""
    return tag.has_attr("hidden") or "display:none" in attribute(tag, "style").replace(" ", "").lower()


def _hidden_above(page: Page, span: Span) -> int:
    """Return the last node at the head of a stretch that may be hidden, as a folded panel is; no text is before it."""
    number, last = span.start, span.start
    while number < span.end and not page.size(Span(span.start, number)):
        last = number
        number += 1
    return last


def resolve(href: str, base: str | None) -> str | None:
    """Return an address as seen from outside its page; None for one that leads nowhere from there."""
    href = "".join(href.split())
    if not href or len(href) > _MAX_HREF:
        return None
    try:
        whole = urljoin(base, href) if base else href
        scheme = urlsplit(whole).scheme
    except ValueError:  # a bracket that is no IPv6 address
        return None
    if scheme not in {"http", "https", "mailto", ""} or whole.startswith("#"):
        return None
    return whole


def _image(tag: Tag) -> str:
    alt = attribute(tag, "alt")
    return f'<img alt="{escape(alt)}">' if alt else ""


def _mail(tag: Tag) -> str | None:
    """Return the address that Cloudflare hides from robots: two digits a character, after the key to them."""
    code = attribute(tag, "data-cfemail") or attribute(tag, "href").rpartition("/cdn-cgi/l/email-protection#")[2]
    try:
        mask, *rest = bytes.fromhex(code)
        return "mailto:" + bytes(byte ^ mask for byte in rest).decode() if rest else None
    except ValueError:
        return None
