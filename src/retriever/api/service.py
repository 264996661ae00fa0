"""The searcher that a server asks: opened in the background, so that health is told from the first moment."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from retriever.errors import RetrieverError, SnapshotError
from retriever.search import Searcher
from retriever.types import Manifest

_EXAMPLES = 3
_LOG = logging.getLogger(__name__)


class NotReadyError(SnapshotError):
    """No snapshot is open yet, or it could not be opened."""


class Service:
    """Opens a searcher with `open_searcher` in a thread of its own, and says why while there is none."""

    def __init__(self, open_searcher: Callable[[], Searcher]) -> None:
        self._open_searcher = open_searcher
        self._searcher: Searcher | None = None
        self._why = "The index is being opened."
        self.examples: list[str] = []
        self.manifest: Manifest | None = None

    def start(self) -> None:
        """Begin to open."""
        threading.Thread(target=self._open, name="open-index", daemon=True).start()

    def _open(self) -> None:
        try:
            searcher = self._open_searcher()
            self.examples, self.manifest = searcher.sample(_EXAMPLES), searcher.manifest
        except RetrieverError as error:
            self._why = str(error)
            _LOG.error("the index cannot be served: %s", error)
        except Exception:
            self._why = "The index cannot be opened; the server's log says why."
            _LOG.exception("the index cannot be opened")
        else:
            self._searcher = searcher
            _LOG.info("ready: snapshot %s", searcher.manifest.id)

    @property
    def searcher(self) -> Searcher:
        """The open searcher. Raises NotReadyError while there is none."""
        if self._searcher is None:
            raise NotReadyError(self._why)
        return self._searcher

    def stop(self) -> None:
        """Let go of the snapshot."""
        if self._searcher is not None:
            self._searcher.close()
