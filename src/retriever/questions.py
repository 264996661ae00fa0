"""The vectors of questions: remembered, or made, and beside other work where a core has nothing else to do."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from retriever.encoder import OnnxEncoder
from retriever.types import Encoder, Vectors

Made = TypeVar("Made")


class Questions:
    """Turns questions into vectors. Safe to use from several threads.

    Args:
        encoder: makes the vectors.
        remember: of how many questions, the last that were asked, the vectors are kept.
        alone: tells whether nobody else wants the machine's cores now; never, unless it is given.
    """

    def __init__(self, encoder: Encoder, *, remember: int = 0, alone: Callable[[], bool] | None = None) -> None:
        self._encoder = encoder
        self._remember = remember
        self._alone = alone
        self._kept: dict[str, Vectors] = {}

    def vector(self, question: str, work: Callable[[], Made]) -> tuple[Vectors, Made]:
        """Return the vector of a question, shape (dimension,), not to be changed, and what `work` makes."""
        kept = self._kept.pop(question, None) if self._remember else None
        if kept is not None:
            vector, made = kept, work()
        elif self._alone is not None and isinstance(self._encoder, OnnxEncoder) and self._alone():
            vector, made = self._encoder.encode_beside(question, "query", work)
        else:
            vector, made = self._encoder.encode([question], "query")[0], work()
        if self._remember:
            vector.setflags(write=False)
            self._kept[question] = vector  # the last one is the youngest
            while len(self._kept) > self._remember:
                self._kept.pop(next(iter(self._kept)), None)
        return vector, made
