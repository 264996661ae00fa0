"""CSV and TSV, with or without a header → drafts."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from retriever.readers.drafts import Flaw, Item, Note, Refused
from retriever.readers.products import KENDRA
from retriever.readers.qnamaker import is_qna_maker, merge_qna
from retriever.readers.records import NAMES, draft_of, key_of

DELIMITERS = ",;\t"
# A quote that is never closed would swallow the rest of the file; no answer in quotes has this many lines.
MAX_RECORD_LINES = 1_000
_SAMPLE_LINES = 50
# The longest answer that is taken may be written with four times as much markup.
csv.field_size_limit(400_000)


@dataclass(frozen=True, slots=True)
class Row:
    """One record of a table: its first line, the lines it takes, and its cells, or why it has none."""

    line: int
    height: int
    cells: tuple[str, ...] = ()
    flaw: str | None = None


def read_csv(text: str, _title: str) -> Iterator[Item]:
    """Read a table with commas, semicolons or tabs between its cells, whichever fits."""
    lines = _lines(text)
    return _read(lines, _delimiter(lines[:_SAMPLE_LINES]))


def read_tsv(text: str, _title: str) -> Iterator[Item]:
    """Read a table with tabs between its cells."""
    return _read(_lines(text), "\t")


def _lines(text: str) -> list[str]:
    return [line + "\n" for line in text.split("\n")]


def _read(lines: list[str], delimiter: str) -> Iterator[Item]:
    first = next((row for row in _rows(lines, delimiter) if row.flaw is None), None)
    if first is None or not any(len(row.cells) > 1 for row in _rows(lines[:_SAMPLE_LINES], delimiter)):
        raise Flaw("no two columns found: a question and an answer are needed, with a comma, semicolon or tab between")
    width = None if names_of(first) else _width(_rows(lines[:_SAMPLE_LINES], delimiter))
    yield from read_rows(_rows(lines, delimiter, width or len(first.cells)), first)


def read_rows(rows: Iterable[Row], first: Row | None = None) -> Iterator[Item]:
    """Read a table's rows, the first that is whole of which may be its header."""
    rows = list(rows)
    first = first or next(row for row in rows if row.flaw is None)
    names = names_of(first)
    if names:
        rows = [row for row in rows if row.line != first.line]
    else:
        yield Note("no header: the first column is read as the question, the second as the answer")
        names = _unnamed(rows)
    if is_qna_maker(names):
        yield Note("read as an export of QnA Maker: Markdown answers, several questions of one QnaId as alternates")
        yield from merge_qna([(row.line, row.flaw or dict(zip(names, row.cells, strict=False))) for row in rows])
        return
    for row in rows:
        yield _item(row, names)


def _unnamed(rows: Sequence[Row]) -> tuple[str, ...]:
    """Return names for columns without a header; a third column that holds addresses is the entry's."""
    width = max((len(row.cells) for row in rows), default=2)
    names = ["question", "answer", *(f"column_{number}" for number in range(3, width + 1))]
    third = [row.cells[2].strip() for row in rows if len(row.cells) > 2 and row.cells[2].strip()]
    if third and all(cell.startswith(("http://", "https://")) for cell in third):
        names[2] = "url"
    return tuple(names)


def _item(row: Row, names: Sequence[str]) -> Item:
    if row.flaw:
        return Refused(row.line, row.flaw)
    record: dict[str, object] = {name: cell for name, cell in zip(names, row.cells, strict=False) if cell.strip()}
    for name, cell in record.items():
        key = key_of(name)
        if key in NAMES["alternates"] or key in NAMES["pin_for"]:
            record[name] = listed(str(cell))
        elif key == "metadata":
            record[name] = _json(str(cell), dict)
    try:
        return draft_of(record, row.line)
    except Flaw as flaw:
        return Refused(row.line, flaw.reason)


def listed(cell: str) -> list[Any]:
    """Return the texts in a cell: a list as JSON writes it, or texts parted by `|` or line ends."""
    value = _json(cell, list)
    return value if isinstance(value, list) else cell.replace("|", "\n").split("\n")


def _json(cell: str, kind: type) -> object:
    """Return what a cell holds as JSON, if it is of that kind; else the cell as it stands."""
    if not cell.lstrip().startswith(("[", "{")):
        return cell
    try:
        value = json.loads(cell)
    except (ValueError, RecursionError):
        return cell
    return value if isinstance(value, kind) else cell


def _rows(lines: list[str], delimiter: str, width: int | None = None) -> Iterator[Row]:
    """Yield the records that are not blank; one that is broken costs its first line, and reading goes on below it."""
    place = 0
    while place < len(lines):
        row = _row(lines, place, delimiter)
        extra = 0 if width is None or row.flaw else sum(1 for cell in row.cells[width:] if cell.strip())
        if extra and row.height > 1:
            row = Row(row.line, 1, flaw="a quote is opened and not closed where its cell ends")
        elif extra:
            reason = (
                f"{len(row.cells)} cells where the table has {width}: put quotes around a cell that holds `{delimiter}`"
            )
            row = Row(row.line, 1, flaw=reason)
        place += row.height
        if row.flaw or any(cell.strip() for cell in row.cells):
            yield row


def _row(lines: list[str], place: int, delimiter: str) -> Row:
    span = (lines[number] for number in range(place, min(place + MAX_RECORD_LINES, len(lines))))
    reader = csv.reader(span, delimiter=delimiter, strict=True)
    try:
        cells = next(reader, [])
    except csv.Error as error:
        return Row(place + 1, 1, flaw=_reason(str(error)))
    return Row(place + 1, max(reader.line_num, 1), tuple(cells))


def _reason(error: str) -> str:
    if "field limit" in error:
        return f"a cell of more than {csv.field_size_limit():,} characters, or a quote that is never closed"
    if "unexpected end" in error:
        return "a quote is opened and never closed"
    return 'a quote inside a cell in quotes: write it twice (""), or close the cell\'s quote where the cell ends'


def names_of(row: Row) -> tuple[str, ...] | None:
    """Return the names of the columns, if the first row names the question's or the answer's."""
    row = replace(row, cells=tuple(KENDRA.get(cell.strip(), cell) for cell in row.cells))
    keys = [key_of(cell) for cell in row.cells]
    question, answer = (set(keys).intersection(NAMES[field]) for field in ("question", "answer"))
    # `A` alone may be an answer; `Q` and `A` side by side are a header.
    if not (question and answer) and all(len(key) == 1 for key in question | answer):
        return None
    if not (question and answer):
        missing = "question" if answer else "answer"
        raise Flaw(f"the header names no {missing} column: call it one of {', '.join(NAMES[missing])}", row.line)
    names = [cell.strip() or f"column_{number}" for number, cell in enumerate(row.cells, 1)]
    return tuple(f"{name}_{place + 1}" if name in names[:place] else name for place, name in enumerate(names))


def _width(rows: Iterator[Row]) -> int:
    widths = Counter(len(row.cells) for row in rows if len(row.cells) > 1)
    return widths.most_common(1)[0][0]


def _delimiter(sample: list[str]) -> str:
    """Return the delimiter that names a header's columns, else the one that cuts most rows into as many cells."""

    def fits(delimiter: str) -> tuple[bool, int]:
        rows = [row for row in _rows(sample, delimiter) if row.flaw is None]
        keys = {key_of(cell) for cell in rows[0].cells} if rows else set()
        named = bool(keys.intersection(NAMES["question"]) and keys.intersection(NAMES["answer"]))
        widths = Counter(len(row.cells) for row in rows if len(row.cells) > 1)
        return named, widths.most_common(1)[0][1] if widths else 0

    return max(DELIMITERS, key=fits)
