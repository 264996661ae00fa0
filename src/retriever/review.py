"""Questions, replayed on a snapshot about to be published and on the one that is served.

Labelled ones sharpen the confidence of the first, and tell which of them it answers differently, and which worse. Those
that were asked before have no label but what askers said: they tell what is answered differently.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from retriever.build import Progress, Review
from retriever.confidence import CAP, auroc, moved, sharpen
from retriever.defaults import off_topic_questions
from retriever.errors import EncoderError, SnapshotError
from retriever.readers import findings, named, names_of
from retriever.search import Judged, Searcher
from retriever.snapshot import Snapshot, open_snapshot, read_manifest
from retriever.types import (
    Calibration,
    Difference,
    Encoder,
    Gate,
    Given,
    Golden,
    Labelled,
    Recalled,
    Replayed,
    Shift,
    Wrong,
)

LEAST_LABELLED, LEAST_WITHOUT = 20, 0.1
"""How many labelled questions it takes to sharpen the curve, and which share without an answer: docs/evaluation.md."""
LEAST_SEPARATION = 0.8
"""Below this AUROC a confidence says little; public FAQ sets reach 0.95 to 1."""
_ENOUGH_TO_SEPARATE = 10

_Names = Mapping[str, frozenset[str]]


@dataclass(frozen=True, slots=True)
class _Replay:
    """Questions asked of one snapshot, `recalled` ones apart: their answers, and the names of its entries."""

    snapshot: str
    calibration: Calibration
    answers: Sequence[Judged]
    recalled: Sequence[Judged]
    names: _Names

    def wanted(self, labelled: Labelled) -> frozenset[str]:
        """Return the ids of the entries that are right."""
        return frozenset().union(*(named(text, self.names) for text in labelled.ids))

    def known(self, labelled: Labelled) -> bool:
        """Tell whether the question can be judged here: it wants no answer, or an entry that there is."""
        return not labelled.ids or bool(self.wanted(labelled))


def review(
    staged: Snapshot,
    golden: Golden,
    *,
    index: Path,
    encoder: Encoder,
    min_confidence: float,
    force: bool,
    progress: Progress,
    recalled: Sequence[Recalled] = (),
) -> Review:
    """Return what `golden` says of `staged` beside the snapshot that `index` serves; `force` publishes it all the same.

    `recalled` are questions that were asked before, replayed as well. A decision counts as worse only if it would be
    with the served snapshot's curve too: a new label may move the curve.
    """
    progress("replay", 0, 1)
    asked = _unlabelled(recalled, golden)
    searcher = Searcher(staged, encoder)
    new = _replay(searcher, golden, asked, names_of(staged.entries()))
    off_topic = [searcher.judge(question, 1) for question in off_topic_questions()] if golden.questions else []
    old = _served(index, encoder, golden, asked)
    progress("replay", 1, 1)

    judged = [at for at, labelled in enumerate(golden.questions) if new.known(labelled)]
    calibration = _sharpened(new, [(golden.questions[at], new.answers[at]) for at in judged], off_topic)
    labels, curve = golden.questions, calibration
    now = _decided(new, labels, new.answers, curve, min_confidence)
    before = _decided(old, labels, old.answers, None, min_confidence) if old else []
    unmoved = _decided(new, labels, new.answers, old.calibration, min_confidence) if old else []
    differences = _differences(labels, before, now, unmoved) if old else ()
    shifts = _shifts(asked, old, new, curve, min_confidence) if old else ()
    regressions = sum(one.regression for one in differences) + sum(one.regression for one in shifts)
    gate = Gate(
        golden=golden.digest,
        against=old.snapshot if old else None,
        judged=len(judged),
        right=sum(now[at].right for at in judged),
        right_before=sum(before[at].right for at in judged) if old else None,
        regressions=regressions,
        forced=force and regressions > 0,
        separation=_separation([new.answers[at] for at in judged if golden.questions[at].ids], off_topic),
        differences=differences,
        wrong=tuple(
            Wrong(labelled.question, labelled.file, labelled.line, now[at])
            for at, labelled in enumerate(golden.questions)
            if not now[at].right
        ),
        findings=findings(golden, new.names),
        asked=len(asked) if old else 0,
        shifts=shifts,
    )
    return Review(calibration, gate, tuple(_warnings(gate, sharpened=calibration.labelled > 0)) if labels else ())


def _unlabelled(recalled: Sequence[Recalled], golden: Golden) -> list[Labelled]:
    """Return the questions that have no label, with the entries that helped in the place of one."""
    labelled = {one.question.casefold() for one in golden.questions}
    return [
        Labelled(one.question, tuple(sorted(one.helpful)), "", 0)
        for one in recalled
        if one.question.casefold() not in labelled
    ]


def _replay(searcher: Searcher, golden: Golden, asked: Sequence[Labelled], names: _Names) -> _Replay:
    answers = [searcher.judge(labelled.question, 1) for labelled in golden.questions]
    recalled = [searcher.judge(labelled.question, 1) for labelled in asked]
    return _Replay(searcher.manifest.id, searcher.manifest.calibration, answers, recalled, names)


def _served(index: Path, encoder: Encoder, golden: Golden, asked: Sequence[Labelled]) -> _Replay | None:
    """Replay the questions on what is served, with the encoder that it was made with; None where that cannot be."""
    try:
        same = read_manifest(index).encoder == encoder.spec
        with closing(open_snapshot(index)) as snapshot:
            names = names_of(snapshot.entries())
        with closing(Searcher.open(index, encoder if same else None)) as searcher:
            return _replay(searcher, golden, asked, names)
    except (SnapshotError, EncoderError):
        return None


def _sharpened(new: _Replay, asked: Sequence[tuple[Labelled, Judged]], off_topic: Sequence[Judged]) -> Calibration:
    """Return the calibration that the labels teach; the shipped one where there are too few to teach anything."""
    answerable = [bool(labelled.ids) for labelled, _ in asked]
    if not _enough(len(asked), len(asked) - sum(answerable)):
        return new.calibration
    hits = [(labelled, judged.answer.hits) for labelled, judged in asked]
    right = [bool(found) and found[0].entry_id in new.wanted(labelled) for labelled, found in hits]
    sure, elsewhere = [judged.sure for _, judged in asked], [judged.sure for judged in off_topic]
    return sharpen(new.calibration, sure, right, answerable, elsewhere)


def _enough(labelled: int, without: int) -> bool:
    return labelled >= LEAST_LABELLED and without >= LEAST_WITHOUT * labelled


def _decided(
    replay: _Replay, questions: Sequence[Labelled], answers: Sequence[Judged], curve: Calibration | None, least: float
) -> list[Replayed]:
    """Return what is answered to each question; `curve` moves what the replay said, None leaves it."""
    sure = np.array([judged.sure for judged in answers])
    confidences = sure if curve is None else moved(sure, curve)
    confidences = np.where([judged.capped for judged in answers], np.minimum(confidences, CAP), confidences)
    decided = []
    for labelled, (answer, _, _), confidence in zip(questions, answers, confidences.tolist(), strict=True):
        first = answer.hits[0] if answer.hits else None
        entry, question = (first.entry_id, first.question) if first else (None, None)
        answered = entry is not None and confidence >= least
        right = answered and entry in replay.wanted(labelled) if labelled.ids else not answered
        decided.append(Replayed(entry, question, answered, round(confidence, 4), right))
    return decided


def _differences(
    questions: Sequence[Labelled], before: Sequence[Replayed], now: Sequence[Replayed], unmoved: Sequence[Replayed]
) -> tuple[Difference, ...]:
    """Return the questions that are answered by another entry, newly, or no longer."""
    return tuple(
        Difference(
            labelled.question, labelled.file, labelled.line, was, is_, was.right and not is_.right and not same.right
        )
        for labelled, was, is_, same in zip(questions, before, now, unmoved, strict=True)
        if _shown(was) != _shown(is_)
    )


def _shifts(
    asked: Sequence[Labelled], old: _Replay, new: _Replay, curve: Calibration, least: float
) -> tuple[Shift, ...]:
    """Return the questions asked before that are answered differently now, and for which of them that is worse."""
    before = _decided(old, asked, old.recalled, None, least)
    now = _decided(new, asked, new.recalled, curve, least)
    unmoved = _decided(new, asked, new.recalled, old.calibration, least)
    # What helped and is gone was taken away by its owner, who knows better than those who liked it.
    helped = {one.question for one in asked if one.ids and new.known(one)}
    return tuple(
        Shift(one.question, _given(one.before), _given(one.now), one.regression and one.question in helped)
        for one in _differences(asked, before, now, unmoved)
    )


def _given(replayed: Replayed) -> Given:
    return Given(replayed.entry_id, replayed.question, replayed.answered, replayed.confidence)


def _shown(replayed: Replayed) -> str | None:
    return replayed.entry_id if replayed.answered else None


def _separation(answers: Sequence[Judged], off_topic: Sequence[Judged]) -> float | None:
    if len(answers) < _ENOUGH_TO_SEPARATE:
        return None
    inside, outside = ([judged.answer.confidence for judged in those] for those in (answers, off_topic))
    return auroc(inside, outside)


def _warnings(gate: Gate, *, sharpened: bool) -> list[str]:
    warnings = []
    if not sharpened:
        warnings.append(
            f"the confidence stays as shipped: to sharpen it takes {LEAST_LABELLED} labelled questions that can be "
            f"judged, a tenth of them without an answer; there are {gate.judged}"
        )
    if gate.separation is not None and gate.separation < LEAST_SEPARATION:
        warnings.append(
            f"confidence hardly tells this corpus's questions from others (AUROC {gate.separation:.2f}): the encoder "
            "may not know its language; build with a --model that does"
        )
    return warnings
