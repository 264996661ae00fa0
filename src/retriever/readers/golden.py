"""golden.jsonl → labelled questions, an object a line: `{"question": ..., "ids": [...]}`; no ids is no answer."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from retriever.readers.decoding import decode
from retriever.readers.drafts import Flaw, fold, one_line
from retriever.readers.files import RESERVED, find_files, read_bytes
from retriever.readers.records import check_text
from retriever.types import Entry, Golden, Labelled, Refusal

MAX_QUESTION_CHARS = 1_000  # as long as a question asked may be
_FIELDS = ("question", "ids")
_QUESTION = "\n"  # before a question, so that none is taken for an id: no id holds a line end


def read_golden(paths: Sequence[Path]) -> Golden:
    """Read every golden.jsonl under `paths`; what cannot be taken is in `refused`, with file, line and field.

    Raises CorpusError only for a path that is not there.
    """
    questions: list[Labelled] = []
    refused: list[Refusal] = []
    digest = hashlib.sha256()
    for found in find_files(paths):
        if found.path.name == RESERVED and not found.refused:
            try:
                data = read_bytes(found.path)
                digest.update(data)
                _read(decode(data)[0], found.name, questions, refused)
            except Flaw as flaw:
                refused.append(Refusal(found.name, flaw.line, flaw.reason))
            except OSError as error:
                refused.append(Refusal(found.name, None, f"cannot be read: {error.strerror or error}"))
    return Golden(tuple(questions), tuple(refused), digest.hexdigest() if questions or refused else "")


def names_of(entries: Iterable[Entry]) -> Mapping[str, frozenset[str]]:
    """Return the ids of the entries by each name that golden.jsonl may give them: the id, and the question, folded."""
    names: dict[str, frozenset[str]] = {}
    for entry in entries:
        if entry.kind == "faq":
            asked = _QUESTION + fold(entry.question)
            names[asked] = names.get(asked, frozenset()) | {entry.id}
            names[entry.id] = frozenset({entry.id})
    return names


def named(text: str, names: Mapping[str, frozenset[str]]) -> frozenset[str]:
    """Return the ids that `text`, an id or a question, names among `names_of` entries; none where it is unknown."""
    return names.get(text) or names.get(_QUESTION + fold(text)) or frozenset()


def findings(golden: Golden, names: Mapping[str, frozenset[str]]) -> tuple[Refusal, ...]:
    """Return what is wrong with `golden`: what was refused, and each id that names no entry, by line."""
    unknown = [
        Refusal(labelled.file, labelled.line, f"ids[{at}]: no entry has the id or the question “{text[:80]}”")
        for labelled in golden.questions
        for at, text in enumerate(labelled.ids)
        if not named(text, names)
    ]
    return tuple(sorted((*golden.refused, *unknown), key=lambda finding: (finding.file, finding.line or 0)))


def _read(text: str, name: str, questions: list[Labelled], refused: list[Refusal]) -> None:
    asked = {fold(labelled.question): labelled for labelled in questions}
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            labelled = _labelled(line, name, number)
            twin = asked.setdefault(fold(labelled.question), labelled)
            if twin is not labelled:
                raise Flaw(f"question: is asked in {twin.file}, line {twin.line}, already")
            questions.append(labelled)
        except Flaw as flaw:
            refused.append(Refusal(name, number, flaw.reason))


def _labelled(line: str, name: str, number: int) -> Labelled:
    record = _object(line)
    for field in record:
        if field not in _FIELDS:
            raise Flaw(f"`{field[:50]}` is not a field: only question and ids are")
    question, ids = record.get("question"), record.get("ids")
    if not isinstance(question, str) or not one_line(question):
        raise Flaw("question: should be a text that is not empty")
    if len(question) > MAX_QUESTION_CHARS:
        raise Flaw(f"question: has {len(question):,} characters, at most {MAX_QUESTION_CHARS:,} are taken")
    if not isinstance(ids, list):
        raise Flaw("ids: should be a list of ids or questions of entries; [] where nothing answers")
    for at, text in enumerate(ids):
        if not isinstance(text, str) or not text.strip():
            raise Flaw(f"ids[{at}]: should be the id or the question of an entry, as a text")
        check_text(text, f"ids[{at}]")
    return Labelled(check_text(one_line(question), "question"), tuple(ids), name, number)


def _object(line: str) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except json.JSONDecodeError as error:
        raise Flaw(f"not JSON: {error.msg} at column {error.colno}") from error
    except (RecursionError, ValueError) as error:
        raise Flaw("not JSON that can be read") from error
    if not isinstance(record, dict):
        raise Flaw('should be an object: {"question": ..., "ids": [...]}')
    return record
