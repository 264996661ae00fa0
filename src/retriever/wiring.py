"""Settings to objects: the only place that chooses.

What builds is imported where it is needed: a question waits for nothing of it.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import date
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from retriever.defaults import DEFAULT_MODEL, REPLAYED
from retriever.encoder import GRAPH, load_encoder, names_of
from retriever.errors import FeedbackError, RetrieverError, SettingsError, SnapshotError
from retriever.feedback import Feedback, Tended
from retriever.history import Kept, roll_back, snapshots
from retriever.search import Searcher, encoder_of
from retriever.settings import Settings
from retriever.snapshot import SharedFiles, current_id, open_snapshot, read_entries, read_manifest, verified_manifest
from retriever.types import Corpus, Encoder, Manifest, Recalled

if TYPE_CHECKING:
    from retriever.build import BuildReport, Progress
    from retriever.evaluate import Metrics
    from retriever.lint import Linted
    from retriever.preview import Preview

_LOG = logging.getLogger(__name__)


def load_encoder_of(settings: Settings) -> Encoder:
    """Return the encoder that `settings` name."""
    return load_encoder(
        settings.model,
        precision=settings.precision,
        exports=settings.encoders.expanduser(),
        allow_download=settings.allow_download,
        threads=settings.threads or os.cpu_count() or 1,
    )


def run_build(settings: Settings, progress: Progress, *, force: bool = False) -> BuildReport:
    """Build the index that `settings` describe; `force` publishes it whatever the labelled questions say."""
    with ThreadPoolExecutor(1) as aside:  # the digest of a model takes as long as what is imported meanwhile
        _expect_changes(settings)
        loading = aside.submit(load_encoder_of, settings)
        from retriever.build import build
        from retriever.review import review

        encoder = loading.result()
    least, recalled = settings.min_confidence, _recalled(settings)
    return build(
        settings.corpus,
        settings.index,
        encoder,
        lang=settings.lang,
        keep=settings.keep,
        progress=progress,
        review=partial(
            review,
            index=settings.index,
            encoder=encoder,
            min_confidence=least,
            force=force,
            progress=progress,
            recalled=recalled,
        ),
        recalls=bool(recalled),
    )


def _expect_changes(settings: Settings) -> None:
    """Start what reads files while all else is loaded, if there is anything to read since the latest build."""
    from retriever.readers import expect_changes

    try:
        since = (settings.index / "CURRENT").stat().st_mtime
    except OSError:
        since = 0.0
    expect_changes(settings.corpus, since)


def run_preview(settings: Settings) -> Preview:
    """Return what a build of the corpus that `settings` describe would change."""
    from retriever.preview import preview

    return preview(settings.corpus, settings.index, lang=settings.lang)


def open_searcher(
    settings: Settings,
    spare: Encoder | None = None,
    shared: SharedFiles | None = None,
    idle: Callable[[], bool] | None = None,
) -> Searcher:
    """Open the index for questions, with the encoder that it was made with unless `settings` name another.

    `spare` is one that is loaded already, to be used where it is the same; `shared` is where files are that other
    processes have read; `idle` tells whether a core has nothing to do, which can then help.
    """
    folder = Path(settings.model).expanduser()
    wanted = str(folder.resolve()) if folder.is_dir() else "+".join(names_of(settings.model))
    named = wanted not in {DEFAULT_MODEL, read_manifest(settings.index).encoder.model}
    encoder = load_encoder_of(settings) if named else None
    return Searcher.open(
        settings.index,
        encoder,
        spare=spare,
        shared=shared,
        min_confidence=settings.min_confidence,
        message=settings.message,
        expired=settings.expired,
        remember=settings.remember,
        idle=idle,
    )


def encoder_to_share(settings: Settings) -> Encoder | None:
    """Return the exported encoder of what is served, loaded, so that processes forked from here on share its memory.

    What it takes to answer is loaded with it: the index is opened once, and closed. None where there is no such
    encoder: one that runs on torch has threads, which no fork has. What is wrong is told by whoever opens the index.
    """
    if GRAPH not in read_manifest(settings.index).files:
        return None
    try:
        with closing(open_searcher(settings)) as searcher:
            return searcher.encoder
    except RetrieverError:
        return None


def watched_index(
    settings: Settings,
    spare: Encoder | None = None,
    shared: SharedFiles | None = None,
    idle: Callable[[], bool] | None = None,
) -> tuple[Callable[[], Searcher], Callable[[], str | None]]:
    """Return what a server opens its index with, as often as it changes, and what tells the id of the one to open.

    The encoder stays loaded from one snapshot to the next where both were made with it; `spare` is loaded already, and
    `shared` with other processes is what each reads of a snapshot. `idle` tells whether a core has nothing to do.
    """

    def open_next() -> Searcher:
        nonlocal spare
        searcher = open_searcher(settings, spare, shared, idle)
        spare = searcher.encoder
        return searcher

    def wanted() -> str | None:
        try:
            return current_id(settings.index)
        except SnapshotError:
            return None

    return open_next, wanted


def feedback_of(settings: Settings) -> Feedback | None:
    """Return where feedback is kept: a path beside the index, unless it is a whole one. None where it is not."""
    if not settings.feedback:
        return None
    return Feedback(settings.index.absolute().parent / Path(settings.feedback).expanduser(), settings.feedback_days)


def _recalled(settings: Settings) -> tuple[Recalled, ...]:
    """Return the questions that were asked last, to be replayed; a build goes on without them where it must."""
    try:
        feedback = feedback_of(settings)
        return feedback.recent(REPLAYED) if feedback else ()
    except FeedbackError as error:
        _LOG.warning("questions asked before are not replayed: %s", error)
        return ()


def tended(settings: Settings, most: int) -> tuple[Tended, Mapping[str, str]]:
    """Return what an owner tends by, and the questions of the entries that are served, by id."""
    feedback = feedback_of(settings)
    if feedback is None:
        raise SettingsError("no feedback is kept: the setting feedback is empty", mend="Name a file in it.")
    try:
        names = {entry.id: entry.question for entry in read_entries(settings.index)}
    except SnapshotError:  # what was said can be read all the same
        names = {}
    return feedback.tended(most), names


def list_snapshots(settings: Settings) -> list[Kept]:
    """Return the snapshots that are kept, newest first."""
    return snapshots(settings.index)


def run_rollback(settings: Settings, snapshot_id: str | None) -> Manifest:
    """Serve a snapshot that was published before, the previous unless one is named."""
    return roll_back(settings.index, snapshot_id)


def run_evaluate(sets: Sequence[Path], settings: Settings, progress: Progress) -> Metrics:
    """Measure the model of `settings` on test sets."""
    from retriever.evaluate import evaluate

    return evaluate(
        sets,
        load_encoder_of(settings),
        settings.work,
        lang=settings.lang,
        min_confidence=settings.min_confidence,
        progress=progress,
    )


def run_export(settings: Settings, form: str, corpus: Sequence[Path] | None) -> tuple[list[str], list[str]]:
    """Return the files of an export of the index, or of `corpus`, and the ids that would not come back the same."""
    from retriever.export import lost, render  # with it come the libraries that read markup
    from retriever.readers import read_corpus

    entries = list(read_corpus(corpus, lang=settings.lang).entries) if corpus else read_entries(settings.index)
    files = render(entries, form)
    return files, lost(entries, files, form)


def run_lint(settings: Settings, progress: Progress, *, compare: bool) -> Linted:
    """Return what should be mended in what is served; `compare` says that it must be of the corpus as it is now."""
    from retriever.cache import READINGS, Borrowed
    from retriever.lint import check_fresh, lint
    from retriever.readers import read_corpus

    with closing(open_snapshot(settings.index)) as snapshot, Borrowed(settings.index / READINGS) as kept:
        corpus = read_corpus(settings.corpus, lang=settings.lang, kept=kept) if compare else Corpus((), ())
        if compare:
            named = " ".join(f"--corpus {path}" for path in settings.corpus)
            check_fresh(snapshot, corpus, mend=f"Build it: retriever build {named} --index {settings.index}")
        return lint(
            snapshot,
            encoder_of(snapshot),
            today=date.today(),
            review_days=settings.review_days,
            progress=progress,
            ledger=corpus.ledger,
        )


def describe(settings: Settings) -> Manifest:
    """Return what is served now; with `settings.verify`, every file's digest is checked first."""
    return verified_manifest(settings.index) if settings.verify else read_manifest(settings.index)
