"""Learn the confidence curves, and judge curves and ranking weights on families that they were not fitted on.

    python bench/learn.py ../shared/eval/*/        # prints the shipped curves and the held-out figures, as JSON

Needs the indexes that `retriever evaluate` keeps; builds what is missing.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retriever.build import build
from retriever.confidence import (
    PRIOR,
    Evidence,
    auroc,
    confidence_of,
    expected_calibration_error,
    features_of,
    fit_curve,
    sharpen,
)
from retriever.defaults import DEFAULT_MIN_CONFIDENCE, off_topic_questions
from retriever.evaluate import index_of
from retriever.lexical import Analyzer
from retriever.ranking import WEIGHTS
from retriever.search import Searcher
from retriever.settings import load_settings
from retriever.types import Answer, Calibration, Encoder
from retriever.wiring import load_encoder_of

_DEPTH = 50
_NAMES = list(WEIGHTS)
# Labelled questions of an owner, and how many of them have no answer.
_GOLDEN = ((10, 1), (20, 0), (20, 2), (20, 4), (30, 3), (60, 0), (60, 6), (60, 12), (100, 10))
# Sets whose corpora are one family's; a set of no family here is one of its own.
_STEMS = Analyzer("en").words


@dataclass(frozen=True)
class Asked:
    """One question: what is known of its first hit, whether that is right, and the parts of its hits."""

    kind: str
    evidence: Evidence
    right: bool
    parts: NDArray[np.float64]
    gains: NDArray[np.float64]
    relevant: int


def family_of(name: str) -> str:
    return name.partition("-")[0]


def collect(folder: Path, encoder: Encoder, work: Path) -> list[Asked]:
    """Ask every question of a set, and keep what the curves and weights are learnt from."""
    index = index_of(folder, work)
    build([folder / "corpus.jsonl"], index, encoder, lang="en", keep=1, progress=lambda *_: None)
    searcher = Searcher.open(index, encoder)
    relevant: dict[str, set[str]] = defaultdict(set)
    for line in (folder / "qrels.tsv").read_text(encoding="utf-8").splitlines()[1:]:
        query, entry, grade = line.split("\t")
        if int(grade) > 0:
            relevant[query].add(entry)
    queries = [("answerable", q["_id"], q["text"]) for q in _lines(folder / "queries.jsonl")]
    if (folder / "oos.jsonl").is_file():
        queries += [(q["kind"].partition("-")[0], "", q["text"]) for q in _lines(folder / "oos.jsonl")]
    asked = [_asked(searcher.ask(text, _DEPTH, explain=True), kind, relevant[query]) for kind, query, text in queries]
    searcher.close()
    return asked


def collect_off_topic(folder: Path, encoder: Encoder, work: Path) -> list[Evidence]:
    """Ask a set that was collected the shipped off-topic questions."""
    searcher = Searcher.open(index_of(folder, work), encoder)
    asked = [_asked(searcher.ask(text, _DEPTH, explain=True), "far", set()) for text in off_topic_questions()]
    searcher.close()
    return [a.evidence for a in asked]


def _lines(path: Path) -> Iterable[dict[str, str]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _asked(answer: Answer, kind: str, relevant: set[str]) -> Asked:
    totals = [hit.explain.total for hit in answer.hits if hit.explain]
    words = [_STEMS(hit.question) for hit in answer.hits]
    rival = next((total for total, other in zip(totals, words, strict=True) if other != words[0]), 0.0)
    first = answer.hits[0]
    length = len(_words(f"{first.question}\n{first.answer.text}"))
    gains = np.array([hit.entry_id in relevant for hit in answer.hits], dtype=np.float64)
    parts = np.array([[hit.explain.parts[name] for name in _NAMES] for hit in answer.hits if hit.explain])
    evidence = Evidence(totals[0], totals[0] - rival, length)
    return Asked(kind, evidence, bool(gains[0]), parts, gains, len(relevant))


def _words(text: str) -> list[str]:
    import re

    return re.findall(r"\w+", text)


# --- curves -------------------------------------------------------------------------------------------------------


def fit(sets: dict[str, list[Asked]]) -> Calibration:
    """Fit both curves: families count alike, and so do a family's sets; answerable 1, far and near a half each."""
    rows = [(asked, weight) for name in sets for asked, weight in _weighted(sets, name)]
    features = features_of([asked.evidence for asked, _ in rows])
    weight = np.array([weight for _, weight in rows])
    kind = np.array([asked.kind for asked, _ in rows])
    right = np.array([asked.right for asked, _ in rows], dtype=np.float64)
    weight *= len(rows) / weight.sum()
    scope = kind != "near"
    answer = kind != "far"
    return replace(
        PRIOR,
        scope=fit_curve(features[scope][:, :2], (kind[scope] == "answerable").astype(float), weight[scope]),
        right=fit_curve(features[answer], right[answer], weight[answer]),
    )


def _weighted(sets: dict[str, list[Asked]], name: str) -> list[tuple[Asked, float]]:
    siblings = sum(family_of(other) == family_of(name) for other in sets)
    share = {"answerable": 1.0, "far": 0.5, "near": 0.5}
    many = {kind: sum(asked.kind == kind for asked in sets[name]) for kind in share}
    return [(asked, share[asked.kind] / many[asked.kind] / siblings) for asked in sets[name]]


def judge(sets: dict[str, list[Asked]], curves: Callable[[str], Calibration]) -> dict[str, object]:
    """Return the figures of each set under the curves that `curves` gives for its name, and their means."""
    rows = {name: _judge_set(asked, curves(name)) for name, asked in sets.items()}
    said = [s for name, asked in sets.items() for s in confidence_of([a.evidence for a in asked], curves(name))]
    was = [a.right for asked in sets.values() for a in asked]
    with_oos = [row for row in rows.values() if row["ece"] is not None]

    def mean(key: str) -> float:
        return round(float(np.mean([row[key] for row in rows.values() if row[key] is not None])), 4)

    return {
        "kept": mean("kept"),
        "kept_with_oos": round(float(np.mean([row["kept"] for row in with_oos])), 4),
        "kept_worst_with_oos": min(row["kept"] for row in with_oos if row["kept"] is not None),
        **{key: mean(key) for key in ("far_rejected", "far_auroc", "near_rejected", "near_auroc", "ece")},
        "ece_pooled": round(expected_calibration_error(said, was), 4),
        "sets": rows,
    }


def _judge_set(asked: Sequence[Asked], curves: Calibration) -> dict[str, float | None]:
    said = confidence_of([a.evidence for a in asked], curves)
    by_kind = {k: said[[a.kind == k for a in asked]].tolist() for k in ("answerable", "far", "near")}
    inside = by_kind["answerable"]
    row: dict[str, float | None] = {"kept": round(float(np.mean(np.array(inside) >= DEFAULT_MIN_CONFIDENCE)), 4)}
    for kind in ("far", "near"):
        outside = by_kind[kind]
        share = round(float(np.mean(np.array(outside) < DEFAULT_MIN_CONFIDENCE)), 4) if outside else None
        row |= {f"{kind}_rejected": share, f"{kind}_auroc": auroc(inside, outside)}
    has_oos = by_kind["far"] or by_kind["near"]
    row["ece"] = round(expected_calibration_error(said.tolist(), [a.right for a in asked]), 4) if has_oos else None
    return row


def sharpened(
    sets: dict[str, list[Asked]],
    off_topic: dict[str, list[Evidence]],
    curves: Callable[[str], Calibration],
    labelled: int,
    without: int,
) -> dict[str, float]:
    """Return figures a set with `labelled` questions of its own, `without` of them without an answer, and with none.

    On the rest of its questions, over five draws.
    """
    before, after = [], []
    for name, asked in sets.items():
        if all(a.kind == "answerable" for a in asked):
            continue
        elsewhere = confidence_of(off_topic[name], curves(name)).tolist()
        for seed in range(5):
            own, rest = _drawn(asked, labelled - without, without, seed)
            said = confidence_of([a.evidence for a in own], curves(name)).tolist()
            answerable = [a.kind == "answerable" for a in own]
            taught = sharpen(curves(name), said, [a.right for a in own], answerable, elsewhere)
            before.append(_judge_set(rest, curves(name)))
            after.append(_judge_set(rest, taught))
    row: dict[str, float] = {"labelled": labelled, "without_answer": without}
    for key in ("ece", "kept", "far_rejected", "near_rejected"):
        row[f"{key}_before"] = round(float(np.mean([b[key] for b in before if b[key] is not None])), 4)
        row[f"{key}_after"] = round(float(np.mean([a[key] for a in after if a[key] is not None])), 4)
    return row


def _drawn(asked: Sequence[Asked], answerable: int, without: int, seed: int) -> tuple[list[Asked], list[Asked]]:
    """Return a draw of so many questions with and without an answer, and the rest."""
    order = np.random.default_rng(seed).permutation(len(asked)).tolist()
    own = [at for at in order if asked[at].kind == "answerable"][:answerable]
    own += [at for at in order if asked[at].kind != "answerable"][:without]
    return [asked[at] for at in own], [asked[at] for at in order if at not in set(own)]


# --- weights ------------------------------------------------------------------------------------------------------


def rank_figures(asked: Sequence[Asked], factors: NDArray[np.float64]) -> tuple[float, float]:
    """Return nDCG@10 and Success@1 when each part is multiplied by its factor."""
    discounts = 1 / np.log2(np.arange(2, 12))
    ndcg, success = [], []
    for a in asked:
        if a.kind != "answerable":
            continue
        gains = a.gains[np.argsort(-(a.parts @ factors), kind="stable")][:10]
        ideal = discounts[: min(10, a.relevant)].sum()
        ndcg.append((gains * discounts[: len(gains)]).sum() / ideal)
        success.append(gains[0])
    return float(np.mean(ndcg)), float(np.mean(success))


def family_figures(sets: dict[str, list[Asked]], factors: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Return nDCG@10 and Success@1 of each family, less the sets that are only for no-answer."""
    families: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for name, asked in sets.items():
        if not name.endswith("-leaveout"):
            families[family_of(name)].append(rank_figures(asked, factors))
    return {family: np.mean(figures, axis=0) for family, figures in families.items()}


def refit(sets: dict[str, list[Asked]], draws: int = 60) -> dict[str, object]:
    """Judge weights fitted without a family: of `draws` random weightings, the best on the others."""
    random = np.random.default_rng(13)
    tried = [np.exp(random.normal(0, 0.5, len(_NAMES))) for _ in range(draws)]
    tables = [family_figures(sets, factors) for factors in tried]
    shipped = family_figures(sets, np.ones(len(_NAMES)))
    held_out = {
        family: tables[max(range(draws), key=lambda at: sum(t[0] for f, t in tables[at].items() if f != family))][
            family
        ]
        for family in shipped
    }
    middle = np.median([np.mean(list(table.values()), axis=0) for table in tables], axis=0)
    return {
        "shipped": _rounded(np.mean(list(shipped.values()), axis=0)),
        "fitted_without_the_family": _rounded(np.mean(list(held_out.values()), axis=0)),
        "median_of_random": _rounded(middle),
        "families": {f: {"shipped": _rounded(shipped[f]), "fitted_without_it": _rounded(held_out[f])} for f in shipped},
    }


def _rounded(figures: NDArray[np.float64]) -> list[float]:
    return [round(float(figure), 4) for figure in figures]


def main(folders: Sequence[Path]) -> None:
    """Collect, fit, judge, print."""
    settings = load_settings({})
    encoder = load_encoder_of(settings)
    sets = {folder.resolve().name: collect(folder.resolve(), encoder, settings.work) for folder in folders}
    off_topic = {
        folder.resolve().name: collect_off_topic(folder.resolve(), encoder, settings.work) for folder in folders
    }
    # German questions over a multilingual corpus measure the encoder's language, not the curves.
    english = {name: asked for name, asked in sets.items() if name != "covid-de"}
    without = {
        family: fit({name: asked for name, asked in english.items() if family_of(name) != family})
        for family in {family_of(name) for name in english}
    }
    shipped = fit(english)
    print(
        json.dumps(
            {
                "curves": {"scope": shipped.scope.__repr__(), "right": shipped.right.__repr__()},
                "held_out": judge(english, lambda name: without[family_of(name)]),
                "shipped": judge(english, lambda _: PRIOR),
                "golden": [
                    sharpened(english, off_topic, lambda name: without[family_of(name)], *golden) for golden in _GOLDEN
                ],
                "weights": refit(english),
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    main([Path(argument) for argument in sys.argv[1:]])
