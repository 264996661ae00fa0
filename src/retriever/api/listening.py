"""The socket that the workers of a server share: a connection goes to the worker that has the fewest open.

Left to themselves they race for it, and clients that keep their connections end up behind one worker while another has
little to do.
"""

from __future__ import annotations

import socket
import time
from typing import Any

from retriever.api.board import Board

# A worker that has fewer connections and has not looked for another for so long hangs. Beside questions that are being
# answered, an event loop may wait 5 ms for Python to let it run, and then for a core.
_PATIENCE_SECONDS = 0.02
# The socket says at once, again, that somebody waits: asking it without a pause would take the core from who should
# look. A loop that pauses serves its own connections so much later, and no more.
_PAUSE_SECONDS = 0.0001
# A worker that has more requests than this has no time to pause, and where they pile up the others have as many.
_MANY = 16


class Listening(socket.socket):
    """A socket that listens already, to be given to asyncio in each worker.

    Args:
        bound: TCP; it is used up.
        board: where the workers count their connections.
        patience: how many seconds connections are left to a worker that has fewer and does not look for any.
    """

    def __init__(self, bound: socket.socket, board: Board, *, patience: float = _PATIENCE_SECONDS) -> None:
        # asyncio sends at once on a socket that says it is TCP, as those accepted do after this one. On any other the
        # last part of a reply waits 40 ms for word that the first has arrived.
        super().__init__(bound.family, bound.type, socket.IPPROTO_TCP, fileno=bound.detach())
        self._board = board
        self._patience = patience
        self._paused = 0.0  # seconds, all in all
        # To whom connections have been left: how often that worker had looked for one, and `_paused` then.
        self._left: dict[int, tuple[int, float]] = {}

    def listen(self, _backlog: int = 0) -> None:
        """Begin to take connections. The queue stays: asyncio would shrink it to the number that it accepts at once."""
        self._board.listening(True)

    def accept(self) -> tuple[socket.socket, Any]:
        """Return a connection, counted until it is closed, and its address.

        Raises BlockingIOError where there is none, or where it is left to another worker.
        """
        if self._leave():
            began = time.monotonic()
            time.sleep(_PAUSE_SECONDS)
            self._paused += time.monotonic() - began
            raise BlockingIOError
        taken, address = super().accept()
        return _Counted(taken, self._board), address

    def close(self) -> None:
        """Take no more connections; the other workers do."""
        self._board.listening(False)
        super().close()

    def _leave(self) -> bool:
        """Tell whether a worker that has fewer connections may be on its way.

        One that hangs takes the others' patience once, not at each connection: until it looks again.
        """
        self._board.look()
        if self._board.asked > _MANY:
            return False
        patient = False
        for number, looks in self._board.emptier():
            if number not in self._left or self._left[number][0] != looks:
                self._left[number] = looks, self._paused
            patient = patient or self._paused - self._left[number][1] < self._patience
        return patient


class _Counted(socket.socket):
    """A connection that is on the board until it is closed."""

    _board: Board | None = None

    def __init__(self, taken: socket.socket, board: Board) -> None:
        super().__init__(taken.family, taken.type, taken.proto, fileno=taken.detach())
        self._board = board
        board.connections(+1)

    def close(self) -> None:
        super().close()
        self._discount()

    def detach(self) -> int:
        self._discount()
        return super().detach()

    def __del__(self) -> None:
        # asyncio drops a connection that it cannot make a protocol for. Whatever else ends, the count must be right.
        self.close()

    def _discount(self) -> None:
        board, self._board = self._board, None
        if board is not None:
            board.connections(-1)
