"""Corpus paths → entries and the ledger: find the files, have each read by its suffix, merge, and account for all."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePath

from retriever.errors import CorpusError
from retriever.readers.children import CHILDREN
from retriever.readers.drafts import Flaw, title_of
from retriever.readers.files import Found, find_files, read_bytes
from retriever.readers.jobs import SUFFIXES, Job, Parsed
from retriever.readers.kept import Kept, keep, key_of, recall
from retriever.readers.merging import Fate, unite
from retriever.types import Corpus, FileReport, Refusal

Progress = Callable[[int, int, str], None]
"""Called before each file is read: files done, files in all, the file's name."""

# A second child pays for its start once there is as much to read.
_BYTES_A_CHILD = 500_000
_MAX_CHILDREN = 4


def read_corpus(
    paths: Sequence[Path],
    *,
    lang: str = "en",
    max_answer_chars: int = 100_000,
    kept: Kept | None = None,
    progress: Progress | None = None,
) -> Corpus:
    """Read every file under `paths`; raises CorpusError only for a path that is not there.

    `lang` is the language of entries that name none. What cannot be taken is in the ledger, with file, line and reason.
    A file that is in `kept` as it is now is not read again; what is read is put there, what is of no use is removed.
    """
    found = find_files(paths)
    kept = {} if kept is None else kept
    files: list[Parsed] = []
    waiting: deque[_Reading] = deque()
    used: set[bytes] = set()
    children = _children_for(found)
    with ThreadPoolExecutor(children, thread_name_prefix="read") as pool:
        for number, file in enumerate(found):
            if progress:
                progress(number, len(found), file.name)
            waiting.append(_begin(file, lang, max_answer_chars, kept, pool))
            used.add(waiting[-1].key)
            if len(waiting) > children:
                files.append(waiting.popleft().end(kept))
        files += [reading.end(kept) for reading in waiting]
    for key in set(kept) - used:
        del kept[key]
    entries, fates = unite([entry for file in files for entry in file.entries])
    remaining = iter(fates)
    return Corpus(
        entries, tuple(_report(file.name, parsed, remaining) for file, parsed in zip(found, files, strict=True))
    )


def expect_changes(paths: Sequence[Path], since: float) -> None:
    """Make ready to read files, if one of those under `paths` was written after `since`, seconds since the epoch."""
    with suppress(CorpusError):  # whoever reads them is told
        if any(file.path.stat().st_mtime >= since for file in find_files(paths) if not file.refused):
            CHILDREN.expect()


def _children_for(found: Sequence[Found]) -> int:
    """Return how many children to read with: as many as pay, at most one a core."""
    size = sum(file.size for file in found)
    return min(1 + size // _BYTES_A_CHILD, len(found) or 1, os.cpu_count() or 1, _MAX_CHILDREN)


@dataclass(frozen=True, slots=True)
class _Reading:
    """A file on its way: known already, or with a child, to be kept by `key`."""

    parsed: Parsed | Future[Parsed]
    key: bytes = b""

    def end(self, kept: Kept) -> Parsed:
        if isinstance(self.parsed, Parsed):
            return self.parsed
        parsed = self.parsed.result()
        keep(kept, self.key, parsed)
        return parsed


def _begin(found: Found, lang: str, max_answer_chars: int, kept: Kept, pool: Executor) -> _Reading:
    suffix = found.path.suffix.lower()
    if found.passed_over:
        return _Reading(Parsed(notes=[found.passed_over]))
    if found.refused:
        return _Reading(_refused(found, found.refused))
    if suffix not in SUFFIXES:
        what = f"not a format that is read ({_suffix(found)})"
        named = _refused(found, f"{what}: {', '.join(SUFFIXES)} are")
        return _Reading(named if found.named else Parsed(notes=[what]))
    try:
        data = read_bytes(found.path)
    except Flaw as flaw:
        return _Reading(_refused(found, flaw.reason))
    except OSError as error:
        return _Reading(_refused(found, f"cannot be read: {error.strerror or error}"))
    job = Job(found.name, suffix, title_of(found.path.stem), lang, max_answer_chars)
    key = key_of(job, data)
    return _Reading(recall(kept, key) or pool.submit(CHILDREN.parse, job, data), key)


def _refused(found: Found, reason: str) -> Parsed:
    return Parsed(refused=[Refusal(found.name, None, reason)])


def _report(name: str, file: Parsed, fates: Iterator[Fate]) -> FileReport:
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
        file=name,
        seen=count["kept"] + count["merged"] + len(refused),
        indexed=count["kept"],
        merged=count["merged"],
        pages=pages,
        refused=tuple(sorted(refused, key=lambda refusal: refusal.line or 0)),
        notes=tuple(file.notes),
    )


def _suffix(found: Found) -> str:
    return PurePath(found.name).suffix or "no suffix"
