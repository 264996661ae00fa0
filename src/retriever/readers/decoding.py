"""Bytes → text: the byte order mark, else UTF-8, else Windows-1252 where that is plainly what it is."""

from __future__ import annotations

import codecs
import re

from retriever.readers.drafts import Flaw

# UTF-32 first: its little-endian mark begins with UTF-16's.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_CONTROL_BYTES = re.compile(rb"[\x01-\x08\x0b\x0e-\x1f\x7f]")
_WHOLE_SEQUENCES = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
_HIGH_BYTES = re.compile(rb"[\x80-\xff]")
_SAVE = "save it as UTF-8"


def decode(data: bytes) -> tuple[str, str | None]:
    """Return the text, every line end a newline, and a note where the encoding was guessed."""
    text, note = _decode(data)
    if "\0" in text:
        raise Flaw(
            "has NUL characters: not a text file, or a damaged one",
            text.replace("\r\n", "\n").count("\n", 0, text.index("\0")) + 1,
        )
    return text.replace("\r\n", "\n").replace("\r", "\n"), note


def _decode(data: bytes) -> tuple[str, str | None]:
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return _strict(data[len(mark) :], encoding), None
    try:
        return data.decode("utf-8"), None
    except UnicodeDecodeError as error:
        return _windows(data, error), "not UTF-8: read as Windows-1252"


def _strict(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise Flaw(
            f"begins with the mark of {encoding.upper()} but is not valid in it ({error.reason}): {_SAVE}"
        ) from error


def _windows(data: bytes, error: UnicodeDecodeError) -> str:
    """Decode what is not UTF-8; refuse what is binary, UTF-16 without its mark, or UTF-8 with a few bad bytes."""
    line = data.count(b"\n", 0, error.start) + 1
    if b"\0" in data or len(_CONTROL_BYTES.findall(data)) * 1000 > len(data):
        raise Flaw(f"is binary, or text in an encoding that is not known: {_SAVE}")
    high = len(_HIGH_BYTES.findall(data))
    if sum(map(len, _WHOLE_SEQUENCES.findall(data))) * 2 > high:
        raise Flaw(f"is UTF-8 with a damaged byte in line {line}: mend that line, or {_SAVE}", line)
    try:
        return data.decode("cp1252")
    except UnicodeDecodeError as unknown:
        raise Flaw(f"is neither UTF-8 nor Windows-1252: {_SAVE}") from unknown
