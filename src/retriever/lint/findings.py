"""What lint finds: a kind, a place, what is wrong there, and where a second entry is involved, that one's place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from retriever.types import Entry

FindingKind = Literal["conflict", "duplicate", "shadowed", "long", "empty", "broken", "link", "date"]
KINDS: tuple[FindingKind, ...] = get_args(FindingKind)


@dataclass(frozen=True, slots=True)
class Place:
    """Where an entry is written: `line` counts from 1, None where its format has no lines."""

    entry_id: str
    file: str
    line: int | None

    @classmethod
    def of(cls, entry: Entry) -> Place:
        """Return the place of `entry`."""
        return cls(entry.id, entry.source.file, entry.source.line)


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that an owner should look at.

    `entry_id` is None where no entry is at fault but the file. `other` is the second entry of a duplicate or a
    conflict, and the winner over one that is shadowed. `similarity` is the cosine of the two questions, -1 to 1;
    `values` are what two answers that conflict say, that of the entry itself first.
    """

    kind: FindingKind
    file: str
    line: int | None
    entry_id: str | None
    message: str
    other: Place | None = None
    similarity: float | None = None
    values: tuple[str, str] | None = None


def finding_of(kind: FindingKind, entry: Entry, message: str) -> Finding:
    """Return a finding about one entry."""
    return Finding(kind, entry.source.file, entry.source.line, entry.id, message)


def place_order(finding: Finding) -> tuple[str, int, int, str, str]:
    """Return what findings are sorted by: file, line, kind."""
    other = finding.other.entry_id if finding.other else ""
    return finding.file, finding.line or 0, KINDS.index(finding.kind), other, finding.message


def quoted(text: str, most: int = 80) -> str:
    """Return `text` in quotation marks, on one line, cut where it is longer than `most`."""
    line = " ".join(text.split())
    return f"“{line if len(line) <= most else line[: most - 1].rstrip() + '…'}”"
