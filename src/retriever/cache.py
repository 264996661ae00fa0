"""What earlier builds made, so that a build makes only what is new: vectors by encoder spec and text, bytes by key.

Each is one SQLite file. One that cannot be read is dropped and made anew: it holds nothing that is not elsewhere.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, MutableMapping, Sequence
from pathlib import Path

import msgspec
import numpy as np

from retriever.types import EncoderSpec, Vectors

# A vector that is no longer of unit length was damaged on disk, and is encoded again.
_UNIT = 1e-3
_VARIABLES = 500  # SQLite's own limit was 999 variables a statement until 3.32


class VectorCache:
    """Vectors of texts that were encoded before."""

    def __init__(self, path: Path, spec: EncoderSpec) -> None:
        self._spec = hashlib.sha256(msgspec.json.encode({**msgspec.to_builtins(spec), "model": ""})).digest()
        self._dimension = spec.dimension
        self._db = _opened(path, "vectors", ("spec", "text", "vector"), "spec, text")

    def __enter__(self) -> VectorCache:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    def get(self, texts: Iterable[str]) -> dict[str, Vectors]:
        """Return the vectors, shape (dimension,), of those `texts` that are known."""
        by_key = {_key(text): text for text in texts}
        keys = list(by_key)
        known: dict[str, Vectors] = {}
        for start in range(0, len(keys), _VARIABLES):
            part = keys[start : start + _VARIABLES]
            marks = ",".join("?" * len(part))
            sql = f"SELECT text, vector FROM vectors WHERE spec = ? AND text IN ({marks})"  # noqa: S608  (marks only)
            for key, blob in self._db.execute(sql, [self._spec, *part]):
                vector = np.frombuffer(blob, dtype=np.float32)
                if len(vector) == self._dimension and abs(float(vector @ vector) - 1) < _UNIT:
                    known[by_key[key]] = vector
        return known

    def put(self, texts: Sequence[str], vectors: Vectors) -> None:
        """Keep the vectors, shape (len(texts), dimension), of `texts`."""
        rows = [(self._spec, _key(text), vector.tobytes()) for text, vector in zip(texts, vectors, strict=True)]
        with self._db:
            self._db.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?, ?)", rows)

    def keep_only(self, texts: Iterable[str]) -> None:
        """Forget everything but `texts` once the cache is many times larger than what is in use."""
        keys: Mapping[bytes, None] = dict.fromkeys(map(_key, texts))
        (held,) = self._db.execute("SELECT count(*) FROM vectors").fetchone()
        if held <= _SLACK * (len(keys) + 1000):
            return
        with self._db:
            self._db.execute("CREATE TEMP TABLE used (text BLOB PRIMARY KEY)")
            self._db.executemany("INSERT INTO used VALUES (?)", ((key,) for key in keys))
            self._db.execute("DELETE FROM vectors WHERE spec != ? OR text NOT IN (SELECT text FROM used)", [self._spec])
            self._db.execute("DROP TABLE used")
        self._db.execute("VACUUM")


# Several versions and branches of a corpus fit before anything is forgotten.
_SLACK = 8


def _key(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:16]


class KeptBytes(MutableMapping[bytes, bytes]):
    """Bytes by key, in a file. What was damaged there is not found."""

    def __init__(self, path: Path) -> None:
        self._db = _opened(path, "kept", ("key", "digest", "bytes"), "key")

    def __enter__(self) -> KeptBytes:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    def __getitem__(self, key: bytes) -> bytes:
        found = self._db.execute("SELECT digest, bytes FROM kept WHERE key = ?", [key]).fetchone()
        digest, value = found or (None, None)
        if not isinstance(value, bytes) or digest != _digest(key, value):
            raise KeyError(key)
        return value

    def __setitem__(self, key: bytes, value: bytes) -> None:
        with self._db:
            self._db.execute("INSERT OR REPLACE INTO kept VALUES (?, ?, ?)", [key, _digest(key, value), value])

    def __delitem__(self, key: bytes) -> None:
        with self._db:
            self._db.execute("DELETE FROM kept WHERE key = ?", [key])

    def __iter__(self) -> Iterator[bytes]:
        return iter([key for (key,) in self._db.execute("SELECT key FROM kept")])

    def __len__(self) -> int:
        return len(list(iter(self)))


def _digest(key: bytes, value: bytes) -> bytes:
    return hashlib.blake2b(value, key=key, digest_size=16).digest()


def _opened(path: Path, table: str, columns: Sequence[str], key: str) -> sqlite3.Connection:
    """Open the file with that table in it; one that is damaged is made anew."""
    try:
        return _open(path, table, columns, key)
    except sqlite3.DatabaseError:
        path.unlink(missing_ok=True)
        return _open(path, table, columns, key)


def _open(path: Path, table: str, columns: Sequence[str], key: str) -> sqlite3.Connection:
    """Open the file and read all of it, so that what is damaged shows now."""
    db = sqlite3.connect(path)
    try:
        # Losing the last of it in a power cut costs making it again, nothing more.
        db.execute("PRAGMA synchronous = OFF")
        typed = ", ".join(f"{column} BLOB" for column in columns)
        db.execute(f"CREATE TABLE IF NOT EXISTS {table} ({typed}, PRIMARY KEY ({key}))")
        db.execute(f"SELECT {', '.join(columns)} FROM {table} LIMIT 0")  # noqa: S608  (our own words)
        (found,) = db.execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            raise sqlite3.DatabaseError(found)
    except sqlite3.DatabaseError:
        db.close()
        raise
    return db
