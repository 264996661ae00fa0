"""The vectors of a cut, those of new texts encoded; and what they say of confidence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from retriever.build.cut import Cut
from retriever.cache import VectorCache, keys_of
from retriever.confidence import PRIOR
from retriever.defaults import off_topic_questions
from retriever.separation import separation_of
from retriever.types import Calibration, Encoder, Vectors

Progress = Callable[[str, int, int], None]
"""Called with a step's name, how much of it is done, and how much there is."""

# Enough texts that a progress bar moves smoothly and a killed build loses little.
_ENCODE_AT_ONCE = 256


def encode(cut: Cut, encoder: Encoder, cache: VectorCache, progress: Progress) -> tuple[Vectors, int]:
    """Return the vectors of a cut, shape (len(cut), dimension), and how many texts had to be encoded."""
    known, vectors = cache.get(cut.keys)
    missing = np.flatnonzero(~known)
    texts = list(cut.texts(missing))
    # Longest first: fp32 pads a batch to its longest text, threads end together, and too little memory shows at once.
    new = sorted(set(texts), key=lambda text: (-len(text), text))
    places = {text: place for place, text in enumerate(new)}
    encoded = np.zeros((len(new), encoder.spec.dimension), np.float32)
    for start in range(0, len(new), _ENCODE_AT_ONCE):
        progress("encode", start, len(new))
        part = slice(start, start + _ENCODE_AT_ONCE)
        encoded[part] = encoder.encode(new[part], "passage")
        cache.put(keys_of(new[part]), encoded[part])
    progress("encode", len(new), len(new))
    cache.keep_only(cut.keys)
    vectors[missing] = encoded[[places[text] for text in texts]]
    return vectors, len(new)


def calibrate(cut: Cut, vectors: Vectors, off_topic: Vectors) -> Calibration:
    """Return the shipped curves with this corpus's floor, and what they can tell here.

    The floor is the mean cosine of the off-topic questions with the corpus's own: that of nothing in common.
    """
    asked = cut.of_kind("question")
    floor = round(float(off_topic.mean(axis=0) @ vectors[asked].mean(axis=0)), 4)
    separation = separation_of(cut.entries, cut.table["entry"], asked, cut.of_kind("answer"), vectors, off_topic)
    return replace(PRIOR, floor=floor, separation=separation)


def off_topic(encoder: Encoder, cache: VectorCache) -> Vectors:
    """Return the vectors of the shipped off-topic questions, each of them kept under a name that no passage has."""
    questions = off_topic_questions()
    names = keys_of(f"\0query\0{question}" for question in questions)
    known, vectors = cache.get(names)
    if not known.all():
        vectors = encoder.encode(questions, "query")
        cache.put(names, vectors)
    return vectors
