"""What a build tells: its report, and what labelled questions say of a snapshot."""

from __future__ import annotations

from dataclasses import dataclass

from retriever.separation import warning_of
from retriever.types import Calibration, Corpus, Counts, FileReport, Gate


@dataclass(frozen=True, slots=True)
class BuildReport:
    """What a build did. `published` is false where nothing had changed or the gate refuses; `snapshot` is served.

    `gate` is how the corpus's labelled questions are answered, where it has any.
    """

    snapshot: str
    published: bool
    counts: Counts
    encoded: int
    reused: int
    took_s: float
    ledger: tuple[FileReport, ...]
    gate: Gate | None = None
    warnings: tuple[str, ...] = ()

    @property
    def refused(self) -> int:
        """How many entries (or whole files) were not taken."""
        return self.counts.refused


@dataclass(frozen=True, slots=True)
class Review:
    """What labelled questions say of a snapshot: the calibration to publish it with, the gate, and what to tell."""

    calibration: Calibration
    gate: Gate
    warnings: tuple[str, ...] = ()


def counts_of(corpus: Corpus, passages: int, split: int) -> Counts:
    """Return what a snapshot of `corpus` holds."""

    def of_kind(kind: str) -> int:
        return sum(entry.kind == kind for entry in corpus.entries)

    return Counts(
        files=len(corpus.ledger),
        entries=of_kind("faq"),
        pages=of_kind("page"),
        passages=passages,
        split=split,
        merged=sum(row.merged for row in corpus.ledger),
        refused=sum(len(row.refused) for row in corpus.ledger),
    )


def warnings_of(calibration: Calibration) -> tuple[str, ...]:
    """Return what the owner is told of a confidence that will say little."""
    warning = warning_of(calibration.separation)
    return (warning,) if warning else ()
