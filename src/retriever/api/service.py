"""The searcher that a server asks: opened in the background, and exchanged for the next one when that is published."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from retriever.errors import RetrieverError, SnapshotError
from retriever.search import Searcher

_EXAMPLES = 3
# A new snapshot is to be served within 2 s of its publication: this, and the time that opening it takes.
_LOOK_SECONDS = 0.25
# What cannot be opened may be mended in place, as by the return of a disk.
_RETRY_SECONDS = 30.0
_LOG = logging.getLogger(__name__)


class NotReadyError(SnapshotError):
    """No snapshot is open yet, or it could not be opened."""


class Served:
    """An open searcher, and how many requests use it. `examples` are questions that the page offers."""

    def __init__(self, searcher: Searcher) -> None:
        self.searcher = searcher
        self.manifest = searcher.manifest
        self.examples = searcher.sample(_EXAMPLES)
        searcher.suggest(
            "waar waarmm waarmmuppp"
        )  # so that nobody who types waits for what is made when it is first needed
        self.users = 0
        self.retired = False

    @property
    def unused(self) -> bool:
        """Whether nobody uses it and nobody will."""
        return self.retired and not self.users


class Service:
    """Opens a searcher in a thread of its own, and the next one whenever `wanted` tells of another.

    A request holds the searcher that it was given by `lease` until it is done, so each is answered from one snapshot,
    and none is closed under it.

    Args:
        open_searcher: opens what is to be served now, warm. Called in the background.
        wanted: tells the id of the snapshot that is to be served. Cheap, since it is called a few times a second; where
            it is not given, what was opened first is served for good.
    """

    def __init__(self, open_searcher: Callable[[], Searcher], wanted: Callable[[], str | None] = lambda: None) -> None:
        self._open_searcher = open_searcher
        self._wanted = wanted
        self._served: Served | None = None
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self.tried = threading.Event()
        """Set once the index was opened or could not be."""
        self._problem: str | None = "The index is being opened."

    def start(self) -> None:
        """Begin to open, and to watch for the next."""
        threading.Thread(target=self._watch, name="watch-index", daemon=True).start()

    def stop(self) -> None:
        """Let go of the snapshot, once the last request has ended."""
        self._stopping.set()
        self._exchange(None)

    @contextmanager
    def lease(self) -> Iterator[Served]:
        """Yield what is served now, which stays open meanwhile. Raises NotReadyError while there is nothing."""
        with self._lock:
            served = self._served
            if served is None:
                raise NotReadyError(self._problem or "The server is stopping.")
            served.users += 1
        try:
            yield served
        finally:
            with self._lock:
                served.users -= 1
                unused = served.unused
            if unused:
                served.searcher.close()

    @property
    def problem(self) -> str | None:
        """Why the snapshot that is published is not the one served; None where it is."""
        return self._problem

    def _watch(self) -> None:
        tried, retry_at = self._wanted(), time.monotonic() + _RETRY_SECONDS
        self._open()
        self.tried.set()
        while not self._stopping.wait(_LOOK_SECONDS):
            wanted = self._wanted()
            if wanted == tried and (self._problem is None or time.monotonic() < retry_at):
                continue
            tried, retry_at = wanted, time.monotonic() + _RETRY_SECONDS
            if self._served is not None and wanted == self._served.manifest.id:
                self._problem = None
            else:
                self._open()

    def _open(self) -> None:
        try:
            served = Served(self._open_searcher())
        except RetrieverError as error:
            self._problem = str(error)
            _LOG.error("the index cannot be served: %s", error)
        except Exception:
            self._problem = "The index cannot be opened; the server's log says why."
            _LOG.exception("the index cannot be opened")
        else:
            self._problem = None
            self._exchange(served)
            _LOG.info("ready: snapshot %s", served.manifest.id)

    def _exchange(self, served: Served | None) -> None:
        """Serve `served` from now on, and close what was served before as soon as nobody uses it."""
        with self._lock:
            if self._stopping.is_set() and served is not None:
                served, old = None, served
            else:
                old, self._served = self._served, served
            if old is not None:
                old.retired = True
            unused = old is not None and old.unused
        if old is not None and unused:
            old.searcher.close()
