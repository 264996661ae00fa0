"""Spreadsheets (Excel's and LibreOffice's) → drafts: each sheet is a table."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import date, datetime

from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook, PasswordError

from retriever.readers.drafts import Flaw, Item, Note
from retriever.readers.tables import Row, names_of, read_rows

# Above its header a sheet may have a title and an empty row or two.
_HEADER_WITHIN = 10


def read_sheets(data: bytes, _title: str) -> Iterator[Item]:
    """Read every sheet whose header names a question and an answer; where none does, the first with two columns."""
    tables = {name: rows for name, rows in _sheets(data) if rows}
    headed = {name: place for name, rows in tables.items() if (place := _header(rows)) is not None}
    if not tables:
        raise Flaw("empty file: no sheet holds a cell")
    if not headed:
        name = next((name for name, rows in tables.items() if any(len(row.cells) > 1 for row in rows)), None)
        if name is None:
            raise Flaw("no two columns found in any sheet: a question and an answer are needed")
        headed[name] = 0
    for name, rows in tables.items():
        if name in headed:
            yield from read_rows(rows[headed[name] :])
        else:
            yield Note(f"the sheet `{name[:50]}` has no header with a question and an answer: not read")


def _sheets(data: bytes) -> Iterator[tuple[str, list[Row]]]:
    try:
        book = CalamineWorkbook.from_filelike(io.BytesIO(data))
        for name in book.sheet_names:
            yield name, _rows(book.get_sheet_by_name(name))
    except PasswordError as error:
        raise Flaw("is protected by a password: save it without one") from error
    except (CalamineError, ValueError, OSError) as error:
        raise Flaw(f"is not a whole spreadsheet ({' '.join(str(error).split())[:150]}): save it again") from error


def _rows(sheet: CalamineSheet) -> list[Row]:
    first = (sheet.start or (0, 0))[0]
    rows = (Row(line, 1, tuple(map(_text, cells))) for line, cells in enumerate(sheet.iter_rows(), first + 1))
    return [row for row in rows if any(cell.strip() for cell in row.cells)]


def _header(rows: list[Row]) -> int | None:
    """Return the row that names a question and an answer."""
    for place, row in enumerate(rows[:_HEADER_WITHIN]):
        try:
            if names_of(row):
                return place
        except Flaw:  # one of the two alone
            continue
    return None


def _text(cell: object) -> str:
    """Return a cell as it shows: no `.0` behind a whole number, days as ISO writes them."""
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1e15:
        return str(int(cell))
    if isinstance(cell, datetime):
        return cell.isoformat(sep=" ", timespec="seconds")
    return cell.isoformat() if isinstance(cell, date) else str(cell)
