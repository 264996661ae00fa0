"""A page's bytes → text: its byte order mark, else UTF-8, else the encoding that it declares, else a plain guess."""

from __future__ import annotations

import codecs
from contextlib import suppress

from bs4.dammit import EncodingDetector

from retriever.readers.decoding import decode
from retriever.readers.drafts import Flaw

# What browsers take these names for; Python's codecs of the same name are stricter or older.
_BROWSERS = {
    "ascii": "cp1252",
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "tis-620": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "ks_c_5601-1987": "cp949",
    "big5": "big5hkscs",
}
# Seven bits and shifts between them: such a page is valid UTF-8 too, and nonsense as that.
_SHIFTED = {"iso2022_jp"}
_MARKS = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def decode_page(data: bytes) -> tuple[str, str | None]:
    """Return the text, every line end a newline, and a note where the page declares another encoding than it has."""
    declared = _declared(data)
    if data.startswith(_MARKS) or declared is None:
        return decode(data)
    if declared not in _SHIFTED and (text := _strict(data, "utf-8")) is not None:
        wrong = declared != "utf-8" and not data.isascii()
        return _lines(text), f"declares {declared}, and is UTF-8: read as UTF-8" if wrong else None
    if declared != "utf-8" and (text := _strict(data, declared)) is not None:
        return _lines(text), None
    text, note = decode(data)
    return text, f"declares {declared}, and is not: {note}" if note else None


def _declared(data: bytes) -> str | None:
    """Return the codec of the encoding named in `<meta>` or an XML declaration; None for none, or for one unknown."""
    name = EncodingDetector.find_declared_encoding(data, is_html=True)
    with suppress(LookupError, ValueError):
        codec = codecs.lookup(name or "").name
        codec = _BROWSERS.get(codec, codec)
        # UTF-16 would not have let its own declaration be read; a codec such as rot13 makes no text of bytes.
        return "utf-8" if codec.startswith("utf") else codec if codecs.lookup(codec)._is_text_encoding else None
    return None


def _strict(data: bytes, encoding: str) -> str | None:
    try:
        return data.decode(encoding)
    except ValueError:
        return None


def _lines(text: str) -> str:
    if "\0" in text:
        raise Flaw("has NUL characters: not a page, or a damaged one", text.count("\n", 0, text.index("\0")) + 1)
    return text.replace("\r\n", "\n").replace("\r", "\n")
