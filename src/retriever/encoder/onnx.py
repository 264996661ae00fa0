"""An exported model, run without torch: by `kernel` where that can, else by onnxruntime.

Texts are encoded one by one, each on one thread. In some graphs int8 takes its scales from all that is in a batch, so
a text's vector would depend on its neighbours; alone, the same text is the same vector always. It costs nothing: on a
CPU, batches of 8 and 32 were slower than single texts (padding).
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from retriever.encoder.kernel import Kernel, open_kernel
from retriever.encoder.tokens import Window
from retriever.errors import EncoderError
from retriever.types import EncoderSpec, Role, Vectors

GRAPH, TOKENIZER, SPEC = "encoder.onnx", "tokenizer.json", "encoder.json"
FILES = (GRAPH, TOKENIZER, SPEC)

Made = TypeVar("Made")


# What a graph may take, of the tokens of one text.
_GIVEN: Mapping[str, Callable[[NDArray[np.int64]], NDArray[np.int64]]] = {
    "input_ids": np.asarray,
    "attention_mask": np.ones_like,
    "token_type_ids": np.zeros_like,
}


def numbered(name: str, number: int) -> str:
    """Return the name of the file `name` of the encoder with this number in a folder: only the first has its own."""
    stem, _, suffix = name.partition(".")
    return name if number == 1 else f"{stem}-{number}.{suffix}"


class OnnxEncoder:
    """A model exported by `export`, or a graph that a package ships.

    Safe to call from several threads; several texts take `threads` of its own. `kernel`: whether `kernel.c` may run it.
    """

    def __init__(
        self, folder: Path, spec: EncoderSpec, *, threads: int = 1, number: int = 1, kernel: bool = True
    ) -> None:
        self._files = {name: folder / numbered(name, number) for name in FILES}
        self._spec = spec
        self._window = Window(self._files[TOKENIZER], spec)
        self._threads = threads
        self._lock = threading.Lock()
        self._kernel = kernel
        self._engine: Kernel | Session | None = None

    @property
    def spec(self) -> EncoderSpec:
        return self._spec

    @property
    def files(self) -> Mapping[str, Path]:
        """What travels with a snapshot, so that it can be served without the model being installed."""
        return self._files

    def encode(self, texts: Sequence[str], role: Role) -> Vectors:
        """Return float32 unit vectors of shape (len(texts), dimension). Cuts what exceeds the window: see `fit`."""
        vectors = np.zeros((len(texts), self._spec.dimension), dtype=np.float32)
        prompt = self._spec.query_prompt if role == "query" else self._spec.passage_prompt

        def encode_one(at: int) -> None:
            vectors[at] = self._run(self._window.ids(prompt + texts[at]))

        if self._threads == 1 or len(texts) == 1:
            for at in range(len(texts)):
                encode_one(at)
        else:
            with ThreadPoolExecutor(self._threads) as pool:
                list(pool.map(encode_one, range(len(texts))))
        return vectors

    def expect(self) -> None:
        """Have another core ready for `encode_beside`, which is about to be called."""
        if isinstance(self._engine, Kernel):
            self._engine.expect()

    def encode_beside(self, text: str, role: Role, work: Callable[[], Made]) -> tuple[Vectors, Made]:
        """Return the vector, shape (dimension,), of one text, and what `work` makes meanwhile, on another core.

        For when that core is idle: where it is not, nothing is gained. Without `kernel.c` the one follows the other.
        """
        prompt = self._spec.query_prompt if role == "query" else self._spec.passage_prompt
        ids, engine = self._window.ids(prompt + text), self._load()
        if isinstance(engine, Kernel):
            return engine.run_beside(ids, work)
        return engine.run(ids), work()

    def _run(self, ids: Sequence[int]) -> Vectors:
        return self._load().run(ids)

    def _load(self) -> Kernel | Session:
        with self._lock:
            if self._engine is None:
                kernel = open_kernel(self._files[GRAPH]) if self._kernel else None
                self._engine = kernel or Session(self._files[GRAPH], self._spec.pooling)
        return self._engine

    def words(self) -> frozenset[str]:
        """Return the words, lower-case, that its tokenizer knows whole."""
        return self._window.words()

    def fit(self, text: str) -> int:
        """Return how many leading characters of a passage's `text` the window holds: len(text) if all of it."""
        return self._window.fit(text)


class Session:
    """A graph, run by onnxruntime on one thread."""

    def __init__(self, graph: Path, pooling: str) -> None:
        """`pooling` is what a graph that gives a vector a token is pooled by."""
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3  # errors
        self._session = onnxruntime.InferenceSession(
            str(graph),
            options,
            providers=["CPUExecutionProvider"],
            # As one node it takes five times as long: see `trimming`.
            disabled_optimizers=["SkipLayerNormFusion"],
        )
        self._inputs = [given.name for given in self._session.get_inputs()]
        self._pooling = pooling

    def run(self, ids: Sequence[int]) -> Vectors:
        """Return the unit vector, shape (dimension,), of a text of token ids."""
        tokens = np.array([ids], dtype=np.int64)
        (vectors,) = self._session.run(None, {name: _GIVEN[name](tokens) for name in self._inputs})
        if vectors.ndim == 3:  # a graph that was not exported here
            vectors = vectors[:, 0] if self._pooling == "cls" else vectors.mean(axis=1)
            vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        return np.asarray(vectors[0], dtype=np.float32)


def read_export(folder: Path, number: int = 1) -> EncoderSpec:
    """Return the spec of the export in `folder`, whose graph has the digest that it gives. Raises EncoderError."""
    mend = f"Remove {folder} and build again."
    path = folder / numbered(GRAPH, number)
    try:
        spec = msgspec.json.decode((folder / numbered(SPEC, number)).read_bytes(), type=EncoderSpec)
        graph = digest_of(path)
    except (OSError, msgspec.MsgspecError) as error:
        raise EncoderError(f"{folder} does not hold an exported encoder: {error}", mend=mend) from error
    if graph != spec.graph:
        raise EncoderError(f"{path} is not what was exported (sha256 differs)", mend=mend)
    return spec


def digest_of(path: Path) -> str:
    """Return the sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
