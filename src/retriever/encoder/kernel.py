"""BERT run by `kernel.c`, in half of the time that onnxruntime takes for the same numbers.

The C file is compiled where retriever is installed, if there is a compiler, and runs on x86 with AVX-512 VNNI.
Elsewhere onnxruntime runs the graph, and the vectors are the same but for the rounding of floats.
"""

from __future__ import annotations

import ctypes
import math
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from retriever.encoder.layout import NORMS, NOTE, PRODUCTS, Shape, problem_of
from retriever.encoder.tensors import notes_of, tensors_of
from retriever.errors import EncoderError
from retriever.types import Vectors

Arrays = Mapping[str, NDArray[Any]]
Made = TypeVar("Made")

# kernel.c takes so many numbers of a token, and so many outputs, at once, and aligns what it keeps.
_LANES, _PANEL, _ALIGNED = 16, 64, 64
_LARGE_PAGE = 2**21
_GELU_STEP = 0.35  # of kernel.c: the steps end where the bump is 4e-7

_POINTER, _INT = ctypes.c_void_p, ctypes.c_int64


class _Linear(ctypes.Structure):
    _fields_ = (
        *((name, _POINTER) for name in ("weights", "scales", "bias", "factors")),
        *((name, _INT) for name in ("inputs", "outputs")),
    )


class _Norm(ctypes.Structure):
    _fields_ = (("weight", _POINTER), ("bias", _POINTER))


class _Layer(ctypes.Structure):
    _fields_ = (*((name, _Linear) for name in PRODUCTS), *((name, _Norm) for name in NORMS))


class _Model(ctypes.Structure):
    _fields_ = (
        *((name, _POINTER) for name in ("words", "word_scales", "places")),
        ("embedded", _Norm),
        ("layers", _POINTER),
        *((name, _INT) for name in ("count", "hidden", "wide", "heads", "first")),
        ("gelu", _POINTER),
        ("epsilon", ctypes.c_float),
    )


def why_not() -> str | None:
    """Return why the kernel does not run here; None if it does."""
    if _compiled() is None:
        return "no C compiler was found when retriever was installed"
    return None if _library() else "this processor has no AVX-512 VNNI"


def _compiled() -> Path | None:
    """Return the compiled file: a library, and no module of Python's."""
    paths = (Path(__file__).with_name(f"kernel_c{suffix}") for suffix in EXTENSION_SUFFIXES)
    return next((path for path in paths if path.is_file()), None)


@cache
def _library() -> Any:
    path = _compiled()
    if path is None:
        return None
    library = ctypes.CDLL(str(path))
    library.retriever_runs.argtypes = (_INT,)
    if not library.retriever_runs(ctypes.sizeof(_Model)):
        return None
    if not hasattr(library, "retriever_expect"):
        raise EncoderError(f"{path} was compiled from an older kernel.c", mend="Install retriever again.")
    library.retriever_encode.argtypes = (_POINTER, _POINTER, _INT, _POINTER, _POINTER, _INT)
    library.retriever_encode.restype = _INT
    library.retriever_begin.argtypes = (_POINTER, _POINTER, _INT, _POINTER)
    library.retriever_expect.argtypes, library.retriever_expect.restype = (), None
    library.retriever_help.argtypes, library.retriever_help.restype = (), None
    library.retriever_pack.argtypes = (_POINTER, _INT, _INT, _POINTER)
    library.retriever_pack.restype = None
    return library


def open_kernel(graph: Path) -> Kernel | None:
    """Return what runs the graph; None if it is no BERT that the kernel takes, or the kernel does not run here.

    Raises EncoderError if the file is not what it says.
    """
    library = _library()
    if library is None:
        return None
    try:
        content = graph.read_bytes()
        note = notes_of(content).get(NOTE)
        if note is None:
            return None
        shape = msgspec.json.decode(note, type=Shape)
        if not _fits(shape):
            return None
        arrays = tensors_of(content)
        problem = problem_of(arrays, shape)
    except (OSError, ValueError, LookupError, TypeError, msgspec.MsgspecError) as error:
        problem = str(error)
    if problem:
        raise EncoderError(f"{graph} is no graph that was exported here: {problem}", mend="Build again.")
    return Kernel(library, arrays, shape)


def _fits(shape: Shape) -> bool:
    if shape.heads < 1 or shape.hidden < shape.heads:
        return False
    head = shape.hidden // shape.heads  # those of a panel are worked at together
    parts = ((shape.hidden, _PANEL), (shape.wide, _PANEL), (head, _LANES), (_PANEL, head))
    return not any(whole % part for whole, part in parts) and head * shape.heads == shape.hidden


@cache
def _start_helper() -> None:
    """Start what helps with one text at a time, on a core that is free; nothing where no thread is to be had."""
    with suppress(RuntimeError):
        threading.Thread(target=_library().retriever_help, name="encoder", daemon=True).start()


class Kernel:
    """A model, laid out for `kernel.c`. Safe to call from several threads, which run side by side."""

    def __init__(self, library: Any, arrays: Arrays, shape: Shape) -> None:
        self._encode, self._begin = library.retriever_encode, library.retriever_begin
        self._expect = library.retriever_expect
        self._hidden = shape.hidden
        self._words, self._places = len(arrays["words"]), len(arrays["places"])
        self._kept: list[NDArray[Any]] = []  # what structures point to must stay
        self._packed = _packed(library, arrays)
        self._layers = (_Layer * shape.layers)(*(self._layer(arrays, number) for number in range(shape.layers)))
        self._model = _Model(
            *(self._keep(arrays[name]) for name in ("words", "word_scales", "places")),
            self._norm(arrays, "embedded"),
            ctypes.addressof(self._layers),
            *(shape.layers, shape.hidden, shape.wide, shape.heads, shape.first),
            self._keep(_bump()),
            shape.epsilon,
        )
        self._at = ctypes.addressof(self._model)
        self._rooms = threading.local()
        self._helped, self._helped_room = threading.Lock(), _Room(self._room_for)

    def _layer(self, arrays: Arrays, number: int) -> _Layer:
        products = (self._linear(arrays, f"{number}.{name}") for name in PRODUCTS)
        norms = (self._norm(arrays, f"{number}.{name}") for name in NORMS)
        return _Layer(*products, *norms)

    def _linear(self, arrays: Arrays, name: str) -> _Linear:
        rest = (arrays.get(f"{name}.{part}") for part in ("scales", "bias", "factors"))
        pointers = (None if array is None else self._keep(array) for array in rest)
        return _Linear(self._packed[name].ctypes.data, *pointers, *arrays[f"{name}.weights"].shape)

    def _norm(self, arrays: Arrays, name: str) -> _Norm:
        return _Norm(*(self._keep(arrays[f"{name}.{part}"]) for part in ("weight", "bias")))

    def _keep(self, array: NDArray[Any]) -> int:
        """Return where a copy of `array` is, of its own: the bytes of the file can then be let go."""
        self._kept.append(array.copy())
        return self._kept[-1].ctypes.data

    def run(self, ids: Sequence[int]) -> Vectors:
        """Return the vector, shape (hidden,), of a text of token ids, of which there must be one at least.

        Raises EncoderError for ids that the model does not have, or more than its window.
        """
        tokens = self._tokens(ids)
        room = getattr(self._rooms, "own", None)
        if room is None:
            room = self._rooms.own = _Room(self._room_for)
        vector = np.empty(self._hidden, np.float32)
        self._encode(self._at, tokens.ctypes.data, len(tokens), room.at(len(tokens)), vector.ctypes.data, 0)
        return vector

    def expect(self) -> None:
        """Have another core ready for `run_beside`, which is about to be called."""
        _start_helper()
        self._expect()

    def run_beside(self, ids: Sequence[int], work: Callable[[], Made]) -> tuple[Vectors, Made]:
        """Return the same, and what `work` makes: another core encodes meanwhile, and then the two of them do.

        One text is encoded so at a time; others as by `run`, after their work.
        """
        if not self._helped.acquire(blocking=False):
            made = work()
            return self.run(ids), made
        try:
            _start_helper()
            tokens, vector = self._tokens(ids), np.empty(self._hidden, np.float32)
            text = self._at, tokens.ctypes.data, len(tokens), self._helped_room.at(len(tokens))
            into = vector.ctypes.data
            begun = self._begin(*text)
            try:
                made = work()
            finally:  # what was begun has to be ended
                self._encode(*text, into, begun)
            return vector, made
        finally:
            self._helped.release()

    def _tokens(self, ids: Sequence[int]) -> NDArray[np.int32]:
        if not 0 < len(ids) <= self._places or min(ids) < 0 or max(ids) >= self._words:
            raise EncoderError(f"{len(ids)} token ids are not of this model's vocabulary and window")
        return np.array(ids, np.int32)

    def _room_for(self, tokens: int) -> int:
        return int(self._encode(self._at, None, tokens, None, None, 0))


class _Room:
    """Scratch memory for texts, as large as the longest of them so far has needed.

    Args:
        size: returns the bytes that a text of so many tokens takes.
    """

    def __init__(self, size: Callable[[int], int]) -> None:
        self._size = size
        self._tokens, self._begins = 0, 0
        self._bytes = np.empty(0, np.uint8)

    def at(self, tokens: int) -> int:
        """Return where there is room for a text of so many tokens."""
        if self._tokens < tokens:
            self._bytes = np.empty(self._size(tokens) + _ALIGNED, np.uint8)
            self._begins = self._bytes.ctypes.data + -self._bytes.ctypes.data % _ALIGNED
            self._tokens = tokens
        return self._begins


def _bump() -> NDArray[np.float32]:
    """Return the cubics, shape (4 powers, _LANES steps), of what GELU takes off the part of x above 0.

    That is u (1 - Phi(u)) with u = |x|. Each cubic goes through it at the four nodes of Chebyshev's on its step; the
    whole is within 1e-5 of it, where a token's values are rounded to about 1e-2.
    """
    nodes = np.cos(np.pi * (2 * np.arange(4) + 1) / 8) / 2
    there = (np.arange(_LANES)[:, None] + nodes) * _GELU_STEP
    bump = [[u / 2 * math.erfc(u / math.sqrt(2)) for u in step] for step in there.tolist()]
    return np.linalg.solve(np.vander(nodes), np.transpose(bump)).astype(np.float32)


def _packed(library: Any, arrays: Arrays) -> Mapping[str, NDArray[np.uint8]]:
    """Return the weights of each product as `kernel.c` reads them, in one piece where large pages can hold them: 5%."""
    weights = {name.removesuffix(".weights"): a for name, a in arrays.items() if name.endswith(".weights")}
    whole = np.empty(sum(array.size for array in weights.values()) + _LARGE_PAGE, np.uint8)
    at = -whole.ctypes.data % _LARGE_PAGE
    packed = {}
    for name, array in weights.items():
        packed[name] = whole[at : at + array.size]
        library.retriever_pack(array.ctypes.data, *array.shape, packed[name].ctypes.data)
        at += array.size
    return packed
