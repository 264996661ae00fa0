"""A load generator: so many clients, each asking its next question once the last is answered, over kept connections.

One thread and one loop over epoll: it takes a few hundredths of a millisecond a question, exact times, and a look at
every reply. No question is asked twice.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import gcd

import numpy as np

# A request that has no answer by then counts as an error.
_PATIENCE = 30.0
# As many questions as the fastest server is asked in a run, and some.
_ENOUGH = 300_000


@dataclass(frozen=True, slots=True)
class Load:
    """What one load came to: milliseconds of each good answer; `busy`, the share of a core that this client took."""

    clients: int
    seconds: float
    answers: int
    errors: int
    latencies: Sequence[float]
    busy: float

    def summary(self) -> dict[str, float]:
        """Return the figures that are reported."""
        p50, p99 = np.percentile(self.latencies, (50, 99)) if self.latencies else (float("nan"),) * 2
        return {
            "clients": self.clients,
            "answers": self.answers,
            "errors": self.errors,
            "per_second": round(self.answers / self.seconds, 1),
            "p50_ms": round(float(p50), 2),
            "p99_ms": round(float(p99), 2),
            "client_busy": round(self.busy, 3),
        }


class Client:
    """One kept connection, with at most one request under way."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=_PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sent = 0.0
        self._reply = b""
        self._whole = 0

    def send(self, request: bytes) -> None:
        self._reply, self._whole = b"", 0
        self.sent = time.perf_counter()
        self.socket.sendall(request)

    def receive(self) -> tuple[int, bytes] | None:
        """Return status and body once the reply is whole, None until then. Raises ConnectionError if it ends before."""
        part = self.socket.recv(1 << 18)
        if not part:
            raise ConnectionResetError("the server hung up")
        self._reply += part
        if not self._whole:
            self._whole = _length(self._reply)
        if not self._whole or len(self._reply) < self._whole:
            return None
        return int(self._reply[9:12]), self._reply[self._reply.find(b"\r\n\r\n") + 4 :]

    def ask(self, request: bytes) -> tuple[int, bytes]:
        """Send, and wait for the reply."""
        self.send(request)
        while (reply := self.receive()) is None:
            pass
        return reply

    def close(self) -> None:
        self.socket.close()


def _length(reply: bytes) -> int:
    """Return how long the whole reply is; 0 while its head has not all arrived."""
    head, gap, _ = reply.partition(b"\r\n\r\n")
    if not gap:
        return 0
    _, found, rest = head.lower().partition(b"content-length:")
    if not found:
        raise ConnectionError("the reply does not say how long it is")
    return len(head) + len(gap) + int(rest.partition(b"\r\n")[0])


def drive(
    port: int,
    requests: Iterator[bytes],
    is_answer: Callable[[bytes], bool],
    *,
    clients: int,
    seconds: float,
    warm: float = 1.0,
) -> Load:
    """Return what `clients` clients met in `seconds`, after `warm` seconds of the same that are not counted.

    An error is a reply other than 200, one that `is_answer` refuses, a connection lost, or no reply at all.
    """
    began, cpu = time.perf_counter(), time.process_time()
    count = _Count(began + warm, began + warm + seconds, is_answer)
    _Loop(port, requests, count).run(clients)
    busy = (time.process_time() - cpu) / (time.perf_counter() - began)
    return Load(clients, seconds, count.answers, count.errors, count.latencies, busy)


class _Count:
    """Counts what was asked from `begin` until `end`, and the answers that came in that time."""

    def __init__(self, begin: float, end: float, is_answer: Callable[[bytes], bool]) -> None:
        self.begin, self.end = begin, end
        self._is_answer = is_answer
        self.answers = self.errors = 0
        self.latencies: list[float] = []

    def reply(self, sent: float, status: int, body: bytes) -> None:
        now = time.perf_counter()
        if status != 200 or not self._is_answer(body):
            self.lost(sent)
            return
        self.answers += self.begin <= now < self.end
        if self.begin <= sent < self.end:
            self.latencies.append((now - sent) * 1000)

    def lost(self, sent: float) -> None:
        self.errors += self.begin <= sent < self.end


class _Loop:
    """Clients that ask until the end of `count`; those who still wait then are heard out."""

    def __init__(self, port: int, requests: Iterator[bytes], count: _Count) -> None:
        self._port, self._requests, self._count = port, requests, count
        self._waiting: dict[int, Client] = {}
        self._poll = select.epoll()

    def run(self, clients: int) -> None:
        for _ in range(clients):
            self._connect()
        while self._waiting and time.perf_counter() < self._count.end + _PATIENCE:
            for handle, _ in self._poll.poll(0.5):
                self._hear(handle)
        for handle in list(self._waiting):
            self._count.lost(self._waiting[handle].sent)
            self._leave(handle)
        self._poll.close()

    def _hear(self, handle: int) -> None:
        client = self._waiting[handle]
        try:
            reply = client.receive()
        except ConnectionError:
            self._count.lost(client.sent)
            self._leave(handle)
            if time.perf_counter() < self._count.end:
                self._connect()
            return
        if reply is None:
            return
        self._count.reply(client.sent, *reply)
        if time.perf_counter() < self._count.end:
            client.send(next(self._requests))
        else:
            self._leave(handle)

    def _connect(self) -> None:
        client = Client(self._port)
        self._waiting[client.socket.fileno()] = client
        self._poll.register(client.socket, select.EPOLLIN)
        client.send(next(self._requests))

    def _leave(self, handle: int) -> None:
        self._poll.unregister(handle)
        self._waiting.pop(handle).close()


def distinct_questions(asked: Sequence[str], begin: float = 0.0) -> Iterator[str]:
    """Yield questions that are as long as those asked, of the same words, and each a new one: so no cache helps anyone.

    Each is put together from parts of several: the first half of one, the second half of another; more and smaller
    parts where few are given. The order is the same in every run; `begin`, 0 to 1, is where in it to start.
    """
    parts = 1
    while len(asked) ** parts < _ENOUGH:
        parts += 1
    many = len(asked) ** parts
    step = next(s for s in range(int(many * 0.618), many) if gcd(s, many) == 1)
    words, seen = [question.split() for question in asked], set[str]()
    for turn in range(many):
        at, chosen = (int(begin * many) + turn) * step % many, []
        for part in range(parts):
            at, which = divmod(at, len(asked))
            own = words[which]
            chosen += own[len(own) * part // parts : len(own) * (part + 1) // parts]
        text = " ".join(chosen)
        if text and text not in seen:
            seen.add(text)
            yield text
