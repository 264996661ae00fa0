"""Several processes that do the same work: forked from one parent, which replaces those that die and stops them all.

uvicorn's own supervisor starts each worker as a fresh Python, which imports everything anew and shares none of its
memory, and its workers outlive a parent that is killed. These are forks of a parent that has imported everything, made
the application and loaded the encoder, and has nothing else open: no thread, no snapshot.
"""

from __future__ import annotations

import ctypes
import gc
import logging
import mmap
import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import FrameType

_LOG = logging.getLogger(__name__)

# A worker that dies younger than this is not replaced at once: one that cannot live must not keep a core busy.
_YOUNG_SECONDS = 1.0
_LOOK_SECONDS = 1.0
_STOP = (signal.SIGTERM, signal.SIGINT)


class Workers:
    """The parent of `count` processes that each run `work`, given a number and whether it is the first ever started.

    Args:
        work: what a worker does until it is told to stop by SIGTERM. It returns when it is done. Numbers go from 0 to
            `count` - 1; one that replaces another has its number.
        count: how many there are.
        grace: seconds that workers have to stop; those that take longer are killed.
        died: called by the parent with the number of a worker that has ended, before another takes its place.
    """

    def __init__(
        self, work: Callable[[int, bool], None], count: int, *, grace: float, died: Callable[[int], None]
    ) -> None:
        self._work = work
        self._count = count
        self._grace = grace
        self._died = died
        self._born: dict[int, tuple[int, float]] = {}  # by pid: the number, and when
        self._stopping = False

    def run(self) -> None:
        """Run until told to stop by SIGTERM or SIGINT, and all workers have."""
        for kind in _STOP:
            signal.signal(kind, self._stop)
        signal.signal(signal.SIGALRM, self._kill)
        # What the parent has imported is here to stay. Collecting it would take the workers time, and a copy of each
        # page that they share with the parent, since the collector writes to what it looks at.
        gc.collect()
        gc.freeze()
        _trim()
        for number in range(self._count):
            self._start(number, first=number == 0)
        _leave_files()
        while self._born:
            pid, status = os.waitpid(-1, 0)
            if pid not in self._born:
                continue
            number, born = self._born.pop(pid)
            self._died(number)
            if not self._stopping:
                _LOG.error("worker %d died (%s); another takes its place", pid, _reason(status))
                time.sleep(max(0.0, born + _YOUNG_SECONDS - time.monotonic()))
                self._start(number, first=False)
                _leave_files()
        signal.setitimer(signal.ITIMER_REAL, 0)

    def _start(self, number: int, *, first: bool) -> None:
        # A signal that arrives now waits until both sides know who they are.
        signal.pthread_sigmask(signal.SIG_BLOCK, _STOP)
        try:
            if self._stopping:
                return
            pid = os.fork()
            if pid == 0:
                self._be_worker(number, first)
            self._born[pid] = number, time.monotonic()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOP)

    def _be_worker(self, number: int, first: bool) -> None:
        """Do the work, and leave by no way that runs what the parent meant to do at its own end."""
        code = 1
        try:
            for kind in (*_STOP, signal.SIGALRM):
                signal.signal(kind, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOP)
            threading.Thread(target=_leave_with, args=(os.getppid(),), name="watch-parent", daemon=True).start()
            self._work(number, first)
            code = 0
        except BaseException:
            _LOG.exception("a worker failed")
        finally:
            os._exit(code)

    def _stop(self, _signal: int, _frame: FrameType | None) -> None:
        self._stopping = True
        for pid in self._born:
            os.kill(pid, signal.SIGTERM)
        signal.setitimer(signal.ITIMER_REAL, self._grace)

    def _kill(self, _signal: int, _frame: FrameType | None) -> None:
        for pid in self._born:
            os.kill(pid, signal.SIGKILL)


def _trim() -> None:
    """Give the system back what is free, now and later, where the C library knows how.

    While an encoder is loaded much is taken, and having seen large blocks come and go, glibc keeps what is free. And
    what the event loop has let go, the threads for questions may take: they run one at a time.
    """
    with suppress(AttributeError, OSError):
        library = ctypes.CDLL(None)
        library.malloc_trim(0)
        library.mallopt(_TRIM_THRESHOLD, _KEPT_FREE)
        library.mallopt(_ARENA_MAX, 1)


_TRIM_THRESHOLD, _ARENA_MAX = -1, -8  # of malloc.h
_KEPT_FREE = 2**20


def _leave_files() -> None:
    """Have none of the files in memory that this process maps, code among them, but what it needs from here on.

    It has read 20 MB of libraries that workers read only parts of. Nothing is lost: what is touched again, by the next
    fork for one, is mapped again. Where a page was changed, as the linker does, all of its mapping stays.
    """
    with suppress(AttributeError, OSError):
        library = ctypes.CDLL(None)
        library.madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
        for begin, end in _unchanged(Path("/proc/self/smaps").read_text()):
            library.madvise(begin, end - begin, mmap.MADV_DONTNEED)


def _unchanged(smaps: str) -> Iterator[tuple[int, int]]:
    """Yield where those mappings of files begin and end that nobody may write to, or has written to."""
    for head, fields in re.findall(r"^([0-9a-f]+-[0-9a-f]+ .*)\n((?:[A-Z].*\n)+)", smaps, re.MULTILINE):
        places, rights, *_, path = head.split(maxsplit=5)
        changed = re.search(r"^(Anonymous|Swap): +[1-9]", fields, re.MULTILINE)
        if path.startswith("/") and "w" not in rights and not changed:
            begin, end = places.split("-")
            yield int(begin, 16), int(end, 16)


def _leave_with(parent: int) -> None:
    """Stop this worker once its parent is gone: nobody would replace or stop it any more."""
    while os.getppid() == parent:
        time.sleep(_LOOK_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)


def _reason(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    return f"signal {-code}" if code < 0 else f"exit code {code}"
