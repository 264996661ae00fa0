"""Entries → files that other programs read, and that a later build reads back to the same entries."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count
from typing import Any

from retriever.errors import InputError
from retriever.readers.drafts import Markup
from retriever.readers.jobs import Job
from retriever.readers.markup import MAX_MARKDOWN_CHARS, MAX_MARKS, count_marks, paragraphs
from retriever.readers.parsing import parse
from retriever.readers.tables import listed
from retriever.types import Entry, Paragraph

SUFFIX: Mapping[str, str] = {"jsonl": ".jsonl", "csv": ".csv", "jsonld": ".jsonld", "markdown": ".md"}
_COLUMNS = (
    *("_id", "question", "answer", "answer_format", "alternates", "tags", "lang", "url", "anchor", "title"),
    *("owner", "reviewed", "valid_from", "valid_until", "pin_for", "kind", "metadata"),
)
# schema.org's name for each field that it has one for.
_SCHEMA = {
    "_id": "identifier",
    "question": "name",
    "alternates": "alternateName",
    "tags": "keywords",
    "lang": "inLanguage",
    "url": "url",
    "valid_until": "expires",
}
_CONTEXT = ["https://schema.org", {"retriever": {"@id": "https://schema.org/additionalProperty", "@type": "@json"}}]
_MARKS = re.compile(r"([\\`*_\[\]<>~|]|&(?=[#\w])|^(?:[-+#=]|\d+[.)](?=\s)))")
_BLANK_LINES = re.compile(r"\n(?=[ \t]*\n)")


def render(entries: Sequence[Entry], form: str) -> list[str]:
    """Return the files that hold `entries`: one, or for Markdown as many as a build reads.

    Raises InputError for a form that is not one of SUFFIX.
    """
    match form:
        case "jsonl":
            return ["".join(_json(_record(entry)) + "\n" for entry in entries)]
        case "csv":
            return [_csv(entries)]
        case "jsonld":
            return [_jsonld(entries)]
        case "markdown":
            return list(_pages(map(_markdown, entries)))
        case _:
            raise InputError("format", f"`{form[:50]}` should be one of {', '.join(SUFFIX)}")


def lost(entries: Sequence[Entry], files: Iterable[str], form: str) -> list[str]:
    """Return the ids of the entries that a build would not read back from `files` as they are."""
    found = {entry.id: entry for file in files for entry in _read(file, form)}
    return [entry.id for entry in entries if found.get(entry.id) != _bare(entry)]


def _read(file: str, form: str) -> list[Entry]:
    job = Job("", SUFFIX[form], "", "en", 1_000_000)
    return [_bare(entry) for entry in parse(job, file.encode()).entries]


def _bare(entry: Entry) -> Entry:
    """Return the entry without its place, which an export cannot keep."""
    return replace(entry, source=replace(entry.source, file="", line=None))


def _record(entry: Entry, *, html: bool = False) -> dict[str, Any]:
    """Return the entry as the fields that docs/formats.md names; those that it does not have are left out."""
    answer, markup = _answer(entry.answer, html)
    days = {name: getattr(entry, name) for name in ("reviewed", "valid_from", "valid_until")}
    fields = {
        "_id": entry.id,
        "question": entry.question,
        "answer": answer,
        "answer_format": None if markup == "auto" else markup,
        "alternates": list(entry.alternates),
        "tags": list(entry.tags),
        "lang": entry.lang,
        "url": entry.source.url,
        "anchor": entry.source.anchor,
        "title": entry.source.title,
        "owner": entry.owner,
        **{name: day and day.isoformat() for name, day in days.items()},
        "pin_for": list(entry.pin_for),
        "kind": "page" if entry.kind == "page" else None,
        "metadata": dict(entry.metadata),
    }
    return {name: value for name, value in fields.items() if value not in (None, [], {})}


def _answer(answer: tuple[Paragraph, ...], html: bool) -> tuple[str, Markup]:
    """Return an answer as written, and how: the plainest form that is read as the same paragraphs."""
    text, marked = "\n\n".join(p.text for p in answer), "\n".join(p.html for p in answer)
    forms: list[tuple[str, Markup]] = [(text, "auto"), (text, "text"), (marked, "auto"), (marked, "html")]
    forms = forms[2:] + forms[:2] if html else forms
    return next((form for form in forms if paragraphs(*form) == answer), (marked, "html"))


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _csv(entries: Sequence[Entry]) -> str:
    out = io.StringIO()
    table = csv.DictWriter(out, _COLUMNS, lineterminator="\n")
    table.writeheader()
    for entry in entries:
        record = _record(entry)
        cells = {"tags": ";".join(entry.tags), "metadata": _json(record["metadata"]) if entry.metadata else ""}
        cells |= {name: _cell(getattr(entry, name)) for name in ("alternates", "pin_for")}
        table.writerow(record | cells)
    return out.getvalue()


def _cell(texts: Sequence[str]) -> str:
    """Return texts as one cell: parted by `|`, or as JSON where that would not part them again."""
    joined = "|".join(texts)
    return joined if not texts or listed(joined) == list(texts) else _json(list(texts))


def _jsonld(entries: Sequence[Entry]) -> str:
    page = {
        "@context": _CONTEXT,
        "@type": "FAQPage",
        "mainEntity": [_schema(entry) for entry in entries if entry.kind == "faq"],
        "hasPart": [_schema(entry) for entry in entries if entry.kind == "page"],
    }
    return json.dumps({name: value for name, value in page.items() if value}, ensure_ascii=False, indent=1) + "\n"


def _schema(entry: Entry) -> dict[str, Any]:
    record = _record(entry, html=True)
    answer, kind = record.pop("answer"), record.pop("kind", "faq")
    known = {name: record.pop(field) for field, name in _SCHEMA.items() if field in record}
    if kind == "page":
        known = {"@type": "WebPageElement", **known, "text": answer}
    else:
        known = {"@type": "Question", **known, "acceptedAnswer": {"@type": "Answer", "text": answer}}
    return known | ({"retriever": record} if record else {})


def _markdown(entry: Entry) -> str:
    """Return the entry as a section. What a reader of Markdown would not find is in a comment below the heading."""
    record = _record(entry)
    beside = {name: value for name, value in record.items() if name not in {"question", "answer", "answer_format"}}
    plain = _section(entry, beside)
    if _read("# -\n\n" + plain, "markdown") == [_bare(entry)]:
        return plain
    beside |= {name: record[name] for name in ("question", "answer", "answer_format") if name in record}
    return _section(entry, {"answer_format": "auto", **beside})


def _section(entry: Entry, beside: Mapping[str, Any]) -> str:
    comment = _json(beside).replace("<", "\\u003c").replace(">", "\\u003e")
    blocks = "" if "answer" in beside else "\n\n".join(_block(p) for p in entry.answer) + "\n\n"
    return f"## {_MARKS.sub(_escaped, entry.question)}\n\n<!-- retriever: {comment} -->\n\n{blocks}"


def _escaped(mark: re.Match[str]) -> str:
    return f"{mark[0][:-1]}\\{mark[0][-1]}"


def _block(paragraph: Paragraph) -> str:
    """Return a paragraph as Markdown where it is plain text on one line, else as HTML, which Markdown lets through."""
    text = _MARKS.sub(_escaped, paragraph.text)
    if "\n" not in text and paragraphs(text, "markdown") == (paragraph,):
        return text
    return _BLANK_LINES.sub("&#10;", paragraph.html)


def _pages(sections: Iterable[str]) -> Iterator[str]:
    """Join sections into files within the bounds of what is read of one."""
    title, held, marks = "# Frequently asked questions\n\n", "", 0
    files = count(2)
    for section in sections:
        marks += count_marks(section)
        if held and (marks > MAX_MARKS or len(held) + len(section) + len(title) > MAX_MARKDOWN_CHARS):
            yield title + held
            title, held, marks = f"# Frequently asked questions, {next(files)}\n\n", "", count_marks(section)
        held += section
    yield title + held
