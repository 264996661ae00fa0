"""PDF → lines with their size → HTML → drafts: headings are larger than the text, questions ask."""

from __future__ import annotations

import ctypes
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from html import escape
from statistics import median

import pypdfium2
import pypdfium2.raw as pdfium

from retriever.readers.drafts import Draft, Flaw, Item, Note, clean
from retriever.readers.html import read_html

MAX_PAGES = 2_000
_LARGER = 1.12  # a heading's size over the text's
_BOLD = 600  # of 1000
_GAP = 1.6  # heights of a line from one line to the next: more than this parts paragraphs
_LONGEST_HEADING = 300
_NUMBER = re.compile(r"(?:page|seite|p\.)?\s*\d{1,4}(?:\s*(?:/|of|von)\s*\d{1,4})?", re.IGNORECASE)
_ANCHOR = re.compile(r"page-(\d+)-\d+")
_HYPHEN = re.compile(r"(?<=[^\W\d_])[-\u00ad\x02]$")
_ASKS = re.compile(r"[?？؟]\W*$")


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of a page: its text, the height of its letters, and where it stands, counted from the page's foot."""

    page: int
    text: str
    size: float
    bold: bool
    foot: float


def read_pdf(data: bytes, title: str) -> Iterator[Item]:
    """Read the text of a PDF; the page of each entry is its anchor, as browsers open it: `page=3`."""
    lines = list(_lines(data))
    if not lines:
        raise Flaw("holds no text: it is a scan, or pictures of text")
    kept = _without_margins(lines)
    if len(kept) < len(lines):
        yield Note(f"page numbers and repeating heads or feet of pages: {len(lines) - len(kept)} lines not kept")
    for item in read_html(_html(kept), title):
        yield _placed(item) if isinstance(item, Draft) else item


def _placed(draft: Draft) -> Draft:
    """Return the draft with its page where it had a place in our HTML."""
    place = _ANCHOR.fullmatch(draft.anchor or "")
    if not place:
        return replace(draft, line=None, anchor=None)
    page = int(place[1])
    return replace(draft, line=None, anchor=f"page={page}", metadata={**draft.metadata, "page": page})


def _lines(data: bytes) -> Iterator[_Line]:
    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        locked = "assword" in str(error)
        raise Flaw("is protected by a password" if locked else "is not a whole PDF: save it again") from error
    if len(document) > MAX_PAGES:
        raise Flaw(f"has {len(document):,} pages, at most {MAX_PAGES:,} are read: split it")
    for number in range(len(document)):
        try:
            page = document[number]
            text = page.get_textpage()
        except pypdfium2.PdfiumError as error:
            raise Flaw(f"page {number + 1} is damaged: save it again") from error
        yield from _of_page(number + 1, text)
        text.close()
        page.close()


def _of_page(page: int, text: pypdfium2.PdfTextPage) -> Iterator[_Line]:
    letters: list[int] = []
    for index in range(text.count_chars()):
        if chr(pdfium.FPDFText_GetUnicode(text, index)) in "\r\n":
            yield from _line(page, text, letters)
            letters = []
        else:
            letters.append(index)
    yield from _line(page, text, letters)


def _line(page: int, text: pypdfium2.PdfTextPage, letters: Sequence[int]) -> Iterator[_Line]:
    written = "".join(chr(pdfium.FPDFText_GetUnicode(text, index)) for index in letters)
    hyphen = written.rstrip()[-1:] in {"\x02", "\ufffe"}  # how PDFium marks one at the end of a line
    shown = clean(written.encode("utf-8", "ignore").decode().rstrip("\x02\ufffe"))
    solid = [index for index, char in zip(letters, written, strict=True) if not char.isspace()]
    if not shown or not solid:
        return
    size = median(pdfium.FPDFText_GetFontSize(text, index) * _scale(text, index) for index in solid)
    weight = median(pdfium.FPDFText_GetFontWeight(text, index) for index in solid)
    yield _Line(
        page,
        shown + "-" * hyphen,
        round(size, 1),
        weight >= _BOLD or _named_bold(text, solid[0]),
        _foot(text, solid[0]),
    )


def _scale(text: pypdfium2.PdfTextPage, index: int) -> float:
    """Return by how much the page draws this letter larger than its font's size."""
    matrix = pdfium.FS_MATRIX()
    if not pdfium.FPDFText_GetMatrix(text, index, ctypes.byref(matrix)):
        return 1.0
    return float(abs(matrix.d) or abs(matrix.b)) or 1.0


def _named_bold(text: pypdfium2.PdfTextPage, index: int) -> bool:
    name = ctypes.create_string_buffer(128)
    flags = ctypes.c_int()
    pdfium.FPDFText_GetFontInfo(text, index, name, 128, ctypes.byref(flags))
    return b"bold" in name.value.lower()


def _foot(text: pypdfium2.PdfTextPage, index: int) -> float:
    x, y = ctypes.c_double(), ctypes.c_double()
    pdfium.FPDFText_GetCharOrigin(text, index, ctypes.byref(x), ctypes.byref(y))
    return float(y.value)


def _without_margins(lines: list[_Line]) -> list[_Line]:
    """Leave out page numbers, and what stands first or last on three pages and more."""
    by_page: dict[int, list[_Line]] = {}
    for line in lines:
        by_page.setdefault(line.page, []).append(line)
    edges = Counter(text for page in by_page.values() for text in {page[0].text, page[-1].text})
    gone = set()
    for page in by_page.values():
        for line in {page[0], page[-1]}:
            if edges[line.text] > 2 or (len(by_page) > 1 and _NUMBER.fullmatch(line.text)):
                gone.add(line)
    return [line for line in lines if line not in gone]


def _html(lines: Sequence[_Line]) -> str:
    """Return the lines as a page: headings by size, a paragraph that asks as the deepest heading."""
    letters = Counter[float]()
    for line in lines:
        letters[line.size] += len(line.text)
    body = letters.most_common(1)[0][0]
    sizes = sorted({line.size for line in lines if line.size > body * _LARGER}, reverse=True)
    levels = {size: min(level, 4) for level, size in enumerate(sizes, 1)}
    blocks = []
    for number, block in enumerate(_blocks(lines, body)):
        text = _joined(block)
        level = levels.get(block[0].size) or (5 if _ASKS.search(text) or block[0].bold else 0)
        tag = f"h{level}" if level and len(text) <= _LONGEST_HEADING else "p"
        blocks.append(f'<{tag} id="page-{block[0].page}-{number}">{escape(text)}</{tag}>')
    return "\n".join(["<body>", *blocks, "</body>"])


def _blocks(lines: Sequence[_Line], body: float) -> Iterator[list[_Line]]:
    """Yield the lines of each heading and paragraph."""
    block: list[_Line] = []
    for line in lines:
        if block and _parted(block, line, body):
            yield block
            block = []
        block.append(line)
    if block:
        yield block


def _parted(block: Sequence[_Line], line: _Line, body: float) -> bool:
    last = block[-1]
    if (last.size > body * _LARGER or line.size > body * _LARGER) and last.size != line.size:
        return True
    if last.bold != line.bold:
        return True
    if last.page != line.page:
        return bool(re.search(r"[.!?:…]\W*$", last.text))
    question = _ASKS.search(last.text) and len(_joined(block)) <= _LONGEST_HEADING
    return bool(question) or not 0 <= last.foot - line.foot <= _GAP * max(last.size, line.size, 1)


def _joined(block: Iterable[_Line]) -> str:
    """Return the lines as one text, words that were parted at a line's end whole."""
    text = ""
    for line in block:
        if text and _HYPHEN.search(text) and line.text[:1].islower():
            text = text[:-1] + line.text
        else:
            text = f"{text} {line.text}".lstrip()
    return text
