"""A corpus read: its entries in the order of ids, as a snapshot holds them, and its labelled questions."""

from __future__ import annotations

import hashlib
import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retriever.cache import READINGS, KeptBytes
from retriever.errors import CorpusError, PublishFailed
from retriever.readers import read_corpus, read_golden
from retriever.snapshot import encode_entries
from retriever.types import Corpus, Entry, Golden

_NO_GOLDEN = Golden((), (), "")


@dataclass(frozen=True, slots=True)
class Read:
    """What was read: `raw` is the entries as JSON Lines, `lines` where each lies, `digest` tells them from others."""

    corpus: Corpus
    golden: Golden
    entries: Sequence[Entry]
    raw: bytes
    lines: NDArray[np.void]
    digest: str

    @property
    def lang(self) -> str:
        """The language of most entries."""
        return Counter(entry.lang for entry in self.entries).most_common(1)[0][0]


def read(paths: Sequence[Path], index: Path, lang: str, *, labelled: bool) -> Read:
    """Read the corpus at `paths`, with its labelled questions if `labelled`.

    Raises CorpusError if nothing can be indexed or a labelled question cannot be read.
    """
    with kept_in(index / READINGS) as kept:
        corpus = read_corpus(paths, lang=lang, kept=kept)
    entries = sorted(corpus.entries, key=lambda entry: entry.id)
    if not any(entry.kind == "faq" for entry in entries):
        raise CorpusError(_nothing(paths, corpus))
    golden = _golden(paths) if labelled else _NO_GOLDEN
    raw, lines = encode_entries(entries)
    return Read(corpus, golden, entries, raw, lines, hashlib.sha256(raw).hexdigest())


def _golden(paths: Sequence[Path]) -> Golden:
    """Return the corpus's labelled questions. Raises CorpusError naming each line that is none."""
    golden = read_golden(paths)
    if golden.refused:
        bad = [f"{r.file}{f':{r.line}' if r.line else ''}: {r.reason}" for r in golden.refused]
        raise CorpusError(
            "\n  ".join(["labelled questions cannot be read, so nothing was published", *bad[:20]]),
            mend='Each line of golden.jsonl is {"question": ..., "ids": [...]}.',
        )
    return golden


@contextmanager
def kept_in(path: Path) -> Iterator[KeptBytes]:
    """Open a file of what is kept from build to build. Raises PublishFailed where that cannot be."""
    try:
        with KeptBytes(path) as kept:
            yield kept
    except sqlite3.Error as error:
        raise PublishFailed(
            f"cannot keep what was made in {path}: {error}",
            mend="Make room or mend the permissions, then build again; the snapshot served before still is.",
        ) from error


def _nothing(paths: Sequence[Path], corpus: Corpus) -> str:
    where = ", ".join(map(str, paths))
    reasons = [f"{r.file}{f':{r.line}' if r.line else ''}: {r.reason}" for row in corpus.ledger for r in row.refused]
    return "\n  ".join([f"no question with an answer was found in {where}", *reasons[:20]])
