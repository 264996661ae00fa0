"""A model run by sentence-transformers on torch, in fp32: the reference."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from retriever.encoder.tokens import Window
from retriever.errors import EncoderError
from retriever.types import EncoderSpec, Role, Vectors

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

# Passages of a batch are padded to its longest; larger batches gained nothing on a CPU.
_BATCH = 32


class SentenceEncoder:
    """A sentence-transformers model on the CPU, loaded when first used. Safe to call from several threads."""

    def __init__(self, folder: Path, spec: EncoderSpec, *, threads: int = 1) -> None:
        self._folder = folder
        self._spec = spec
        self._threads = threads
        self._lock = threading.Lock()
        self._model: SentenceTransformer | None = None
        self._window = Window(folder / "tokenizer.json", spec)

    @property
    def spec(self) -> EncoderSpec:
        return self._spec

    @property
    def files(self) -> Mapping[str, Path]:
        """Nothing travels with a snapshot: the model is loaded from where it is installed."""
        return {}

    def encode(self, texts: Sequence[str], role: Role) -> Vectors:
        """Return float32 unit vectors of shape (len(texts), dimension). Cuts what exceeds the window: see `fit`."""
        if not texts:
            return np.zeros((0, self._spec.dimension), dtype=np.float32)
        prompt = self._spec.query_prompt if role == "query" else self._spec.passage_prompt
        with self._lock:  # one encode at a time: the threads are the encoder's, not the caller's
            vectors = self.load().encode(
                list(texts), prompt=prompt, batch_size=_BATCH, normalize_embeddings=True, show_progress_bar=False
            )
        return np.ascontiguousarray(vectors, dtype=np.float32)

    def words(self) -> frozenset[str]:
        """Return the words, lower-case, that its tokenizer knows whole."""
        return self._window.words()

    def fit(self, text: str) -> int:
        """Return how many leading characters of a passage's `text` the window holds: len(text) if all of it."""
        return self._window.fit(text)

    def load(self) -> SentenceTransformer:
        """Return the model itself, loaded at the first call. Raises EncoderError if it is not what its files say."""
        if self._model is None:
            os.environ["HF_HUB_OFFLINE"] = "1"  # the folder is complete; nothing is looked up elsewhere
            os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
            import torch
            from sentence_transformers import SentenceTransformer
            from transformers.utils import logging

            logging.disable_progress_bar()  # type: ignore[no-untyped-call]
            torch.set_num_threads(self._threads)
            try:
                model = SentenceTransformer(
                    str(self._folder),
                    device="cpu",
                    local_files_only=True,
                    trust_remote_code=False,
                    model_kwargs={"use_safetensors": True},
                )
            except Exception as error:  # a model can be wrong in more ways than have a class
                raise EncoderError(
                    f"{self._folder} cannot be loaded: {error}",
                    mend="Fetch it again, or save it again with SentenceTransformer.save().",
                ) from error
            self._check(model)
            self._model = model
        return self._model

    def _check(self, model: SentenceTransformer) -> None:
        """The spec was read from files: hold it against the model that came of them."""
        dimension, window = model.get_embedding_dimension(), model.max_seq_length
        if dimension != self._spec.dimension or window != self._spec.window:
            raise EncoderError(
                f"{self._folder} says dimension {self._spec.dimension} and window {self._spec.window}, "
                f"but loads as {dimension} and {window}",
                mend="Save the model again with SentenceTransformer.save().",
            )
