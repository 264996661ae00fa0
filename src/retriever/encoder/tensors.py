"""The named arrays and notes of an ONNX file, read without the packages that know ONNX.

Of protocol buffers, only what such a file is made of: https://protobuf.dev/programming-guides/encoding/ and onnx.proto.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Tensors = Mapping[str, NDArray[Any]]

_DTYPES = {1: np.float32, 2: np.uint8, 3: np.int8, 7: np.int64}  # TensorProto.DataType, as far as `bert` writes them
_GRAPH, _NOTES = 7, 14  # of ModelProto
_INITIALIZER = 5  # of GraphProto
_DIMS, _DTYPE, _NAME, _RAW = 1, 2, 8, 9  # of TensorProto


def notes_of(content: bytes) -> Mapping[str, str]:
    """Return the notes of a file (its `metadata_props`). Raises ValueError, LookupError or TypeError."""
    notes = (dict(_fields(note)) for field, note in _fields(memoryview(content)) if field == _NOTES)
    return {str(note[1], "utf-8"): str(note[2], "utf-8") for note in notes}


def tensors_of(content: bytes) -> Tensors:
    """Return the arrays of a file by name, as views of its bytes. Raises as `notes_of` does."""
    graph = dict(_fields(memoryview(content)))[_GRAPH]
    return dict(_tensor(value) for field, value in _fields(graph) if field == _INITIALIZER)


def _tensor(data: memoryview) -> tuple[str, NDArray[Any]]:
    dims: list[int] = []
    rest: dict[int, Any] = {}
    for field, value in _fields(data):
        if field == _DIMS:
            dims.append(value)
        else:
            rest[field] = value
    dtype = _DTYPES[rest[_DTYPE]]
    return str(rest[_NAME], "utf-8"), np.frombuffer(rest.get(_RAW, b""), dtype).reshape(dims)


def _fields(data: memoryview) -> Iterator[tuple[int, Any]]:
    """Yield the number and the value of each field of a message: an int, or bytes."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        kind = key & 7
        if kind == 0:
            value, at = _varint(data, at)
            yield key >> 3, value
            continue
        size, at = _varint(data, at) if kind == 2 else ({1: 8, 5: 4}[kind], at)
        yield key >> 3, data[at : at + size]
        at += size


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value, shift = 0, 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
