"""One file's bytes → its entries without final ids, and its part of the ledger. Runs in a child: see `children`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import PurePosixPath

from retriever.readers.archive import members_of
from retriever.readers.decoding import decode
from retriever.readers.drafts import Draft, Flaw, Item, Note, Reader, Refused, fold, one_line, title_of
from retriever.readers.jobs import PAGES, SHEETS, SUFFIXES, Job, Parsed
from retriever.readers.jsons import read_json, read_json_lines
from retriever.readers.markdown import read_markdown
from retriever.readers.markup import paragraphs
from retriever.readers.tables import read_csv, read_tsv
from retriever.readers.text import read_text
from retriever.readers.yamls import read_yaml
from retriever.types import Entry, Paragraph, Refusal, Source


def read_page(text: str, title: str) -> Iterator[Item]:
    """Read a page; lxml and Beautiful Soup are loaded for the first one only."""
    from retriever.readers.html import read_html

    return read_html(text, title)


def read_book(data: bytes, title: str) -> Iterator[Item]:
    """Read a spreadsheet; its library too waits for the first one."""
    from retriever.readers.sheets import read_sheets

    return read_sheets(data, title)


def read_document(data: bytes, title: str) -> Iterator[Item]:
    """Read a document of Word's."""
    from retriever.readers.docx import read_docx

    return read_docx(data, title)


def read_manual(text: str, title: str) -> Iterator[Item]:
    """Read reStructuredText."""
    from retriever.readers.rst import read_rst

    return read_rst(text, title)


def read_print(data: bytes, title: str) -> Iterator[Item]:
    """Read a PDF."""
    from retriever.readers.pdf import read_pdf

    return read_pdf(data, title)


FORMATS: dict[str, Reader] = {
    ".csv": read_csv,
    ".htm": read_page,
    ".html": read_page,
    ".json": read_json,
    ".jsonl": read_json_lines,
    ".jsonld": read_json,
    ".markdown": read_markdown,
    ".md": read_markdown,
    ".ndjson": read_json_lines,
    ".rst": read_manual,
    ".tsv": read_tsv,
    ".txt": read_text,
    ".xhtml": read_page,
    ".yaml": read_yaml,
    ".yml": read_yaml,
}
BINARY: dict[str, Callable[[bytes, str], Iterator[Item]]] = {
    **dict.fromkeys(SHEETS, read_book),
    ".docx": read_document,
    ".pdf": read_print,
}
MAX_QUESTION_CHARS = 1_000  # as long as a question asked may be


def parse(job: Job, data: bytes) -> Parsed:
    """Read one file. Whatever goes wrong in it ends here: it costs the rest of this file and no other."""
    parsed = Parsed()
    try:
        if job.suffix == ".zip":
            _unpack(parsed, job, data)
            return parsed
        for item in _items(job, data):
            _sort(parsed, job, item)
        if not parsed.entries and not parsed.refused:
            raise Flaw("no question found")
    except Flaw as flaw:
        parsed.refused.append(Refusal(job.name, flaw.line, flaw.reason))
    except MemoryError:
        raise
    except Exception as error:  # a broken file never stops the good ones
        what = " ".join(f"{type(error).__name__}: {error}".split())[:200].encode("utf-8", "replace").decode()
        reason = f"this reader failed on it, and the rest of the file is not read ({what})"
        parsed.refused.append(Refusal(job.name, None, reason))
    return parsed


def _unpack(parsed: Parsed, job: Job, data: bytes) -> None:
    """Read the files of an archive as if they lay in a folder of its name."""
    for member in members_of(data):
        path = PurePosixPath(member.name)
        name, suffix = f"{job.name}/{member.name}", path.suffix.lower()
        if member.refused:
            parsed.refused.append(Refusal(name, None, member.refused))
        elif suffix not in SUFFIXES:
            parsed.notes.append(f"{member.name}: not a format that is read ({suffix or 'no suffix'})")
        else:
            found = parse(replace(job, name=name, suffix=suffix, title=title_of(path.stem)), member.data)
            parsed.entries += found.entries
            parsed.refused += found.refused
            parsed.notes += [f"{member.name}: {note}" for note in found.notes]
    if not parsed.entries and not parsed.refused:
        raise Flaw("no file in it is of a format that is read")


def _items(job: Job, data: bytes) -> Iterator[Item]:
    if job.suffix in BINARY:
        yield from BINARY[job.suffix](data, job.title)
        return
    text, note = _decode(job, data)
    if note:
        yield Note(note)
    if not text.strip():
        raise Flaw("empty file")
    yield from FORMATS[job.suffix](text, job.title)


def _decode(job: Job, data: bytes) -> tuple[str, str | None]:
    if job.suffix not in PAGES:
        return decode(data)
    from retriever.readers.html import decode_page

    return decode_page(data)


def _sort(parsed: Parsed, job: Job, item: Item) -> None:
    if isinstance(item, Note):
        parsed.notes.append(item.text)
    elif isinstance(item, Refused):
        parsed.refused.append(Refusal(job.name, item.line, item.reason))
    else:
        try:
            parsed.entries.append(_entry(job, item))
        except Flaw as flaw:
            parsed.refused.append(Refusal(job.name, item.line, flaw.reason))


def _entry(job: Job, draft: Draft) -> Entry:
    question, answer = _checked(draft, job.max_answer_chars)
    alternates = {fold(text): text for text in reversed(draft.alternates) if text}
    alternates.pop(fold(question), None)
    if any(len(text) > MAX_QUESTION_CHARS for text in alternates.values()):
        raise Flaw(f"alternates: one is longer than {MAX_QUESTION_CHARS:,} characters")
    return Entry(
        id=draft.id or "",
        question=question,
        answer=answer,
        source=Source(file=job.name, line=draft.line, url=draft.url, anchor=draft.anchor, title=draft.title),
        alternates=tuple(reversed(alternates.values())),
        tags=tuple(dict.fromkeys(tag for tag in draft.tags if tag)),
        lang=draft.lang or job.lang,
        metadata=draft.metadata,
        kind=draft.kind,
        owner=draft.owner,
        reviewed=draft.reviewed,
        valid_from=draft.valid_from,
        valid_until=draft.valid_until,
        pin_for=tuple(dict.fromkeys(draft.pin_for)),
    )


def _checked(draft: Draft, max_answer_chars: int) -> tuple[str, tuple[Paragraph, ...]]:
    """Return the question and the answer's paragraphs, or say what is missing or too long."""
    question = one_line(draft.question)
    if not question:
        raise Flaw("an answer without a question" if draft.answer.strip() else "no question and no answer")
    if len(question) > MAX_QUESTION_CHARS:
        raise Flaw(f"the question has {len(question):,} characters, at most {MAX_QUESTION_CHARS:,} are taken")
    # Markup may take up to four times the text's room; what is longer is not worth parsing.
    answer = () if len(draft.answer) > 4 * max_answer_chars else paragraphs(draft.answer, draft.markup)
    length = sum(len(paragraph.text) for paragraph in answer) or len(draft.answer)
    if length > max_answer_chars:
        raise Flaw(f"the answer has {length:,} characters, at most {max_answer_chars:,} are taken: split it")
    if not answer:
        raise Flaw(f"a question without an answer: “{question[:80]}”")
    if draft.valid_from and draft.valid_until and draft.valid_from > draft.valid_until:
        raise Flaw(f"valid_until: {draft.valid_until} is before valid_from, {draft.valid_from}")
    return question, answer
