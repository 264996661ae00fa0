"""Tables that Azure's QnA Maker and custom question answering export → drafts."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from retriever.readers.drafts import Draft, Flaw, Item, Refused, fold
from retriever.readers.records import draft_of, key_of

_ONLY_THERE = {"suggestedquestions", "iscontextonly", "prompts", "qnaid"}
_NOTHING = {"", "[]", "{}", "false"}


def is_qna_maker(names: Sequence[str]) -> bool:
    """Return whether a table's header is that of such an export."""
    keys = {key_of(name) for name in names}
    return {"question", "answer"} <= keys and len(keys & _ONLY_THERE) > 0


def merge_qna(rows: Sequence[tuple[int, Mapping[str, str] | str]]) -> Iterator[Item]:
    """Yield an entry for each QnaId: its first question, and those of its other rows as alternates.

    Rows are their line and cells by name, or what is wrong with them. A row that has no id is an entry of its own.
    """
    drafts: dict[object, Draft] = {}
    for line, cells in rows:
        if isinstance(cells, str):
            yield Refused(line, cells)
            continue
        record = {key_of(name): cell.strip() for name, cell in cells.items()}
        try:
            draft = _draft(record, line)
        except Flaw as flaw:
            yield Refused(line, flaw.reason)
            continue
        key = (record["qnaid"], fold(draft.answer)) if record.get("qnaid") and draft.question else line
        first = drafts.setdefault(key, draft)
        if first is not draft:
            drafts[key] = replace(first, alternates=(*first.alternates, draft.question))
    yield from drafts.values()


def _draft(record: Mapping[str, str], line: int) -> Draft:
    source = record.get("source", "")
    fields: dict[str, Any] = {
        "question": record.get("question", ""),
        # In its tables a line end is written as these two characters.
        "answer": record.get("answer", "").replace("\\n", "\n"),
        "answer_format": "markdown",
        "metadata": _metadata(record.get("metadata", "")),
    }
    fields["url" if source.startswith(("http://", "https://")) and " " not in source else "source"] = source
    named = {"question", "answer", "metadata", "source"}
    rest = {name: cell for name, cell in record.items() if name not in named and cell.lower() not in _NOTHING}
    fields |= {name: _value(cell) for name, cell in rest.items()}
    return draft_of({name: value for name, value in fields.items() if value}, line)


def _metadata(cell: str) -> dict[str, Any]:
    """Return `key:value|key:value` as a mapping; a key that comes twice has a list."""
    metadata: dict[str, Any] = {}
    for pair in filter(None, (part.strip() for part in cell.split("|"))):
        key, _, value = pair.partition(":")
        metadata.setdefault(key.strip(), []).append(value.strip())
    return {key: values if len(values) > 1 else values[0] for key, values in metadata.items()}


def _value(cell: str) -> Any:
    """Return what a cell holds: prompts and suggestions are JSON."""
    if not cell.startswith(("[", "{")):
        return cell
    try:
        return json.loads(cell)
    except (ValueError, RecursionError):
        return cell
