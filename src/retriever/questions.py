"""The vectors of questions: remembered, or made, and beside other work where a core has nothing else to do."""

from __future__ import annotations

import threading
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
        idle: tells whether a core has nothing to do; never, unless it is given.
    """

    def __init__(self, encoder: Encoder, *, remember: int = 0, idle: Callable[[], bool] | None = None) -> None:
        self._encoder = encoder
        self._remember = remember
        self._idle = idle
        self._kept: dict[str, Vectors] = {}
        self._lock = threading.Lock()

    def expect(self, question: str) -> None:
        """Have an idle core ready for a question that is about to come, or one much like it."""
        if question not in self._kept and isinstance(self._encoder, OnnxEncoder) and self._is_helped():
            self._encoder.expect()

    def vector(self, question: str, work: Callable[[], Made]) -> tuple[Vectors, Made]:
        """Return the vector of a question, shape (dimension,), not to be changed, and what `work` makes."""
        vector = self._remembered(question)
        if vector is not None:
            made = work()
        elif isinstance(self._encoder, OnnxEncoder) and self._is_helped():
            vector, made = self._encoder.encode_beside(question, "query", work)
        else:
            vector, made = self._encoder.encode([question], "query")[0], work()
        if self._remember:
            vector.setflags(write=False)
            self._keep(question, vector)
        return vector, made

    def _is_helped(self) -> bool:
        return self._idle is not None and self._idle()

    def _remembered(self, question: str) -> Vectors | None:
        with self._lock:
            return self._kept.pop(question, None)

    def _keep(self, question: str, vector: Vectors) -> None:
        with self._lock:
            self._kept[question] = vector  # the last is the one that was asked last
            if len(self._kept) > self._remember:
                del self._kept[next(iter(self._kept))]
