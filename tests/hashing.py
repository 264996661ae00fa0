"""An encoder with meaning and without weights: a text is the words it holds, each hashed into a dimension."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from retriever.types import EncoderSpec, Role, Vectors

SPEC = EncoderSpec(
    model="hashing",
    weights="0" * 64,
    tokenizer="1" * 64,
    dimension=512,
    window=32,
    pooling="sum",
    query_prompt="",
    passage_prompt="",
    precision="fp32",
)


class HashingEncoder:
    """Cosine is the share of words in common; the window is 32 words. Counts the texts it was given to encode."""

    def __init__(self, **spec: object) -> None:
        self.spec = replace(SPEC, **spec)
        self.encoded: list[str] = []

    @property
    def files(self) -> Mapping[str, Path]:
        return {}

    def words(self) -> frozenset[str]:
        return frozenset()

    def encode(self, texts: Sequence[str], role: Role) -> Vectors:  # noqa: ARG002
        self.encoded += texts
        vectors = np.zeros((len(texts), self.spec.dimension), dtype=np.float32)
        for row, text in enumerate(texts):
            for word in re.findall(r"\w+", text.lower()) or ["nothing"]:
                place = int.from_bytes(hashlib.sha256(word.encode()).digest()[:4], "big")
                vectors[row, place % self.spec.dimension] += 1
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def fit(self, text: str) -> int:
        words = list(re.finditer(r"\S+", text))
        return len(text) if len(words) <= self.spec.window else words[self.spec.window].start()
