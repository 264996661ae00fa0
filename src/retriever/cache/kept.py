"""Bytes by key in one SQLite file, each row with a checksum.

A row that was damaged is not found, and a file that cannot be read is dropped and made anew.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

_Found = TypeVar("_Found")


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


class Borrowed(MutableMapping[bytes, bytes]):
    """The bytes that a file of `KeptBytes` holds, for who must not write to it: what is put is held here alone.

    Where there is no such file, or none that can be read now, nothing is found. It counts and names what was put.
    """

    def __init__(self, path: Path) -> None:
        self._own: dict[bytes, bytes] = {}
        self._db: sqlite3.Connection | None = None
        with suppress(sqlite3.Error):
            self._db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=1)

    def __enter__(self) -> Borrowed:
        return self

    def __exit__(self, *_: object) -> None:
        if self._db:
            self._db.close()

    def __getitem__(self, key: bytes) -> bytes:
        return self._own[key] if key in self._own else self._found(key)

    def _found(self, key: bytes) -> bytes:
        row = None
        with suppress(sqlite3.Error):
            sql = "SELECT digest, bytes FROM kept WHERE key = ?"
            row = self._db.execute(sql, [key]).fetchone() if self._db else None
        if row is None or not isinstance(row[1], bytes) or row[0] != _digest(key, row[1]):
            raise KeyError(key)
        return row[1]

    def __setitem__(self, key: bytes, value: bytes) -> None:
        self._own[key] = value

    def __delitem__(self, key: bytes) -> None:
        del self._own[key]

    def __iter__(self) -> Iterator[bytes]:
        return iter(list(self._own))

    def __len__(self) -> int:
        return len(self._own)


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
