"""What earlier builds made, so that a build makes only what is new: vectors by encoder spec and text, bytes by key.

Each is one SQLite file, each row with a checksum. A row that was damaged is not found, and a file that cannot be read
is dropped and made anew: it holds nothing that is not elsewhere.
"""

from __future__ import annotations

import hashlib
import sqlite3
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np

from retriever.types import EncoderSpec, Vectors

_VARIABLES = 500  # SQLite's own limit was 999 variables a statement until 3.32
# Several versions and branches of a corpus fit before anything is forgotten.
_SLACK = 8
_Found = TypeVar("_Found")


class VectorCache:
    """Vectors of texts that were encoded before."""

    def __init__(self, path: Path, spec: EncoderSpec) -> None:
        self._spec = hashlib.sha256(msgspec.json.encode({**msgspec.to_builtins(spec), "model": ""})).digest()
        self._dimension = spec.dimension
        self._table = _Table(path, "vectors", ("spec", "text", "crc32", "vector"), "spec, text")

    def __enter__(self) -> VectorCache:
        return self

    def __exit__(self, *_: object) -> None:
        self._table.close()

    def get(self, texts: Iterable[str]) -> dict[str, Vectors]:
        """Return the vectors, shape (dimension,), of those `texts` that are known."""
        by_key = {_key(text): text for text in texts}
        rows = self._table.run(lambda db: self._rows(db, sorted(by_key)))  # in their order, pages are read once
        sound = [(by_key[key], vector) for key, crc32, vector in rows if self._is_sound(key, crc32, vector)]
        vectors = np.frombuffer(b"".join(vector for _, vector in sound), np.float32).reshape(-1, self._dimension)
        return {text: vector for (text, _), vector in zip(sound, vectors, strict=True)}

    def _rows(self, db: sqlite3.Connection, keys: Sequence[bytes]) -> list[tuple[bytes, Any, Any]]:
        found = []
        for start in range(0, len(keys), _VARIABLES):
            part = keys[start : start + _VARIABLES]
            marks = ",".join("?" * len(part))
            sql = f"SELECT text, crc32, vector FROM vectors WHERE spec = ? AND text IN ({marks})"  # noqa: S608
            found += db.execute(sql, [self._spec, *part]).fetchall()
        return found

    def _is_sound(self, key: bytes, crc32: Any, vector: Any) -> bool:
        return isinstance(vector, bytes) and len(vector) == 4 * self._dimension and crc32 == _crc32(key, vector)

    def put(self, texts: Sequence[str], vectors: Vectors) -> None:
        """Keep the vectors, shape (len(texts), dimension), of `texts`."""
        keyed = [(_key(text), vector.tobytes()) for text, vector in zip(texts, vectors, strict=True)]
        rows = [(self._spec, key, _crc32(key, vector), vector) for key, vector in keyed]
        self._table.write("INSERT OR REPLACE INTO vectors VALUES (?, ?, ?, ?)", rows)

    def keep_only(self, texts: Iterable[str]) -> None:
        """Forget everything but `texts` once the cache is many times larger than what is in use."""
        keys: Mapping[bytes, None] = dict.fromkeys(map(_key, texts))

        def forget(db: sqlite3.Connection) -> None:
            (held,) = db.execute("SELECT count(*) FROM vectors").fetchone()
            if held <= _SLACK * (len(keys) + 1000):
                return
            with db:
                db.execute("CREATE TEMP TABLE used (text BLOB PRIMARY KEY)")
                db.executemany("INSERT INTO used VALUES (?)", ((key,) for key in keys))
                db.execute("DELETE FROM vectors WHERE spec != ? OR text NOT IN (SELECT text FROM used)", [self._spec])
                db.execute("DROP TABLE used")
            db.execute("VACUUM")

        self._table.run(forget)


def _key(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:16]


def _crc32(key: bytes, vector: bytes) -> int:
    return zlib.crc32(vector, zlib.crc32(key))


class KeptBytes(MutableMapping[bytes, bytes]):
    """Bytes by key, in a file."""

    def __init__(self, path: Path) -> None:
        self._table = _Table(path, "kept", ("key", "digest", "bytes"), "key")

    def __enter__(self) -> KeptBytes:
        return self

    def __exit__(self, *_: object) -> None:
        self._table.close()

    def __getitem__(self, key: bytes) -> bytes:
        sql = "SELECT digest, bytes FROM kept WHERE key = ?"
        digest, value = self._table.run(lambda db: db.execute(sql, [key]).fetchone()) or (None, None)
        if not isinstance(value, bytes) or digest != _digest(key, value):
            raise KeyError(key)
        return value

    def __setitem__(self, key: bytes, value: bytes) -> None:
        self._table.write("INSERT OR REPLACE INTO kept VALUES (?, ?, ?)", [(key, _digest(key, value), value)])

    def __delitem__(self, key: bytes) -> None:
        self._table.write("DELETE FROM kept WHERE key = ?", [(key,)])

    def __iter__(self) -> Iterator[bytes]:
        return iter([key for (key,) in self._table.run(lambda db: db.execute("SELECT key FROM kept").fetchall())])

    def __len__(self) -> int:
        return len(list(iter(self)))


def _digest(key: bytes, value: bytes) -> bytes:
    return hashlib.blake2b(value, key=key, digest_size=16).digest()


class _Table:
    """One table in a file of its own, made anew where the file turns out to be damaged."""

    def __init__(self, path: Path, name: str, columns: Sequence[str], key: str) -> None:
        self._path = path
        self._check = f"SELECT {', '.join(columns)} FROM {name} LIMIT 1"  # noqa: S608  (our own words)
        typed = ", ".join(f"{column} BLOB" for column in columns)
        self._make = f"CREATE TABLE IF NOT EXISTS {name} ({typed}, PRIMARY KEY ({key}))"
        try:
            self._db = self._open()
        except sqlite3.DatabaseError:
            self._db = self._open_anew()

    def _open(self) -> sqlite3.Connection:
        db = sqlite3.connect(self._path)
        try:
            # Losing the last of it in a power cut costs making it again, nothing more.
            db.execute("PRAGMA synchronous = OFF")
            db.execute(self._make)
            db.execute(self._check).fetchone()
        except sqlite3.DatabaseError:
            db.close()
            raise
        return db

    def _open_anew(self) -> sqlite3.Connection:
        for path in (self._path, self._path.with_name(f"{self._path.name}-journal")):
            path.unlink(missing_ok=True)
        return self._open()

    def run(self, act: Callable[[sqlite3.Connection], _Found]) -> _Found:
        """Return what `act` does with the file; on one that is found damaged, with a new one."""
        try:
            return act(self._db)
        except sqlite3.OperationalError:  # a full disk, say, which no new file would mend
            raise
        except sqlite3.DatabaseError:
            self.close()
            self._db = self._open_anew()
            return act(self._db)

    def write(self, sql: str, rows: Sequence[Sequence[object]]) -> None:
        """Run one statement on each of `rows`, all or none."""

        def act(db: sqlite3.Connection) -> None:
            with db:
                db.executemany(sql, rows)

        self.run(act)

    def close(self) -> None:
        self._db.close()
