"""Documents of Word's → HTML → drafts."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from dataclasses import replace

import mammoth

from retriever.readers.archive import BROKEN
from retriever.readers.drafts import Draft, Flaw, Item
from retriever.readers.html import read_html

_DOCUMENT = "word/document.xml"
# Its XML takes about a thousand bytes of memory for each hundred on paper; what is larger would not fit.
_MAX_XML = 40_000_000


def read_docx(data: bytes, title: str) -> Iterator[Item]:
    """Read a document as the page that it would be: headings, bold lines, lists and tables. It has no lines."""
    _check(data)
    html = _html(data)
    if not html.strip():
        raise Flaw("empty file: the document holds no text")
    for item in read_html(html, title):
        yield replace(item, line=None) if isinstance(item, Draft) else item


def _html(data: bytes) -> str:
    # Pictures would come as megabytes of text, which the answer may not hold.
    pictures = mammoth.images.img_element(lambda _: {})
    options = {"convert_image": pictures, "include_embedded_style_map": False, "external_file_access": False}
    try:
        return str(mammoth.convert_to_html(io.BytesIO(data), **options).value)
    except RecursionError as error:
        raise Flaw("is nested too deep to be read") from error
    except MemoryError:
        raise
    except Exception as error:  # of XML that is none of Word's, mammoth raises whatever it trips over
        raise Flaw(f"is not a document as Word writes them ({type(error).__name__}): save it again") from error


def _check(data: bytes) -> None:
    """Refuse what is no document, and what an XML parser should not be given."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as parts:
            if _DOCUMENT not in parts.namelist():
                raise Flaw("is not a Word document: save it as .docx")
            for part in parts.infolist():
                if part.filename.endswith((".xml", ".rels")):
                    with parts.open(part) as file:
                        text = file.read(_MAX_XML + 1)
                    if len(text) > _MAX_XML:
                        raise Flaw(f"holds over {_MAX_XML // 1_000_000} MB of XML: split it")
                    if b"<!DOCTYPE" in text or b"<!ENTITY" in text:
                        raise Flaw("declares entities, which no document needs: save it again")
    except BROKEN as error:
        raise Flaw("is damaged, or protected by a password: save it again as .docx, without one") from error
