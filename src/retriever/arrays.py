"""Named arrays in one file: read into memory while they are small, mapped where they are large.

What is mapped costs no time to open and no memory of one's own, and several processes share it. But a mapped file that
somebody cuts short is a bus error for whoever reads it, and what is in memory is safe from that. So only what is too
large to copy is mapped.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

Read = Callable[[Path], NDArray[np.uint8]]
"""What returns the bytes of a file, read-only, with their end on a multiple of ALIGN."""

LARGE = 256 * 2**20
"""Bytes from which a file is mapped: below, copying it takes under a tenth of a second."""
ALIGN = 64
"""A cache line. Heads of files have any length, and arrays stand at their end."""


class _Place(msgspec.Struct):
    dtype: str
    shape: tuple[int, ...]
    start: int


def write_arrays(arrays: Mapping[str, NDArray[Any]], path: Path) -> None:
    """Write `arrays`; the same arrays are the same bytes."""
    places, start = {}, 0
    for name, array in arrays.items():
        places[name] = _Place(array.dtype.str, array.shape, start)
        start += -(-array.nbytes // ALIGN) * ALIGN
    head = msgspec.json.encode(places)
    head += b" " * (-(len(head) + 8) % ALIGN)
    with path.open("wb") as file:
        file.write(len(head).to_bytes(8, "little") + head)
        for array in arrays.values():
            file.write(np.ascontiguousarray(array).data)
            file.write(b"\0" * (-array.nbytes % ALIGN))


def open_bytes(path: Path) -> NDArray[np.uint8]:
    """Return the bytes of a file, mapped from LARGE on, read-only."""
    size = path.stat().st_size
    if size >= LARGE:
        return np.memmap(path, dtype=np.uint8, mode="r").view(np.ndarray)
    room = np.empty(size + ALIGN, np.uint8)
    whole = room[-(room.ctypes.data + size) % ALIGN :][:size]
    with path.open("rb", buffering=0) as file:
        whole = whole[: file.readinto(whole.data)]
    whole.flags.writeable = False
    return whole


def open_arrays(path: Path, read: Read = open_bytes) -> dict[str, NDArray[Any]]:
    """Return the arrays of a file that `write_arrays` wrote, read-only; its digest must have been checked."""
    whole = read(path)
    begin = 8 + int.from_bytes(whole[:8].tobytes(), "little")
    places = msgspec.json.decode(whole[8:begin].tobytes(), type=dict[str, _Place])
    return {name: _array(whole[begin + place.start :], place) for name, place in places.items()}


def open_array(path: Path, read: Read = open_bytes) -> NDArray[Any]:
    """Return the array of a file that `numpy.save` wrote, read-only; its digest must have been checked."""
    whole = read(path)
    head = io.BytesIO(whole[:_MOST_HEAD].tobytes())
    version = npy.read_magic(head)
    shape, _, dtype = (npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0)(head)
    return whole[head.tell() :].view(dtype).reshape(shape)


_MOST_HEAD = 4096  # ours take 128 bytes


def _array(held: NDArray[np.uint8], place: _Place) -> NDArray[Any]:
    dtype = np.dtype(place.dtype)
    size = int(np.prod(place.shape, dtype=np.int64)) * dtype.itemsize
    return held[:size].view(dtype).reshape(place.shape)
