"""Corpus paths → entries and the ledger: find the files, read each by its suffix, check, merge, and account for all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from retriever.readers.decoding import decode
from retriever.readers.drafts import Draft, Flaw, Note, Reader, Refused, fold, one_line
from retriever.readers.files import Found, find_files, read_bytes
from retriever.readers.jsons import read_json, read_json_lines
from retriever.readers.markdown import read_markdown
from retriever.readers.markup import paragraphs
from retriever.readers.merging import Fate, unite
from retriever.readers.tables import read_csv, read_tsv
from retriever.readers.text import read_text
from retriever.types import Corpus, Entry, FileReport, Paragraph, Refusal, Source

FORMATS: dict[str, Reader] = {
    ".csv": read_csv,
    ".json": read_json,
    ".jsonl": read_json_lines,
    ".markdown": read_markdown,
    ".md": read_markdown,
    ".ndjson": read_json_lines,
    ".tsv": read_tsv,
    ".txt": read_text,
}
MAX_QUESTION_CHARS = 1_000  # as long as a question asked may be

Progress = Callable[[int, int, str], None]
"""Called before each file is read: files done, files in all, the file's name."""


@dataclass(slots=True)
class _File:
    """One file as it was read: its entries without final ids, and its part of the ledger."""

    name: str
    entries: list[Entry] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def refuse(self, line: int | None, reason: str) -> None:
        self.refused.append(Refusal(self.name, line, reason))


def read_corpus(
    paths: Sequence[Path], *, lang: str = "en", max_answer_chars: int = 100_000, progress: Progress | None = None
) -> Corpus:
    """Read every file under `paths`; raises CorpusError only for a path that is not there.

    `lang` is the language of entries that name none. What cannot be taken is in the ledger, with file, line and reason.
    """
    found = find_files(paths)
    files: list[_File] = []
    for number, file in enumerate(found):
        if progress:
            progress(number, len(found), file.name)
        files.append(_read(file, lang, max_answer_chars))
    entries, fates = unite([entry for file in files for entry in file.entries])
    remaining = iter(fates)
    return Corpus(entries, tuple(_report(file, remaining) for file in files))


def _read(found: Found, lang: str, max_answer_chars: int) -> _File:
    file = _File(found.name)
    reader = FORMATS.get(found.path.suffix.lower())
    if found.passed_over:
        file.notes.append(found.passed_over)
    elif found.refused:
        file.refuse(None, found.refused)
    elif reader:
        _fill(file, found, reader, lang, max_answer_chars)
    elif found.named:
        file.refuse(None, f"not a format that is read ({_suffix(found)}): {', '.join(FORMATS)} are")
    else:
        file.notes.append(f"not a format that is read ({_suffix(found)})")
    return file


def _fill(file: _File, found: Found, reader: Reader, lang: str, max_answer_chars: int) -> None:
    """Read one file. Whatever goes wrong in it ends here: it costs the rest of this file and no other."""
    try:
        text, note = decode(read_bytes(found.path))
        if note:
            file.notes.append(note)
        if not text.strip():
            raise Flaw("empty file")
        for item in reader(text, _title(found.path)):
            if isinstance(item, Note):
                file.notes.append(item.text)
            elif isinstance(item, Refused):
                file.refuse(item.line, item.reason)
            else:
                _take(file, item, lang, max_answer_chars)
        if not file.entries and not file.refused:
            raise Flaw("no question found")
    except Flaw as flaw:
        file.refuse(flaw.line, flaw.reason)
    except OSError as error:
        file.refuse(None, f"cannot be read: {error.strerror or error}")
    except Exception as error:  # a broken file never stops the good ones
        what = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        file.refuse(None, f"this reader failed on it, and the rest of the file is not read ({what})")


def _take(file: _File, draft: Draft, lang: str, max_answer_chars: int) -> None:
    try:
        file.entries.append(_entry(file.name, draft, lang, max_answer_chars))
    except Flaw as flaw:
        file.refuse(draft.line, flaw.reason)


def _entry(name: str, draft: Draft, lang: str, max_answer_chars: int) -> Entry:
    question, answer = _checked(draft, max_answer_chars)
    alternates = {fold(text): text for text in reversed(draft.alternates) if text}
    alternates.pop(fold(question), None)
    if any(len(text) > MAX_QUESTION_CHARS for text in alternates.values()):
        raise Flaw(f"alternates: one is longer than {MAX_QUESTION_CHARS:,} characters")
    return Entry(
        id=draft.id or "",
        question=question,
        answer=answer,
        source=Source(file=name, line=draft.line, url=draft.url, anchor=draft.anchor, title=draft.title),
        alternates=tuple(reversed(alternates.values())),
        tags=tuple(dict.fromkeys(tag for tag in draft.tags if tag)),
        lang=draft.lang or lang,
        metadata=draft.metadata,
        kind=draft.kind,
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
    return question, answer


def _report(file: _File, fates: Iterator[Fate]) -> FileReport:
    """Return the file's line in the ledger; takes as many fates as the file has entries."""
    refused, count = list(file.refused), {"kept": 0, "merged": 0}
    pages = 0
    for entry, fate in zip(file.entries, fates, strict=False):
        if isinstance(fate, Refusal):
            refused.append(fate)
        elif entry.kind == "page":
            pages += fate == "kept"
        else:
            count[fate] += 1
    return FileReport(
        file=file.name,
        seen=count["kept"] + count["merged"] + len(refused),
        indexed=count["kept"],
        merged=count["merged"],
        pages=pages,
        refused=tuple(sorted(refused, key=lambda refusal: refusal.line or 0)),
        notes=tuple(file.notes),
    )


def _suffix(found: Found) -> str:
    return PurePath(found.name).suffix or "no suffix"


def _title(path: Path) -> str:
    """Return the file's name as a title: `shipping-and-returns.md` is “Shipping and returns”."""
    words = " ".join(path.stem.replace("_", " ").replace("-", " ").split())
    printable = one_line(words.encode("utf-8", "replace").decode())
    return printable[:1].upper() + printable[1:] or "Page"
