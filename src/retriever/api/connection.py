"""A connection that ends where its client is slow: a head arrives in time and is small, and a reply is read.

uvicorn waits for ever for the first byte of a request, for the rest of its head, and for a client to read what it
asked for. The body's time and size are `guard`'s, whichever server runs the application.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from retriever.api.problems import problem

# A head is a packet or two, and they come together.
_HEAD_SECONDS = 5.0
# A question of 1,000 characters takes 12 kB in an address, and cookies of other pages on the same host come along.
_MOST_HEAD = 32 * 1024
# A client that reads nothing at all for so long does not mean to.
_READ_SECONDS = 20.0


class Connection(HttpToolsProtocol):
    """uvicorn's connection, with an end to its patience."""

    _heading = True  # a head is awaited, or has begun and not ended
    _arrived = 0  # bytes since then
    _late: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a head."""
        super().connection_made(transport)
        self._late = self.loop.call_later(_HEAD_SECONDS, self._too_late)

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of the timers, which would keep the connection in memory."""
        for timer in (self._late, self._unread):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    # --- the head of a request ------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Take what has come, unless it is a head without an end."""
        self._arrived = (self._arrived if self._heading else 0) + len(data)
        super().data_received(data)
        if self._heading and self._arrived > _MOST_HEAD:
            self._refuse(431, "The head of the request is too large.")

    def on_message_begin(self) -> None:
        """Wait for the rest of the head; on a kept connection uvicorn has waited for the first of it."""
        super().on_message_begin()
        if not self._heading:
            self._heading = True
            self._late = self.loop.call_later(_HEAD_SECONDS, self._too_late)

    def on_headers_complete(self) -> None:
        """Wait no longer."""
        self._heading = False
        if self._late is not None:
            self._late.cancel()
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """Say what is wrong as a problem, like all that is."""
        self._refuse(400, msg)

    def _too_late(self) -> None:
        if self._arrived:
            self._refuse(408, f"The head of the request did not arrive within {_HEAD_SECONDS:g} seconds.")
        else:
            self.transport.close()  # browsers open connections to have them ready, and expect no word on them

    def _refuse(self, status: int, detail: str) -> None:
        """Say what is wrong and close; without a word where that would fall into another reply."""
        if self.transport.is_closing():
            return
        if self.cycle is not None and not self.cycle.response_complete:
            self.transport.abort()
            return
        reply = problem(status, detail, headers={"Connection": "close"})
        head = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}".encode()]
        head += [name + b": " + value for name, value in reply.raw_headers]
        self.transport.write(b"\r\n".join([*head, b"", bytes(reply.body)]))
        self.transport.close()

    # --- the reading of a reply -----------------------------------------------------------------------------------

    def on_response_complete(self) -> None:
        """Look after what the client has not read yet, whether the connection is kept or closed."""
        super().on_response_complete()
        self._watch()

    def pause_writing(self) -> None:
        """Look after a client that reads more slowly than a reply is made."""
        super().pause_writing()
        self._watch()

    def resume_writing(self) -> None:
        """Begin anew: what has been read makes room for more, which is not to be mistaken for the same."""
        super().resume_writing()
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def _watch(self) -> None:
        left = self.transport.get_write_buffer_size()
        if left and self._unread is None:
            self._unread = self.loop.call_later(_READ_SECONDS, self._look, left)

    def _look(self, before: int) -> None:
        """Hang up on a client that has read nothing since; look again later if it has."""
        self._unread = None
        if self.transport.get_write_buffer_size() >= before:
            self.transport.abort()
        else:
            self._watch()
