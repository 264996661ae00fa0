"""Build an index from a corpus: read, cut into passages, encode what is new, publish."""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from retriever.cache import KeptBytes, VectorCache
from retriever.confidence import PRIOR
from retriever.defaults import off_topic_questions
from retriever.errors import CorpusError, PublishFailed, RetrieverError, SnapshotError
from retriever.lexical import write_lexical
from retriever.passages import passages_of
from retriever.readers import read_corpus, read_golden
from retriever.separation import separation_of, warning_of
from retriever.snapshot import (
    Snapshot,
    build_lock,
    current_id,
    encode_entries,
    encode_passages,
    publish,
    read_gate,
    tidy,
    verified_manifest,
    write_facets,
    write_gate,
)
from retriever.types import (
    Calibration,
    Corpus,
    Counts,
    Encoder,
    Entry,
    FileReport,
    Gate,
    Golden,
    Manifest,
    Passage,
    Vectors,
)

if TYPE_CHECKING:
    from retriever.vectors import Prepared

Progress = Callable[[str, int, int], None]
"""Called with a step's name, how much of it is done, and how much there is."""

# Enough texts that a progress bar moves smoothly and a killed build loses little.
_ENCODE_AT_ONCE = 256


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


def build(
    paths: Sequence[Path],
    index: Path,
    encoder: Encoder,
    *,
    lang: str,
    keep: int,
    progress: Progress,
    review: Callable[[Snapshot, Golden], Review] | None = None,
) -> BuildReport:
    """Read the corpus at `paths` and publish it in `index`, unless nothing changed.

    `review` is shown what is about to be published, open, with the corpus's labelled questions, where it has any: if
    its gate refuses, nothing is published. Raises CorpusError if nothing can be indexed or a labelled question cannot
    be read, BuildBusy, PublishFailed, EncoderError. Whatever happens, what was served before still is.
    """
    began = time.perf_counter()
    with build_lock(index):
        progress("read", 0, 1)
        with _kept(index / "readings.sqlite") as path, KeptBytes(path) as kept:
            corpus = read_corpus(paths, lang=lang, kept=kept)
        entries = sorted(corpus.entries, key=lambda entry: entry.id)
        if not any(entry.kind == "faq" for entry in entries):
            raise CorpusError(_nothing(paths, corpus))
        golden = _golden(paths) if review else _NO_GOLDEN
        progress("read", 1, 1)
        raw, table = encode_entries(entries)
        digest = hashlib.sha256(raw).hexdigest()
        served = _served(index)
        gate = _gate(index, served)
        same_golden = golden.digest == (gate.golden if gate else "")
        if served and served.corpus == digest and served.encoder == encoder.spec and same_golden:
            tidy(index, keep)
            counts = replace(_counts(corpus, []), passages=served.counts.passages, split=served.counts.split)
            known, took = _warnings(served.calibration), time.perf_counter() - began
            return BuildReport(served.id, False, counts, 0, counts.passages, took, corpus.ledger, gate, known)
        passages = [(ordinal, p) for ordinal, entry in enumerate(entries) for p in passages_of(entry, encoder.fit)]
        with _kept(index / "cache.sqlite") as path, VectorCache(path, encoder.spec) as cache:
            vectors, encoded = _encode([p.text for _, p in passages], encoder, cache, progress)
            calibration = _calibration(entries, passages, vectors, _off_topic(encoder, cache))

        prepared = _prepare(vectors, passages)
        main_lang = Counter(entry.lang for entry in entries).most_common(1)[0][0]

        def write(folder: Path) -> None:
            (folder / "entries.jsonl").write_bytes(raw)
            np.save(folder / "entries.npy", table)
            np.save(folder / "passages.npy", encode_passages(passages))
            write_facets(entries, folder)
            prepared.write(folder)
            write_lexical(entries, main_lang, encoder.words(), folder)
            for name, path in encoder.files.items():
                _link(path, folder / name)

        reviewed: Review | None = None

        def look(staged: Snapshot) -> Calibration:
            nonlocal reviewed
            assert review
            reviewed = review(staged, golden)
            if reviewed.gate.refuses:
                raise _GateRefused("a labelled question is answered worse")
            write_gate(staged.folder, reviewed.gate)
            return reviewed.calibration

        progress("publish", 0, 1)
        counts = _counts(corpus, passages)
        try:
            manifest = publish(
                index,
                write,
                corpus=digest,
                encoder=encoder.spec,
                counts=counts,
                calibration=calibration,
                lang=main_lang,
                keep=keep,
                nearest=prepared.nearest,
                review=look if golden.digest else None,
            )
        except _GateRefused:
            manifest = None
        progress("publish", 1, 1)
    took = time.perf_counter() - began
    return BuildReport(
        snapshot=manifest.id if manifest else current_id(index),
        published=manifest is not None,
        counts=counts,
        encoded=encoded,
        reused=len(passages) - encoded,
        took_s=took,
        ledger=corpus.ledger,
        gate=reviewed.gate if reviewed else None,
        warnings=_warnings(calibration) + (reviewed.warnings if reviewed else ()),
    )


def _prepare(vectors: Vectors, passages: Sequence[tuple[int, Passage]]) -> Prepared:
    from retriever.vectors import prepare_vectors

    # A sentence's paragraph is found where it is: bench/evaluation.py gives the same figures without them.
    return prepare_vectors(vectors, np.array([p.kind != "sentence" for _, p in passages]))


class _GateRefused(RetrieverError):
    """The labelled questions speak against publishing."""


_NO_GOLDEN = Golden((), (), "")


def _gate(index: Path, served: Manifest | None) -> Gate | None:
    """Return the gate of what is served; None where there was none, or another version of retriever wrote it."""
    try:
        return read_gate(index, served.id) if served else None
    except SnapshotError:
        return None


def _golden(paths: Sequence[Path]) -> Golden:
    """Return the corpus's labelled questions. Raises CorpusError naming each line that is none."""
    golden = read_golden(paths)
    if golden.refused:
        bad = [f"{r.file}{f':{r.line}' if r.line else ''}: {r.reason}" for r in golden.refused]
        raise CorpusError(
            "\n  ".join(["labelled questions cannot be read, so nothing was published", *bad[:20]]),
            mend='Each line of golden.jsonl is {"question": ..., "ids": [...]}.',
        )
    return golden


@contextmanager
def _kept(path: Path) -> Iterator[Path]:
    """Say what a file that is to be kept from build to build needs, where it cannot be."""
    try:
        yield path
    except sqlite3.Error as error:
        raise PublishFailed(
            f"cannot keep what was made in {path}: {error}",
            mend="Make room or mend the permissions, then build again; the snapshot served before still is.",
        ) from error


def _calibration(
    entries: Sequence[Entry], passages: Sequence[tuple[int, Passage]], vectors: Vectors, off_topic: Vectors
) -> Calibration:
    """Return the shipped curves with this corpus's floor, and what they can tell here.

    The floor is the mean cosine of the off-topic questions with the corpus's own: that of nothing in common.
    """
    questions = vectors[[passage.kind == "question" for _, passage in passages]].mean(axis=0)
    floor = round(float(off_topic.mean(axis=0) @ questions), 4)
    return replace(PRIOR, floor=floor, separation=separation_of(entries, passages, vectors, off_topic))


def _warnings(calibration: Calibration) -> tuple[str, ...]:
    warning = warning_of(calibration.separation)
    return (warning,) if warning else ()


def _off_topic(encoder: Encoder, cache: VectorCache) -> Vectors:
    """Return the vectors of the shipped off-topic questions, each of them kept under a name that no passage has."""
    questions = off_topic_questions()
    names = [f"\0query\0{question}" for question in questions]
    known = cache.get(names)
    if len(known) < len(set(names)):
        vectors = encoder.encode(questions, "query")
        cache.put(names, vectors)
        return vectors
    return np.stack([known[name] for name in names])


def _link(path: Path, to: Path) -> None:
    """Put a file there without taking disk for it twice, where the disk can."""
    try:
        to.hardlink_to(path)
    except OSError:
        shutil.copyfile(path, to)


def _served(index: Path) -> Manifest | None:
    """Return the manifest of what is served now; None where there is nothing that can be served."""
    try:
        return verified_manifest(index)
    except SnapshotError:
        return None


def _nothing(paths: Sequence[Path], corpus: Corpus) -> str:
    where = ", ".join(map(str, paths))
    reasons = [f"{r.file}{f':{r.line}' if r.line else ''}: {r.reason}" for row in corpus.ledger for r in row.refused]
    return "\n  ".join([f"no question with an answer was found in {where}", *reasons[:20]])


def _encode(texts: Sequence[str], encoder: Encoder, cache: VectorCache, progress: Progress) -> tuple[Vectors, int]:
    """Return the vectors of `texts`, shape (len(texts), dimension), and how many rows had to be encoded."""
    known = cache.get(set(texts))
    # Longest first: fp32 pads a batch to its longest text, threads end together, and too little memory shows at once.
    new = sorted({text for text in texts if text not in known}, key=lambda text: (-len(text), text))
    for start in range(0, len(new), _ENCODE_AT_ONCE):
        progress("encode", start, len(new))
        part = new[start : start + _ENCODE_AT_ONCE]
        vectors = encoder.encode(part, "passage")
        cache.put(part, vectors)
        known.update(zip(part, vectors, strict=True))
    progress("encode", len(new), len(new))
    cache.keep_only(texts)
    return np.stack([known[text] for text in texts]), len(new)


def _counts(corpus: Corpus, passages: Sequence[tuple[int, Passage]]) -> Counts:
    def of_kind(kind: str) -> int:
        return sum(entry.kind == kind for entry in corpus.entries)

    return Counts(
        files=len(corpus.ledger),
        entries=of_kind("faq"),
        pages=of_kind("page"),
        passages=len(passages),
        split=sum(p.start > 0 and p.kind != "sentence" for _, p in passages),
        merged=sum(row.merged for row in corpus.ledger),
        refused=sum(len(row.refused) for row in corpus.ledger),
    )
