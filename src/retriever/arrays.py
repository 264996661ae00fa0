"""Named arrays in one file: read into memory while they are small, mapped where they are large.

What is mapped costs no time to open and no memory of one's own, and several processes share it. But a mapped file that
somebody cuts short is a bus error for whoever reads it, and what is in memory is safe from that. So only what is too
large to copy is mapped.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

LARGE = 256 * 2**20
"""Bytes from which a file is mapped: below, copying it takes under a tenth of a second."""
_ALIGN = 64  # a cache line


class _Place(msgspec.Struct):
    dtype: str
    shape: tuple[int, ...]
    start: int


def write_arrays(arrays: Mapping[str, NDArray[Any]], path: Path) -> None:
    """Write `arrays`; the same arrays are the same bytes."""
    places, start = {}, 0
    for name, array in arrays.items():
        places[name] = _Place(array.dtype.str, array.shape, start)
        start += -(-array.nbytes // _ALIGN) * _ALIGN
    head = msgspec.json.encode(places)
    head += b" " * (-(len(head) + 8) % _ALIGN)
    with path.open("wb") as file:
        file.write(len(head).to_bytes(8, "little") + head)
        for array in arrays.values():
            file.write(np.ascontiguousarray(array).data)
            file.write(b"\0" * (-array.nbytes % _ALIGN))


def open_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Return the arrays of a file that `write_arrays` wrote, read-only; its digest must have been checked."""
    whole = open_bytes(path)
    begin = 8 + int.from_bytes(whole[:8].tobytes(), "little")
    places = msgspec.json.decode(whole[8:begin].tobytes(), type=dict[str, _Place])
    return {name: _array(whole[begin + place.start :], place) for name, place in places.items()}


def open_bytes(path: Path) -> NDArray[np.uint8]:
    """Return the bytes of a file, mapped from LARGE on, read-only."""
    if path.stat().st_size >= LARGE:
        return np.memmap(path, dtype=np.uint8, mode="r").view(np.ndarray)
    whole = np.fromfile(path, dtype=np.uint8)
    whole.flags.writeable = False
    return whole


def open_array(path: Path) -> NDArray[Any]:
    """Return the array of a file that `numpy.save` wrote, mapped from LARGE on, read-only."""
    large = path.stat().st_size >= LARGE
    array: NDArray[Any] = np.load(path, mmap_mode="r" if large else None, allow_pickle=False)
    array.flags.writeable = False
    return array.view(np.ndarray)


def _array(held: NDArray[np.uint8], place: _Place) -> NDArray[Any]:
    dtype = np.dtype(place.dtype)
    size = int(np.prod(place.shape, dtype=np.int64)) * dtype.itemsize
    return held[:size].view(dtype).reshape(place.shape)
