"""Several encoders as one: their vectors side by side, so that one index and one product serve them all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from retriever.encoder.models import PACKAGED
from retriever.encoder.onnx import SPEC, OnnxEncoder, numbered, read_export
from retriever.types import EncoderSpec, Role, Vectors

_FLOORS = {packaged.weights: packaged.floor for packaged in PACKAGED.values()}


class JointEncoder:
    """Encoders side by side. The cosine of two of its vectors is the mean of its parts' cosines, weighted by `shares`.

    Safe to call from several threads.
    """

    def __init__(self, parts: Sequence[OnnxEncoder]) -> None:
        self._parts = parts
        self._shares = shares_of([part.spec for part in parts])
        self._spec = _join([part.spec for part in parts], self._shares)

    @property
    def spec(self) -> EncoderSpec:
        return self._spec

    @property
    def shares(self) -> tuple[float, ...]:
        """How much of a cosine is each part's; their sum is 1."""
        return self._shares

    @property
    def files(self) -> Mapping[str, Path]:
        """What travels with a snapshot: the files of all parts, numbered from the second on."""
        parts = enumerate(self._parts, 1)
        return {numbered(name, number): path for number, part in parts for name, path in part.files.items()}

    def encode(self, texts: Sequence[str], role: Role) -> Vectors:
        """Return float32 unit vectors of shape (len(texts), dimension). Cuts what exceeds the window: see `fit`."""
        parts = zip(self._parts, self._shares, strict=True)
        vectors = [part.encode(texts, role) * np.float32(np.sqrt(share)) for part, share in parts]
        return np.concatenate(vectors, axis=1, dtype=np.float32)

    def words(self) -> frozenset[str]:
        """Return the words, lower-case, that any part's tokenizer knows whole."""
        return frozenset().union(*(part.words() for part in self._parts))

    def fit(self, text: str) -> int:
        """Return how many leading characters of a passage's `text` all parts' windows hold: len(text) if all of it."""
        return min(part.fit(text) for part in self._parts)


def shares_of(specs: Sequence[EncoderSpec]) -> tuple[float, ...]:
    """Return the share of each in a joint cosine.

    Unrelated texts do not stand at 0 but at a model's floor, .05 with one and .45 with another, so what tells texts
    apart is 1 - floor wide. A share in proportion to 1 / (1 - floor) makes it equally wide for all. A model whose
    floor is not known here is taken to have none.
    """
    widths = [1 / (1 - _FLOORS.get(spec.weights, 0.0)) for spec in specs]
    return tuple(round(width / sum(widths), 4) for width in widths)


def _join(specs: Sequence[EncoderSpec], shares: Sequence[float]) -> EncoderSpec:
    def joined(values: Sequence[str]) -> str:
        return "+".join(values) if any(values) else ""

    return EncoderSpec(
        model=joined([spec.model for spec in specs]),
        weights=joined([spec.weights for spec in specs]),
        tokenizer=joined([spec.tokenizer for spec in specs]),
        dimension=sum(spec.dimension for spec in specs),
        window=min(spec.window for spec in specs),
        pooling=joined([f"{share}*{spec.pooling}" for share, spec in zip(shares, specs, strict=True)]),
        query_prompt=joined([spec.query_prompt for spec in specs]),
        passage_prompt=joined([spec.passage_prompt for spec in specs]),
        precision=specs[0].precision,
        graph=joined([spec.graph for spec in specs]),
    )


def open_export(folder: Path, *, threads: int = 1) -> OnnxEncoder | JointEncoder:
    """Open the encoder whose files are in `folder`, all of its parts. Raises EncoderError if it is not whole."""
    parts: list[OnnxEncoder] = []
    while not parts or (folder / numbered(SPEC, len(parts) + 1)).is_file():
        number = len(parts) + 1
        parts.append(OnnxEncoder(folder, read_export(folder, number), threads=threads, number=number))
    return JointEncoder(parts) if len(parts) > 1 else parts[0]
