"""The words of entries as numbers. Those of entries that were read before are carried over."""

from __future__ import annotations

import hashlib
import itertools
import sys
from array import array
from collections import defaultdict
from collections.abc import Iterable, MutableMapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from retriever.lexical.postings import Occurrences
from retriever.lexical.terms import WORD, compounds
from retriever.types import Entry

Kept = MutableMapping[bytes, bytes]

ASKED, ANSWERED, ASKED_CHUNKS, ANSWERED_CHUNKS = range(4)
"""The texts of an entry, in the order in which its numbers stand: words, and compound chunks once more."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """The different words of entries, and the numbers of those that each entry has, one text after the other.

    `lengths` is how many each text has, shape (entries, 4).
    """

    words: list[str]
    ids: NDArray[np.int32]
    lengths: NDArray[np.int32]

    def of(self, text: int) -> Occurrences:
        """Return where the words of one text of each entry stand."""
        parts = np.repeat(np.arange(self.lengths.size, dtype=np.int32), self.lengths.ravel())
        there = parts % 4 == text
        return Occurrences(self.ids[there], parts[there] // 4)

    def pick(self, places: NDArray[np.int64]) -> Tokens:
        """Return those of the entries at `places`, in that order."""
        sizes = self.lengths.sum(axis=1, dtype=np.int64)
        many, ends = sizes[places], np.cumsum(sizes)[places]
        at = np.repeat(ends - np.cumsum(many), many) + np.arange(int(many.sum()))
        return Tokens(self.words, self.ids[at], self.lengths[places])


class _Known(msgspec.Struct):
    """What the last build read: the key of each entry's texts, its numbers, and the words that they stand for."""

    keys: bytes = b""
    words: str = ""
    ids: bytes = b""
    lengths: bytes = b""


def read_tokens(entries: Iterable[Entry], kept: Kept | None = None) -> Tokens:
    """Return the words of `entries`; what `kept` holds of the last build is not read again."""
    known = _recall(kept)
    words = known.words.split("\n") if known.words else []
    numbers: defaultdict[str, int] = defaultdict(itertools.count(len(words)).__next__, _numbered(words))
    places = dict(_numbered(known.keys[at : at + _KEY] for at in range(0, len(known.keys), _KEY)))
    ids, lengths, keys, at = array("i"), array("i"), bytearray(), array("q")
    ids.frombytes(known.ids)
    lengths.frombytes(known.lengths)
    for entry in entries:
        asked = " \n ".join((entry.question, *entry.alternates)).lower()
        answer = "\n".join(paragraph.text for paragraph in entry.answer).lower()
        key = b"" if kept is None else _key_of(asked, answer)
        place = places.get(key)
        if place is None:
            place = len(lengths) // 4
            for found in (WORD.findall(asked), WORD.findall(answer), compounds(asked), compounds(answer)):
                ids.extend(map(numbers.__getitem__, found))
                lengths.append(len(found))
            if key:
                places[key] = place
        at.append(place)
        keys += key
    whole = Tokens(list(numbers), np.frombuffer(ids, np.int32), np.frombuffer(lengths, np.int32).reshape(-1, 4))
    if kept is None:
        return whole
    picked = whole.pick(np.frombuffer(at, np.int64))
    if len(places) > len(known.keys) // _KEY or len(at) != len(known.keys) // _KEY:
        _keep(kept, bytes(keys), picked)
    return picked


def _numbered(things: Iterable[Any]) -> Iterable[tuple[Any, int]]:
    return ((thing, number) for number, thing in enumerate(things))


_KEY = 16


def _key_of(asked: str, answer: str) -> bytes:
    return hashlib.blake2b(f"{asked}\0{answer}".encode("utf-8", "surrogatepass"), digest_size=_KEY).digest()


def _keep(kept: Kept, keys: bytes, tokens: Tokens) -> None:
    """Keep what was read, and of the words only those that are there."""
    used = np.bincount(tokens.ids, minlength=len(tokens.words)) > 0
    words = [word for word, there in zip(tokens.words, used.tolist(), strict=True) if there]
    ids = (np.cumsum(used, dtype=np.int32) - 1)[tokens.ids].astype(np.int32)
    kept.clear()
    kept[_reader()] = msgspec.msgpack.encode(_Known(keys, "\n".join(words), ids.tobytes(), tokens.lengths.tobytes()))


def _recall(kept: Kept | None) -> _Known:
    try:
        return msgspec.msgpack.decode(kept[_reader()], type=_Known) if kept is not None else _Known()
    except (KeyError, msgspec.MsgspecError):
        return _Known()


@cache
def _reader() -> bytes:
    """Return a digest of what reads: this code, that of terms, and this Python."""
    digest = hashlib.sha256(sys.version.encode())
    for file in (Path(__file__), Path(__file__).with_name("terms.py")):
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.digest()
