"""HTML that a page may show as it is: which tags and attributes are let through. nh3 lives here."""

from __future__ import annotations

import re
from html import escape, unescape

BLOCKS = {"p", "ul", "ol", "dl", "pre", "table", "blockquote", "h1", "h2", "h3", "h4", "h5", "h6"}
LINES = BLOCKS | {"li", "dt", "dd", "tr", "caption", "thead", "tbody", "tfoot", "div", "summary"}
CONTAINERS = {
    "div",
    "section",
    "article",
    "main",
    "header",
    "footer",
    "aside",
    "details",
    "summary",
    "figure",
    "figcaption",
}
FRAMES = {"table", "thead", "tbody", "tfoot", "tr", "ul", "ol", "dl"}
INLINE = {"a", "abbr", "b", "br", "cite", "code", "del", "dfn", "em", "i", "ins", "kbd", "q", "s", "samp"}
INLINE |= {"small", "strong", "sub", "sup", "u", "var"}
ALLOWED = LINES | CONTAINERS | INLINE | {"td", "th", "hr", "img"}

# An answer of 10,000 tags, which is the most that is read, comes to fewer; to clean many more takes minutes.
_MOST_TAGS = 40_000
_PLAIN = re.compile(r"<p>[^<>]*</p>")


def sanitised(html: str) -> str:
    """Return `html` with nothing left that acts: tags, attributes and addresses that are known to be harmless."""
    import nh3  # not for a build that reads nothing anew

    return nh3.clean(
        html,
        tags=ALLOWED,
        attributes={"a": {"href"}, "img": {"alt"}, "td": {"colspan", "rowspan"}, "th": {"colspan", "rowspan"}},
        url_schemes={"http", "https", "mailto"},
        link_rel="nofollow noopener",
    )


def checked(html: str) -> str:
    """Return HTML that is said to be sanitised as it is, where it is; else what is left of it once it has been."""
    if _PLAIN.fullmatch(html):
        return html
    if html.count("<") > _MOST_TAGS:
        return escape(html)
    safe = sanitised(html)
    # The same quotation mark may be written in several ways.
    return html if unescape(safe) == unescape(html) else safe
