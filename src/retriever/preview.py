"""What a build would change, entry by entry. Nothing is encoded and nothing published."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from retriever.cache import READINGS, Borrowed
from retriever.errors import SnapshotError
from retriever.readers import findings, names_of, read_corpus, read_golden
from retriever.snapshot import current_id, read_entries
from retriever.types import Entry, EntryKind, FileReport, Refusal, Source

# What an entry is made of, less its line: an edit above it moves that.
_FIELDS = [field.name for field in fields(Entry) if field.name not in {"id", "source"}]
_PLACE = [field.name for field in fields(Source) if field.name != "line"]


@dataclass(frozen=True, slots=True)
class Change:
    """An entry that would be added, changed or removed: `fields` are what changed.

    `was` is the id that it had, where another wording of its question gave it a new one.
    """

    id: str
    question: str
    kind: EntryKind
    file: str
    line: int | None
    fields: tuple[str, ...] = ()
    was: str | None = None


@dataclass(frozen=True, slots=True)
class Preview:
    """What a build would do to what is served: `snapshot`, None where nothing is.

    `moved` entries stand in other lines only. `findings` are lines of golden.jsonl to mend, of `labelled` questions.
    """

    snapshot: str | None
    added: tuple[Change, ...]
    changed: tuple[Change, ...]
    removed: tuple[Change, ...]
    moved: int
    unchanged: int
    refused: tuple[Refusal, ...]
    labelled: int
    findings: tuple[Refusal, ...]
    ledger: tuple[FileReport, ...]

    @property
    def sound(self) -> bool:
        """Whether nothing is refused and every labelled question can be judged."""
        return not self.refused and not self.findings


def preview(paths: Sequence[Path], index: Path, *, lang: str) -> Preview:
    """Return what a build of the corpus at `paths` would change in `index`. Raises CorpusError as `build` does."""
    with Borrowed(index / READINGS) as kept:  # what the last build read is read as quickly
        corpus, golden = read_corpus(paths, lang=lang, kept=kept), read_golden(paths)
    try:
        old = {entry.id: entry for entry in read_entries(index)}
        snapshot: str | None = current_id(index)
    except SnapshotError:  # nothing there that can be served: a build would make all of it anew
        old, snapshot = {}, None
    new = {entry.id: entry for entry in corpus.entries}
    reworded = _reworded(old, new)
    pairs = {entry_id: old[entry_id] for entry_id in new.keys() & old.keys()}
    pairs |= {entry_id: old[was] for entry_id, was in reworded.items()}
    differing = {entry_id: _differing(was, new[entry_id]) for entry_id, was in pairs.items()}
    same = [entry_id for entry_id in pairs if not differing[entry_id]]
    moved = sum(pairs[entry_id].source.line != new[entry_id].source.line for entry_id in same)
    return Preview(
        snapshot=snapshot,
        added=_listed(_change(new[entry_id]) for entry_id in new.keys() - pairs.keys()),
        changed=_listed(
            _change(new[entry_id], names, reworded.get(entry_id)) for entry_id, names in differing.items() if names
        ),
        removed=_listed(_change(old[entry_id]) for entry_id in old.keys() - new.keys() - set(reworded.values())),
        moved=moved,
        unchanged=len(same) - moved,
        refused=tuple(refusal for row in corpus.ledger for refusal in row.refused),
        labelled=len(golden.questions),
        findings=findings(golden, names_of(corpus.entries)),
        ledger=corpus.ledger,
    )


def _reworded(old: Mapping[str, Entry], new: Mapping[str, Entry]) -> dict[str, str]:
    """Return, by its new id, the old id of each entry that only another wording of its question took from it.

    It has the file and the answer of one that is gone, and is the only one of these.
    """
    gone, come = defaultdict(list), defaultdict(list)
    for entry in old.values():
        if entry.id not in new:
            gone[entry.kind, entry.source.file, entry.answer].append(entry.id)
    for entry in new.values():
        if entry.id not in old:
            come[entry.kind, entry.source.file, entry.answer].append(entry.id)
    return {come[key][0]: ids[0] for key, ids in gone.items() if len(ids) == 1 and len(come[key]) == 1}


def _differing(was: Entry, now: Entry) -> tuple[str, ...]:
    """Return the fields that differ."""
    differing = [name for name in _FIELDS if getattr(was, name) != getattr(now, name)]
    differing += [name for name in _PLACE if getattr(was.source, name) != getattr(now.source, name)]
    return tuple(differing)


def _change(entry: Entry, fields: tuple[str, ...] = (), was: str | None = None) -> Change:
    return Change(entry.id, entry.question, entry.kind, entry.source.file, entry.source.line, fields, was)


def _listed(changes: Iterable[Change]) -> tuple[Change, ...]:
    return tuple(sorted(changes, key=lambda change: (change.file, change.line or 0, change.id)))
