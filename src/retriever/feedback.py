"""What askers said of answers, and what they asked, where the owner wants it kept: one small file to tend the FAQ by.

The file stands beside the index, never inside it. Every use opens it, makes one short transaction and closes it, so any
number of processes share it, and whoever removes it has removed all of it.
"""

from __future__ import annotations

import logging
import os
import re
import sqlite3
import threading
import time
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from heapq import merge
from itertools import takewhile
from operator import itemgetter
from pathlib import Path

from retriever.errors import FeedbackError, RetrieverError
from retriever.types import Answer, Recalled

_LOG = logging.getLogger(__name__)

MOST_KEPT = 100_000
"""Rows of each table; with questions of 100 characters the file stays under 40 MB."""
_DAY = 86_400.0
_BUSY_SECONDS = 5.0  # another process's transaction takes milliseconds, and a busy disk's under a second
_TABLES = """
CREATE TABLE IF NOT EXISTS said (
    at REAL NOT NULL, question TEXT NOT NULL, entry_id TEXT NOT NULL, helpful INTEGER NOT NULL, snapshot TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS asked (
    at REAL NOT NULL, question TEXT NOT NULL, entry_id TEXT, confidence REAL NOT NULL, answered INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS said_at ON said (at);
CREATE INDEX IF NOT EXISTS asked_at ON asked (at);
"""


@dataclass(frozen=True, slots=True)
class Said:
    """What an asker said of an entry that was shown for a question; `at` is seconds since 1970."""

    at: float
    question: str
    entry_id: str
    helpful: bool
    snapshot: str


@dataclass(frozen=True, slots=True)
class Asked:
    """A question and what became of it: its first entry, how sure that was, and whether it was given as the answer."""

    at: float
    question: str
    entry_id: str | None
    confidence: float
    answered: bool

    @classmethod
    def of(cls, answer: Answer) -> Asked:
        """Return what is kept of an answer given now."""
        first = answer.hits[0].entry_id if answer.hits else None
        return cls(time.time(), answer.question, first, answer.confidence, answer.answered)


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A question that got no answer, as it was worded last; `nearest` is the entry that came closest then."""

    question: str
    times: int
    last: float
    nearest: str | None
    confidence: float


@dataclass(frozen=True, slots=True)
class Opinion:
    """What askers said of an entry. `unhelpful_for` are questions that it did not help with, the latest first."""

    entry_id: str
    helpful: int
    unhelpful: int
    unhelpful_for: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Tended:
    """What an owner tends by: `asked` questions are kept, `answered` of them had an answer."""

    asked: int
    answered: int
    unanswered: tuple[Unanswered, ...]
    opinions: tuple[Opinion, ...]


class Feedback:
    """The file at `path`; what is older than `days` is removed. Safe to use from any thread and process."""

    def __init__(self, path: Path, days: int) -> None:
        self._path = path
        self._days = days
        self._turn = threading.Lock()  # SQLite lets waiting threads in as it happens, and one may wait for ever

    def check(self) -> None:
        """Raise FeedbackError where nothing can be kept."""
        with self._open() as db, db:
            db.execute("DELETE FROM said WHERE at < 0")

    def say(self, said: Said) -> None:
        """Keep what an asker said. Raises FeedbackError."""
        row = (said.at, said.question, said.entry_id, said.helpful, said.snapshot)
        self._add("said", [row])

    def note(self, asked: Sequence[Asked]) -> None:
        """Keep questions. Raises FeedbackError."""
        self._add("asked", [(one.at, one.question, one.entry_id, one.confidence, one.answered) for one in asked])

    def tended(self, most: int) -> Tended:
        """Return what an owner tends by: the `most` unanswered questions asked most often, and all opinions."""
        if not self._path.exists():
            return Tended(0, 0, (), ())
        with self._open() as db:
            asked, answered = db.execute("SELECT count(*), coalesce(sum(answered), 0) FROM asked").fetchone()
            rows = db.execute(
                "SELECT at, question, entry_id, confidence FROM asked WHERE NOT answered ORDER BY at DESC"
            )
            unanswered = _grouped(rows)
            opinions = _opinions(db.execute("SELECT question, entry_id, helpful FROM said ORDER BY at DESC"))
        return Tended(asked, answered, tuple(unanswered[:most]), tuple(opinions))

    def recent(self, most: int) -> tuple[Recalled, ...]:
        """Return the `most` latest distinct questions, each with the entries that were said to help with it."""
        if not self._path.exists():
            return ()
        with self._open() as db:
            # Each by its index, and no further than need be.
            tables = [db.execute(f"SELECT at, question FROM {name} ORDER BY at DESC") for name in ("asked", "said")]  # noqa: S608
            latest: dict[str, str] = {}
            for _, question in merge(*tables, key=itemgetter(0), reverse=True):
                latest.setdefault(_key(question), question)
                if len(latest) >= most:
                    break
            said: dict[str, dict[str, int]] = {}
            for question, entry_id, helpful in db.execute("SELECT question, entry_id, helpful FROM said"):
                votes = said.setdefault(_key(question), {})
                votes[entry_id] = votes.get(entry_id, 0) + (1 if helpful else -1)
        return tuple(
            Recalled(question, frozenset(entry for entry, votes in said.get(key, {}).items() if votes > 0))
            for key, question in latest.items()
        )

    def _add(self, table: str, rows: Sequence[Sequence[object]]) -> None:
        places = ", ".join("?" * len(rows[0]))
        with self._open() as db, db:
            db.executemany(f"INSERT INTO {table} VALUES ({places})", rows)  # noqa: S608  (our own words)
            db.execute(f"DELETE FROM {table} WHERE at < ?", [time.time() - self._days * _DAY])  # noqa: S608
            newest = f"(SELECT max(rowid) FROM {table})"  # noqa: S608
            db.execute(f"DELETE FROM {table} WHERE rowid <= {newest} - ?", [MOST_KEPT])  # noqa: S608

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            # Questions are their askers': nobody else on this machine is to read them.
            os.close(os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600))
            with self._turn, closing(sqlite3.connect(self._path, timeout=_BUSY_SECONDS)) as db:
                db.executescript("PRAGMA synchronous = NORMAL;" + _TABLES)
                yield db
        except (OSError, sqlite3.Error) as error:
            raise FeedbackError(
                f"{self._path} cannot be used: {error}",
                mend="Mend its permissions, make room, or name another file: RETRIEVER_FEEDBACK.",
            ) from error


def _key(question: str) -> str:
    """Return what two askers' ways to type one question have in common: its words, in order."""
    return " ".join(re.findall(r"\w+", question.casefold())) or question.strip()


def _grouped(rows: Iterator[tuple[float, str, str | None, float]]) -> list[Unanswered]:
    """Return the questions once each, the most often asked first; `rows` come latest first."""
    last: dict[str, tuple[float, str, str | None, float]] = {}
    times: dict[str, int] = {}
    for row in rows:
        key = _key(row[1])
        last.setdefault(key, row)
        times[key] = times.get(key, 0) + 1
    found = [
        Unanswered(question, times[key], at, nearest, confidence)
        for key, (at, question, nearest, confidence) in last.items()
    ]
    return sorted(found, key=lambda one: (-one.times, -one.last))


_MOST_EXAMPLES = 5


def _opinions(rows: Iterator[tuple[str, str, int]]) -> list[Opinion]:
    """Return what was said of each entry, the least helpful first; `rows` come latest first."""
    helpful: dict[str, int] = {}
    unhelpful: dict[str, list[str]] = {}
    for question, entry_id, helped in rows:
        helpful[entry_id] = helpful.get(entry_id, 0) + bool(helped)
        unhelpful.setdefault(entry_id, []).extend([] if helped else [question])
    found = [
        Opinion(entry_id, count, len(unhelpful[entry_id]), tuple(dict.fromkeys(unhelpful[entry_id]))[:_MOST_EXAMPLES])
        for entry_id, count in helpful.items()
    ]
    return sorted(found, key=lambda one: (one.helpful - one.unhelpful, one.entry_id))


_FLUSH_SECONDS = 1.0
_HOLD_SECONDS = 5.0
"""How long a question that may still be typed is held back: whoever types longer than that at one word starts anew."""
_MOST_WAITING = 10_000
_COMPLAIN_SECONDS = 60.0


class QuestionLog:
    """Hands questions to `keep` in a thread of its own, so that no answer waits for a disk.

    A page asks while its reader types, and what is wanted is the question that was meant. So one that may still be
    typed is held for a moment, and gives way to one that carries on from it. Nobody is known here, and two who type
    the beginning of the same question at the same moment count as one.
    """

    def __init__(self, keep: Callable[[Sequence[Asked]], None], *, hold: float = _HOLD_SECONDS) -> None:
        self._keep = keep
        self._hold = hold
        self._new: deque[tuple[Asked, bool]] = deque(maxlen=_MOST_WAITING)
        self._held = _Held()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="question-log", daemon=True)
        self._silent_until = 0.0

    def start(self) -> None:
        """Begin to keep what is noted."""
        self._thread.start()

    def note(self, asked: Asked, *, typed: bool) -> None:
        """Take a question, at once; `typed` says that its asker may not have come to its end."""
        self._new.append((asked, typed))

    def stop(self) -> None:
        """Keep what is left, and end."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(2 * _BUSY_SECONDS)

    def _run(self) -> None:
        while not self._stopping.wait(_FLUSH_SECONDS):
            self._flush(time.time() - self._hold)
        self._flush(float("inf"))

    def _flush(self, until: float) -> None:
        """Keep what was meant, of all that was asked before `until`."""
        meant: list[Asked] = []
        while self._new:
            asked, typed = self._new.popleft()
            if typed:
                self._held.put(asked)
            else:
                meant.append(asked)
        meant += self._held.pop(until)
        if not meant:
            return
        try:
            self._keep(meant)
        except RetrieverError as error:
            if time.monotonic() >= self._silent_until:
                self._silent_until = time.monotonic() + _COMPLAIN_SECONDS
                _LOG.error("questions are not kept: %s", error)


class _Held:
    """Questions that may still be typed, by their text; one that carries on from others takes their place.

    Some hundreds may be held at once, so each is compared with a few: texts that begin alike are neighbours.
    """

    def __init__(self) -> None:
        self._asked: dict[str, Asked] = {}
        self._texts: list[str] = []  # sorted

    def put(self, asked: Asked) -> None:
        """Hold a question, and forget those that it carries on from."""
        text = asked.question.casefold().strip()
        for before in self._before(text):
            self._forget(before)
        self._asked[text] = asked
        insort(self._texts, text)

    def pop(self, until: float) -> list[Asked]:
        """Return the questions asked by then, in their order, and hold them no longer."""
        ripe = [text for text, asked in self._asked.items() if asked.at <= until]
        return [self._forget(text) for text in ripe]

    def _forget(self, text: str) -> Asked:
        del self._texts[bisect_left(self._texts, text)]
        return self._asked.pop(text)

    def _before(self, text: str) -> set[str]:
        found = {text[:end] for end in range(1, len(text) + 1)} & self._asked.keys()
        place = bisect_left(self._texts, text)
        for neighbours in (self._texts[place:], reversed(self._texts[:place])):
            found.update(takewhile(lambda other: _carries_on(other, text), neighbours))
        return found


def _carries_on(one: str, other: str) -> bool:
    """Tell whether one of two texts is the other typed on, taken back or mended at its end."""
    shorter = min(len(one), len(other))
    shared = next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), shorter)
    return shared * 3 >= shorter * 2
