"""What the workers of a server tell each other, in memory that they share: a few numbers of each."""

from __future__ import annotations

import mmap
import threading

_BYTES = 8  # of a number


class Board:
    """Numbers of every worker, made before the fork. A worker writes its own; all read them, in a microsecond or two.

    Those of a worker that has not begun, or has died and was cleared, are 0: it takes no connections and asks nothing.

    Args:
        count: how many workers there are, or will be.
    """

    def __init__(self, count: int = 1) -> None:
        cells = memoryview(mmap.mmap(-1, 4 * _BYTES * count)).cast("q")
        self._listening, self._looks, self._connections, self._asking = (
            cells[field * count : (field + 1) * count] for field in range(4)
        )
        self._mine = 0
        # A number is read and then written, on whichever thread; and a connection may be freed, and so counted off, by
        # a thread that is counting.
        self._lock = threading.RLock()

    # --- who writes -----------------------------------------------------------------------------------------------

    def take(self, number: int) -> None:
        """Have this process be worker `number`, from 0, from now on. Until it says so, one is worker 0."""
        self._mine = number

    def clear(self, number: int) -> None:
        """Forget what worker `number` said: it is dead. To be called by its parent, before another takes its place."""
        for cells in (self._listening, self._looks, self._connections, self._asking):
            cells[number] = 0

    # --- connections ----------------------------------------------------------------------------------------------

    def listening(self, whether: bool) -> None:
        """Say whether this worker takes connections."""
        self._listening[self._mine] = whether

    def look(self) -> None:
        """Say that this worker has just looked for a connection: it does not hang."""
        self._add(self._looks, 1)

    def connections(self, change: int) -> None:
        """Say that this worker has `change` more connections open, or fewer."""
        self._add(self._connections, change)

    def emptier(self) -> list[tuple[int, int]]:
        """Return each worker that takes connections and has fewer: its number, and how often it has looked for one."""
        mine = self._connections[self._mine]
        said = zip(self._listening, self._connections, self._looks, strict=True)
        return [(number, looks) for number, (on, open_, looks) in enumerate(said) if on and open_ < mine]

    # --- questions ------------------------------------------------------------------------------------------------

    def asking(self, change: int) -> None:
        """Say that this worker works on `change` more questions, or fewer. To be called on any thread."""
        self._add(self._asking, change)

    @property
    def asked(self) -> int:
        """How many questions this worker works on."""
        return self._asking[self._mine]

    def spare(self, cores: int) -> bool:
        """Tell whether each question that a worker works on could have two of so many cores.

        A worker that was stopped in the middle of a question still works on it.
        """
        return 2 * sum(self._asking) <= cores

    def _add(self, cells: memoryview[int], change: int) -> None:
        with self._lock:
            cells[self._mine] += change
