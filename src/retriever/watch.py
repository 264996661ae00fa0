"""Rebuild when the corpus changes, beside a server: in processes of their own, so that answers are not slowed."""

from __future__ import annotations

import multiprocessing
import os
import signal
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from retriever.errors import CorpusError, NoSnapshot, RetrieverError
from retriever.readers import find_files
from retriever.rebuild import start_build
from retriever.settings import Settings
from retriever.snapshot import current_id

_EVERY_SECONDS = 0.5
# A look at a large corpus takes its time; it is to take at most this share of one core.
_MOST_SHARE = 0.05
# A build that failed may have met another one, or a full disk: it is tried again, ever less often.
_AGAIN_SECONDS, _MOST_SECONDS = 15.0, 600.0
_NICE = 10
_FAILED = 1

_State = frozenset[tuple[str, int, int]]


@contextmanager
def watching(settings: Settings) -> Iterator[None]:
    """Build now and whenever the corpus changes, as long as the context is open. Reports and failures go to stderr.

    Raises RetrieverError where there is no index yet and none can be built.
    """
    _first_build(settings)
    # Spawned, not forked: a server may fork workers of its own, which must not have the watcher's threads or files.
    watcher = multiprocessing.get_context("spawn").Process(
        target=_watch, args=(settings, os.getpid()), name="watch", daemon=True
    )
    watcher.start()
    try:
        yield
    finally:
        watcher.terminate()
        watcher.join()


def _first_build(settings: Settings) -> None:
    try:
        current_id(settings.index)
    except NoSnapshot:
        code = start_build(settings).wait()
        if code == _FAILED:
            raise RetrieverError("there is no index yet, and none could be built: see above") from None


def _watch(settings: Settings, server: int) -> None:
    """Poll, and build once the corpus has been still for a moment; end with the server."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server, whose end is heard of
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    os.nice(_NICE)
    built: _State | None = None
    seen = _state(settings.corpus)
    wait, due = _AGAIN_SECONDS, 0.0
    while os.getppid() == server:
        began = time.monotonic()
        before, seen = seen, _state(settings.corpus)
        if seen == before and (seen != built or 0 < due <= began):
            failed = _build(settings, server) == _FAILED
            wait = min(2 * wait, _MOST_SECONDS) if failed and seen == built else _AGAIN_SECONDS
            due = time.monotonic() + wait if failed else 0.0
            built = seen
        else:
            time.sleep(max(_EVERY_SECONDS, (time.monotonic() - began) / _MOST_SHARE))


def _state(paths: tuple[Path, ...]) -> _State:
    """Return name, time of change and size of every file of the corpus; nothing where it is not there."""
    state = set()
    with suppress(CorpusError):
        for found in find_files(paths):
            with suppress(OSError):
                status = found.path.stat()
                if not stat.S_ISDIR(status.st_mode):  # as an index is, which every build changes
                    state.add((str(found.path), status.st_mtime_ns, status.st_size))
    return frozenset(state)


def _build(settings: Settings, server: int) -> int:
    """Run a build to its end, or to that of the server, and return its exit code."""
    with start_build(settings) as build:
        try:
            while build.poll() is None and os.getppid() == server:
                time.sleep(_EVERY_SECONDS / 5)
        finally:
            build.terminate()
    if build.returncode == _FAILED:
        sys.stderr.write("watch: the build failed, and what was served before still is\n")
    return build.returncode
