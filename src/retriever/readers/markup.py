"""An answer as written (plain text, Markdown or HTML) → paragraphs of plain text and sanitised HTML.

Both come from one walk over the sanitised HTML, so that their characters, white space aside, are the same.
"""

from __future__ import annotations

import re
from html import escape
from html.parser import HTMLParser

from markdown_it import MarkdownIt

from retriever.readers.drafts import Flaw, Markup, clean
from retriever.readers.safe import ALLOWED, BLOCKS, CONTAINERS, FRAMES, LINES, sanitised
from retriever.types import Paragraph

# html5ever takes quadratic time for elements nested n deep: 10,000 are 0.3 s, 60,000 would be 7 s.
MAX_TAGS = 10_000
# markdown-it-py 4.3 takes linear time, but up to 40 µs for one of these marks, against 1 µs for another character.
MAX_MARKDOWN_CHARS = 1_000_000
MAX_MARKS = 50_000
_MARKS = re.compile(r"[\[\]!*_~`<&\\|]")
# Deeper Markdown is dropped by markdown-it without a word (20 levels by default).
MAX_NESTING = 100

# Tags that go while the text inside them stays.
_DISSOLVED = {
    "acronym",
    "address",
    "big",
    "body",
    "center",
    "col",
    "colgroup",
    "dir",
    "fieldset",
    "font",
    "form",
    "html",
}
_DISSOLVED |= {"label", "legend", "mark", "nav", "span", "strike", "tt", "wbr"}
_DROPPED = ("script", "style", "iframe", "template", "svg", "math", "object", "noscript", "head", "title")

_NAMES = "|".join(
    sorted({case for name in ALLOWED | _DISSOLVED for case in (name, name.upper())}, key=len, reverse=True)
)
_ATTRIBUTES = r"""(?:[^<>"']|"[^"<]*"|'[^'<]*')*"""
# A `<` that opens no whole tag of HTML is text: `List<String>`, `<your-name>`, `a <b`. It must not be lost.
_NO_TAG = re.compile(rf"<(?!/?(?:{_NAMES})(?=[\s/>]){_ATTRIBUTES}>)")
_CUTS = [("<!--", "-->"), *((rf"<{name}(?=[\s/>])", rf"</{name}\s*>") for name in _DROPPED)]
_CUT = [(re.compile(start, re.IGNORECASE), re.compile(end, re.IGNORECASE)) for start, end in _CUTS]
# Plain text may speak of tags: only a closing tag, or one that needs none, makes it HTML.
_FORMATTED = re.compile(
    r"</(?:p|ul|ol|li|b|strong|i|em|u|code|pre|div|span|h[1-6]|table|tr|td|th|blockquote|a)\s*>|<(?:br|hr)\s*/?>"
    r"|<(?:p|li)>|<img\s[^<>]*>",
    re.IGNORECASE,
)
_URL = re.compile(r"""https?://[^\s<>"'`]{1,2000}""")
_BLOCK = re.compile(rf"<(?:{'|'.join(sorted(BLOCKS | {'div', 'li', 'td'}))})[ >]")
_SPACES = re.compile(r"[ \t\n\r\f]+")

MARKDOWN = MarkdownIt("commonmark", {"maxNesting": MAX_NESTING}).enable(["table", "strikethrough"])


def paragraphs(answer: str, markup: Markup) -> tuple[Paragraph, ...]:
    """Return the answer's top-level blocks, in order; those without text are left out."""
    answer = clean(answer)
    if markup == "auto":
        markup = "html" if _FORMATTED.search(answer) else "text"
    if markup == "text":
        return tuple(_plain(block) for block in re.split(r"\n(?:[ \t]*\n)+", answer) if block.strip())
    if markup == "markdown":
        check_marks(answer)
        answer = MARKDOWN.render(answer)
    return _from_html(answer)


def check_marks(source: str) -> None:
    """Refuse Markdown that would take seconds to parse."""
    if len(source) > MAX_MARKDOWN_CHARS:
        raise Flaw(f"Markdown of {len(source):,} characters, at most {MAX_MARKDOWN_CHARS:,} are read: split it")
    if count_marks(source) > MAX_MARKS:
        raise Flaw(f"Markdown with over {MAX_MARKS:,} marks such as [ * _ ` and |: split it")


def count_marks(source: str) -> int:
    """Return how many characters of Markdown take long to parse."""
    return len(_MARKS.findall(source))


def to_text(html: str) -> str:
    """Return the text of a piece of HTML on one line, as a question is written."""
    return " ".join(" ".join(paragraph.text for paragraph in _from_html(html)).split())


def _plain(block: str) -> Paragraph:
    text = block.strip()
    return Paragraph(text, "<p>" + _link(text).replace("\n", "<br>") + "</p>")


def _from_html(html: str) -> tuple[Paragraph, ...]:
    if html.count("<") > MAX_TAGS:
        raise Flaw(f"the answer has more than {MAX_TAGS:,} tags: make it shorter, or write it as plain text")
    safe = sanitised(_keep_text(html))
    walk = _Walk()
    walk.feed(safe)
    walk.close()
    walk.end_paragraph()
    return tuple(walk.paragraphs)


def _keep_text(html: str) -> str:
    """Cut what holds no text (comments, scripts), and escape each `<` that a parser of HTML would swallow text for."""
    for start, end in _CUT:
        html = _cut(html, start, end)
    return _NO_TAG.sub("&lt;", html)


def _cut(html: str, start: re.Pattern[str], end: re.Pattern[str]) -> str:
    """Remove each span from `start` to `end`, in linear time; a start without an end stays, to be escaped."""
    kept, place = [], 0
    # The end may overlap the start's last characters, as in `<!-->`.
    while (first := start.search(html, place)) and (last := end.search(html, first.start() + 2)):
        kept.append(html[place : first.start()])
        place = last.end()
    return "".join([*kept, html[place:]])


def _link(text: str) -> str:
    """Return `text` escaped, with its bare addresses as links."""
    parts, place = [], 0
    for match in _URL.finditer(text):
        url = match[0].rstrip(".,;:!?*_")
        while url.endswith((")", "]", "}")) and url.count(url[-1]) > url.count({")": "(", "]": "[", "}": "{"}[url[-1]]):
            url = url[:-1].rstrip(".,;:!?*_")
        parts.append(escape(text[place : match.start()], quote=False))
        parts.append(f'<a href="{escape(url)}" rel="nofollow noopener">{escape(url, quote=False)}</a>')
        place = match.start() + len(url)
    return "".join([*parts, escape(text[place:], quote=False)])


class _Walk(HTMLParser):
    """One pass over sanitised HTML: cut into top-level blocks, each as HTML and as the text that it shows."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.paragraphs: list[Paragraph] = []
        self._html: list[str] = []
        self._text: list[str] = []
        self._open: list[str] = []
        self._verbatim = 0
        self._breaks = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if not self._open and tag in CONTAINERS | BLOCKS | {"hr"}:
            self.end_paragraph()
        if tag == "img":
            self.handle_data(dict(attrs).get("alt") or "")
        elif tag == "br":
            self._break()
        elif tag != "hr" and not (tag in CONTAINERS and not self._open):
            self._separate(tag)
            self._open.append(tag)
            self._verbatim += tag == "pre"
            shown = "".join(f' {name}="{escape(value or "")}"' for name, value in attrs)
            self._html.append(f"<{tag}{shown}>")

    def handle_endtag(self, tag: str) -> None:
        if tag in self._open:
            while (closed := self._open.pop()) != tag:
                self._html.append(f"</{closed}>")
            self._html.append(f"</{tag}>")
            self._verbatim -= tag == "pre"
            self._separate(tag, ending=True)
        if not self._open and tag in CONTAINERS | BLOCKS:
            self.end_paragraph()

    def handle_data(self, data: str) -> None:
        if data.strip():
            self._breaks = 0
        linkable = not {"a", "code", "pre", "kbd", "samp"}.intersection(self._open)
        self._html.append(_link(data) if linkable else escape(data, quote=False))
        if self._verbatim:
            self._text.append(data)
            return
        if not data.strip() and self._open and self._open[-1] in FRAMES:
            return
        data = _SPACES.sub(" ", data)
        at_start = not self._text or self._text[-1].endswith(("\n", "\t", " "))
        if data := data.lstrip(" ") if at_start else data:
            self._text.append(data)

    def end_paragraph(self) -> None:
        """Close the block that is open; inline text outside any element becomes a paragraph of its own."""
        html, text = "".join(self._html).strip(), "".join(self._text).strip()
        if text:
            text = "\n".join(line.rstrip() for line in text.split("\n"))
            self.paragraphs.append(Paragraph(text, html if _BLOCK.match(html) else _wrapped(html)))
        self._html.clear()
        self._text.clear()
        self._breaks = 0

    def _break(self) -> None:
        self._breaks += 1
        if self._breaks > 1 and not self._open:
            self.end_paragraph()
        else:
            self._html.append("<br>")
            self._text.append("\n")

    def _separate(self, tag: str, *, ending: bool = False) -> None:
        """Put white space into the text where the page shows a new line or cell."""
        last = self._text[-1] if self._text else "\n"
        if tag in LINES and not last.endswith("\n"):
            self._text.append("\n")
        elif tag in {"td", "th"} and not ending and not last.endswith(("\n", "\t")):
            self._text.append("\t")


def _wrapped(html: str) -> str:
    """Return inline HTML as a block; a block inside an inline element (`<b><p>`) may not stand in a <p>."""
    tag = "div" if _BLOCK.search(html) else "p"
    while html.startswith("<br>"):
        html = html[4:].lstrip()
    while html.endswith("<br>"):
        html = html[:-4].rstrip()
    return f"<{tag}>{html}</{tag}>"
