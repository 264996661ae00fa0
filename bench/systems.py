"""The simple systems that the product is measured against, on the same sets, with the same encoder and measures."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import bm25s
import ir_measures
import numpy as np
import Stemmer
from ir_measures import Success, nDCG
from numpy.typing import NDArray

from retriever.cache import VectorCache, keys_of
from retriever.types import Encoder, Role

Scores = NDArray[np.float32]


@dataclass(frozen=True)
class TestSet:
    """A folder in BEIR's layout, and the encoder that the dense systems share."""

    folder: Path
    encoder: Encoder
    cache: VectorCache

    def lines(self, name: str) -> list[dict[str, str]]:
        return [json.loads(line) for line in (self.folder / name).read_text(encoding="utf-8").splitlines()]

    def encode(self, texts: Sequence[str], role: Role) -> Scores:
        known, vectors = self.cache.get(keys_of(texts))
        new = list(dict.fromkeys(text for text, is_known in zip(texts, known, strict=True) if not is_known))
        if new:
            self.cache.put(keys_of(new), self.encoder.encode(new, role))
            _, vectors = self.cache.get(keys_of(texts))
        return vectors


def bm25(test: TestSet) -> Scores:
    """BM25 over question + answer, English stemming."""
    stemmer = Stemmer.Stemmer("english")
    texts = [f"{entry['title']} {entry['text']}" for entry in test.lines("corpus.jsonl")]
    engine = bm25s.BM25()
    engine.index(bm25s.tokenize(texts, stemmer=stemmer, show_progress=False), show_progress=False)
    queries = [query["text"] for query in test.lines("queries.jsonl")]
    tokens = bm25s.tokenize(queries, stemmer=stemmer, show_progress=False, return_ids=False)
    return np.stack([engine.get_scores(words) if words else np.zeros(len(texts), np.float32) for words in tokens])


def _cosines(test: TestSet, text_of: Callable[[dict[str, str]], str]) -> Scores:
    entries = test.encode([text_of(entry) for entry in test.lines("corpus.jsonl")], "passage")
    return test.encode([query["text"] for query in test.lines("queries.jsonl")], "query") @ entries.T


def answers_only(test: TestSet) -> Scores:
    """The encoder over answers, exact: what everyone writes first."""
    return _cosines(test, lambda entry: entry["text"])


def as_one_text(test: TestSet) -> Scores:
    """The encoder over question + answer as one text."""
    return _cosines(test, lambda entry: f"{entry['title']} {entry['text']}")


def mean_of_two(test: TestSet) -> Scores:
    """The mean of the cosines with the question and with question + answer."""
    return (_cosines(test, lambda entry: entry["title"]) + as_one_text(test)) / 2


SYSTEMS = {
    "BM25 over question + answer": bm25,
    "the encoder over answers only, FAISS: what everyone writes first": answers_only,
    "the encoder, question + answer as one text": as_one_text,
    "the encoder, mean of question and question + answer": mean_of_two,
}


def measure(test: TestSet, scores: Scores) -> dict[str, float]:
    """Return nDCG@10 and Success@1 of `scores`, shape (queries, entries); ties go by the entry's place."""
    ids = [entry["_id"] for entry in test.lines("corpus.jsonl")]
    best = np.argsort(-scores, axis=1, kind="stable")[:, :10]
    run = [
        ir_measures.ScoredDoc(query["_id"], ids[at], float(-rank))
        for query, row in zip(test.lines("queries.jsonl"), best, strict=True)
        for rank, at in enumerate(row)
    ]
    rows = (line.split("\t") for line in (test.folder / "qrels.tsv").read_text().splitlines()[1:])
    qrels = [ir_measures.Qrel(query, entry, int(grade)) for query, entry, grade in rows]
    found = ir_measures.calc_aggregate([nDCG @ 10, Success @ 1], qrels, run)
    return {"ndcg@10": found[nDCG @ 10], "success@1": found[Success @ 1]}
