"""Measure a snapshot's answers on labelled test sets, with the field's measures and names.

A set is a folder in BEIR's layout: corpus.jsonl, queries.jsonl, qrels.tsv, and where there is one oos.jsonl, questions
that the corpus does not answer (`kind` starts with `far` for another domain, `near` for on topic and yet unanswered).
"""

from __future__ import annotations

import csv
import hashlib
from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from retriever.build import Progress, build
from retriever.confidence import auroc, expected_calibration_error, reliability
from retriever.errors import CorpusError, InputError, RetrieverError
from retriever.search import Searcher
from retriever.types import Answer, Encoder

# The measures by ir-measures' own names, and under which key each is reported.
_MEASURES = {
    "nDCG@10": "ndcg@10",
    "Success@1": "success@1",
    "Success@5": "success@5",
    "R@10": "recall@10",
    "RR@10": "mrr@10",
}
_DEPTH = 10

Metrics = dict[str, Any]


class _Query(msgspec.Struct):
    """A line of queries.jsonl or oos.jsonl."""

    id: str = msgspec.field(name="_id")
    text: str
    kind: str = ""


def evaluate(
    sets: Sequence[Path], encoder: Encoder, work: Path, *, lang: str, min_confidence: float, progress: Progress
) -> Metrics:
    """Return `{"sets": [...], "mean": {...}}` of the test sets, a folder each. Indexes are kept in `work`.

    The mean is over families: sets whose names share what stands before the first `-` count as one.
    Raises CorpusError if a set is not in BEIR's layout, RetrieverError without ir-measures.
    """
    if find_spec("ir_measures") is None:
        raise RetrieverError("ir-measures is not installed", mend="pip install 'ir-measures>=0.4.3,<0.5'")
    for folder in sets:
        _check_layout(folder)
    measured = []
    for at, folder in enumerate(sets):
        progress(f"evaluate {folder.resolve().name}", at, len(sets))
        measured.append(_evaluate_set(folder, encoder, work, lang, min_confidence, progress))
    progress("evaluate", len(sets), len(sets))
    return {"sets": measured, "mean": mean_of_families(measured)}


def _check_layout(folder: Path) -> None:
    for name in ("corpus.jsonl", "queries.jsonl", "qrels.tsv"):
        if not (folder / name).is_file():
            raise CorpusError(
                f"{folder} is not a test set: it has no {name}",
                mend="A set is a folder with corpus.jsonl, queries.jsonl and qrels.tsv.",
            )


def _evaluate_set(
    folder: Path, encoder: Encoder, work: Path, lang: str, min_confidence: float, progress: Progress
) -> Metrics:
    path = folder.resolve()
    index = index_of(path, work)
    report = build([path / "corpus.jsonl"], index, encoder, lang=lang, keep=1, progress=progress)
    searcher = Searcher.open(index, encoder, min_confidence=min_confidence)
    try:
        queries = _read(path / "queries.jsonl")
        asked = {query.id: _ask(searcher, query) for query in queries}
        answers = {query: answer for query, answer in asked.items() if answer}
        took = [answer.took_ms.total for answer in answers.values()]
        metrics: Metrics = {"name": path.name, "entries": report.counts.entries, "refused": report.refused}
        metrics |= {"queries": len(queries), **measure(path / "qrels.tsv", answers)}
        if len(answers) < len(asked):
            metrics["unasked"] = len(asked) - len(answers)
        metrics |= {"p50_ms": _percentile(took, 50), "p95_ms": _percentile(took, 95)}
        if (path / "oos.jsonl").is_file():
            relevant = {(qrel.query_id, qrel.doc_id) for qrel in _read_qrels(path / "qrels.tsv") if qrel.relevance > 0}
            metrics["oos"] = _out_of_scope(asked, relevant, _read(path / "oos.jsonl"), partial(_ask, searcher))
    finally:
        searcher.close()
    return metrics


def _ask(searcher: Searcher, query: _Query) -> Answer | None:
    """Return the answer; None where the product takes no such question: it has none then, and is counted so."""
    try:
        return searcher.ask(query.text, _DEPTH)
    except InputError:
        return None


def index_of(folder: Path, work: Path) -> Path:
    """Return where in `work` the index of a set is kept."""
    return work / f"{folder.name}-{hashlib.sha256(str(folder).encode()).hexdigest()[:8]}"


def _read(path: Path) -> list[_Query]:
    try:
        return msgspec.json.Decoder(_Query).decode_lines(path.read_bytes())
    except msgspec.MsgspecError as error:
        raise CorpusError(f"{path}: {error}", mend='Each line is {"_id": ..., "text": ...}.') from error


def measure(qrels: Path, answers: dict[str, Answer]) -> Metrics:
    """Return the mean over all queries of `qrels` of each measure, of `answers` by query id."""
    import ir_measures

    run = [
        # What is first in the answer is first for the measure too, whatever the scores.
        ir_measures.ScoredDoc(query, hit.entry_id, float(-hit.rank))
        for query, answer in answers.items()
        for hit in answer.hits
    ]
    measures = {ir_measures.parse_measure(name): key for name, key in _MEASURES.items()}
    found = ir_measures.calc_aggregate(list(measures), list(_read_qrels(qrels)), run)
    return {key: round(found[name], 4) for name, key in measures.items()}


def _read_qrels(path: Path) -> Iterable[Any]:
    from ir_measures import Qrel

    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            try:
                yield Qrel(row["query-id"], row["corpus-id"], int(row["score"]))
            except (KeyError, TypeError, ValueError) as error:
                raise CorpusError(
                    f"{path}: {error!r}", mend="The first line is query-id, corpus-id, score, with tabs."
                ) from error


def _out_of_scope(
    answers: Mapping[str, Answer | None],
    relevant: Container[tuple[str, str]],
    oos: Sequence[_Query],
    ask: Callable[[_Query], Answer | None],
) -> Metrics:
    """Return how well confidence tells the questions that have an answer from those that have none.

    The calibration error is over both: what is said of a question without an answer is right if it is near 0.
    """
    inside = [_confidence(answer) for answer in answers.values()]
    right = [bool(a and a.hits and (query, a.hits[0].entry_id) in relevant) for query, a in answers.items()]
    by_kind: dict[str, list[Answer | None]] = defaultdict(list)
    for query in oos:
        by_kind["far" if query.kind.startswith("far") else "near"].append(ask(query))
    said = inside + [_confidence(answer) for group in by_kind.values() for answer in group]
    was = right + [False] * (len(said) - len(right))
    metrics: Metrics = {"kept": _share(_answered(answer) for answer in answers.values())}
    metrics["ece"] = round(expected_calibration_error(said, was), 4)
    metrics["reliability"] = reliability(said, was)
    for kind in ("far", "near"):
        outside = by_kind.get(kind, [])
        metrics[kind] = {
            "questions": len(outside),
            "auroc": auroc(inside, [_confidence(answer) for answer in outside]),
            "rejected": _share(not _answered(answer) for answer in outside),
        }
    return metrics


def _confidence(answer: Answer | None) -> float:
    return answer.confidence if answer else 0.0


def _answered(answer: Answer | None) -> bool:
    return bool(answer and answer.answered)


def _share(flags: Iterable[bool]) -> float | None:
    values = list(flags)
    return round(sum(values) / len(values), 4) if values else None


def _percentile(values: Sequence[float], percent: float) -> float:
    return round(float(np.percentile(values, percent)), 3)


def mean_of_families(measured: Sequence[Metrics]) -> Metrics:
    """Return the mean of each measure over families, each family the mean of its sets."""
    families: dict[str, list[Metrics]] = defaultdict(list)
    for metrics in measured:
        families[metrics["name"].partition("-")[0]].append(metrics)
    mean: Metrics = {"families": len(families)}
    for key in _MEASURES.values():
        mean[key] = round(float(np.mean([np.mean([m[key] for m in family]) for family in families.values()])), 4)
    return mean
