"""The use case: read, cut, encode what is new while the words are indexed, publish."""

from __future__ import annotations

import gc
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from retriever.build.cut import Cut, cut
from retriever.build.encode import Progress, calibrate, encode, off_topic
from retriever.build.reading import Read, kept_in, read
from retriever.build.report import BuildReport, Review, counts_of, warnings_of
from retriever.cache import VectorCache
from retriever.errors import RetrieverError, SnapshotError
from retriever.lexical import Words, index_words
from retriever.snapshot import (
    Snapshot,
    build_lock,
    current_id,
    publish,
    read_gate,
    read_manifest,
    tidy,
    verified_manifest,
    write_facets,
    write_gate,
)
from retriever.suggest import Questions, index_questions
from retriever.types import Calibration, Encoder, Gate, Golden, Manifest, Mask, Vectors

if TYPE_CHECKING:
    from retriever.vectors import Prepared


def build(
    paths: Sequence[Path],
    index: Path,
    encoder: Encoder,
    *,
    lang: str,
    keep: int,
    progress: Progress,
    review: Callable[[Snapshot, Golden], Review] | None = None,
    recalls: bool = False,
) -> BuildReport:
    """Read the corpus at `paths` and publish it in `index`, unless nothing changed.

    `review` is shown what is about to be published, open, with the corpus's labelled questions, where it has any, or
    where it `recalls` questions of its own: if its gate refuses, nothing is published. Raises CorpusError if nothing
    can be indexed or a labelled question cannot be read, BuildBusy, PublishFailed, EncoderError. Whatever happens, what
    was served before still is.
    """
    began = time.perf_counter()
    with build_lock(index), _undisturbed():
        progress("read", 0, 1)
        corpus = read(paths, index, lang, labelled=review is not None)
        progress("read", 1, 1)
        served = _served(index)
        gate = _gate(index, served)
        if served and _same(corpus, encoder, served, gate) and _whole(index, served):
            tidy(index, keep)
            return _unchanged(corpus, served, gate, began)
        made = _make(corpus, index, encoder, progress)
        progress("publish", 0, 1)
        replays = bool(corpus.golden.digest) or recalls
        manifest, reviewed = _publish(made, index, encoder, keep, review if replays else None)
        progress("publish", 1, 1)
        return BuildReport(
            snapshot=manifest.id if manifest else current_id(index),
            published=manifest is not None,
            counts=counts_of(corpus.corpus, len(made.cut), made.cut.split),
            encoded=made.encoded,
            reused=len(made.cut) - made.encoded,
            took_s=time.perf_counter() - began,
            ledger=corpus.corpus.ledger,
            gate=reviewed.gate if reviewed else None,
            warnings=warnings_of(made.calibration) + (reviewed.warnings if reviewed else ()),
        )


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Look for no cycles meanwhile, and let threads take turns sooner.

    A build makes hundreds of thousands of objects that have no cycles, and keeps them. And threads that wait 5 ms for
    their turn, as Python has it, after each millisecond of work outside of Python, leave a core idle.
    """
    collected, interval = gc.isenabled(), sys.getswitchinterval()
    gc.disable()
    sys.setswitchinterval(_TURN_S)
    try:
        yield
    finally:
        sys.setswitchinterval(interval)
        if collected:
            gc.enable()


_TURN_S = 0.0005


# --- what there is ------------------------------------------------------------------------------------------------


def _served(index: Path) -> Manifest | None:
    """Return the manifest of what is served now; None where there is none that can be read."""
    try:
        return read_manifest(index)
    except SnapshotError:
        return None


def _whole(index: Path, served: Manifest) -> bool:
    """Tell whether every file of what is served is as it was published: else it is to be made anew."""
    try:
        verified_manifest(index, served.id)
    except SnapshotError:
        return False
    return True


def _gate(index: Path, served: Manifest | None) -> Gate | None:
    """Return the gate of what is served; None where there was none, or another version of retriever wrote it."""
    try:
        return read_gate(index, served.id) if served else None
    except SnapshotError:
        return None


def _same(corpus: Read, encoder: Encoder, served: Manifest, gate: Gate | None) -> bool:
    """Tell whether a snapshot of `corpus` would be the one that is served."""
    same_golden = corpus.golden.digest == (gate.golden if gate else "")
    return served.corpus == corpus.digest and served.encoder == encoder.spec and same_golden


def _unchanged(corpus: Read, served: Manifest, gate: Gate | None, began: float) -> BuildReport:
    counts = counts_of(corpus.corpus, served.counts.passages, served.counts.split)
    warnings, took = warnings_of(served.calibration), time.perf_counter() - began
    return BuildReport(served.id, False, counts, 0, counts.passages, took, corpus.corpus.ledger, gate, warnings)


# --- what is made -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Made:
    """All that a snapshot is written from."""

    read: Read
    cut: Cut
    words: Words
    questions: Questions
    vectors: Prepared
    calibration: Calibration
    encoded: int


def _make(corpus: Read, index: Path, encoder: Encoder, progress: Progress) -> _Made:
    with ThreadPoolExecutor(1) as aside, VectorCache(index / "vectors.cache", encoder.spec) as cache:
        aside.submit(import_module, "retriever.vectors")  # and with it FAISS, which takes a while to load
        words = aside.submit(_words, corpus, index, encoder)
        questions = aside.submit(index_questions, corpus.entries)
        with kept_in(index / "passages.sqlite") as kept:
            rows = cut(corpus.entries, encoder, kept)
        vectors, encoded = encode(rows, encoder, cache, progress)
        calibration = aside.submit(calibrate, rows, vectors, off_topic(encoder, cache))
        # A sentence's paragraph is found where it is: bench/evaluation.py gives the same figures without them.
        prepared = _prepared(vectors, ~rows.of_kind("sentence"))
        return _Made(corpus, rows, words.result(), questions.result(), prepared, calibration.result(), encoded)


def _words(corpus: Read, index: Path, encoder: Encoder) -> Words:
    with kept_in(index / "words.sqlite") as kept:
        return index_words(corpus.entries, corpus.lang, encoder.words(), kept)


def _prepared(vectors: Vectors, searched: Mask) -> Prepared:
    from retriever.vectors import prepare_vectors

    return prepare_vectors(vectors, searched)


def _write(made: _Made, encoder: Encoder, folder: Path) -> None:
    with ThreadPoolExecutor(1) as aside:
        vectors = aside.submit(made.vectors.write, folder)
        (folder / "entries.jsonl").write_bytes(made.read.raw)
        np.save(folder / "entries.npy", made.read.lines)
        np.save(folder / "passages.npy", made.cut.table)
        write_facets(made.read.entries, folder)
        made.words.write(folder)
        made.questions.write(folder)
        for name, path in encoder.files.items():
            _link(path, folder / name)
        vectors.result()


def _link(path: Path, to: Path) -> None:
    """Put a file there without taking disk for it twice, where the disk can."""
    try:
        to.hardlink_to(path)
    except OSError:
        shutil.copyfile(path, to)


class _GateRefused(RetrieverError):
    """The questions that were replayed speak against publishing."""


def _publish(
    made: _Made, index: Path, encoder: Encoder, keep: int, review: Callable[[Snapshot, Golden], Review] | None
) -> tuple[Manifest | None, Review | None]:
    """Publish what was made, and return its manifest, None where the gate refuses it, and what `review` said."""
    reviewed: Review | None = None

    def look(staged: Snapshot) -> Calibration:
        nonlocal reviewed
        assert review
        reviewed = review(staged, made.read.golden)
        if reviewed.gate.refuses:
            raise _GateRefused("a question is answered worse")
        write_gate(staged.folder, reviewed.gate)
        return reviewed.calibration

    try:
        manifest = publish(
            index,
            lambda folder: _write(made, encoder, folder),
            corpus=made.read.digest,
            encoder=encoder.spec,
            counts=counts_of(made.read.corpus, len(made.cut), made.cut.split),
            calibration=made.calibration,
            lang=made.read.lang,
            keep=keep,
            nearest=made.vectors.nearest,
            review=look if review else None,
        )
    except _GateRefused:
        return None, reviewed
    return manifest, reviewed
