"""What the files of a snapshot hold."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from retriever.types import Entry, Passage, PassageKind

FORMAT = 8
KINDS: tuple[PassageKind, ...] = ("question", "alternate", "answer", "sentence", "entry")
PASSAGE = np.dtype([("entry", "<u4"), ("kind", "u1"), ("number", "<u4"), ("start", "<u4"), ("end", "<u4")])
LINE = np.dtype([("start", "<u8"), ("length", "<u4"), ("crc32", "<u4")])
Spans = dict[str, dict[str, tuple[int, int]]]
GATE = "gate.json"


def build_again(index: Path) -> str:
    """Return what mends an index that cannot be served."""
    return f"Build it again: retriever build --index {index}"


def encode_entries(entries: Sequence[Entry]) -> tuple[bytes, NDArray[np.void]]:
    """Return `entries` as JSON Lines, and where each line lies in them."""
    lines = [msgspec.json.encode(entry) for entry in entries]
    table = np.zeros(len(lines), dtype=LINE)
    table["length"] = [len(line) for line in lines]
    table["start"][1:] = np.cumsum(table["length"].astype(np.uint64) + 1)[:-1]
    table["crc32"] = [zlib.crc32(line) for line in lines]
    return b"".join(line + b"\n" for line in lines), table


def encode_passages(passages: Sequence[tuple[int, Passage]]) -> NDArray[np.void]:
    """Return the passage table of (ordinal, passage) pairs, a row each."""
    return np.array(
        [(ordinal, KINDS.index(p.kind), p.number, p.start, p.end) for ordinal, p in passages], dtype=PASSAGE
    )
