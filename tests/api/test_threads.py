"""Work that blocks is done on a few threads, whichever way it came, and what becomes of it reaches who waits."""

import asyncio
import threading
from contextlib import asynccontextmanager

import pytest
from anyio import to_thread

from retriever.api.threads import Threads


@asynccontextmanager
async def started(count: int):
    threads = Threads(count)
    threads.start()
    try:
        yield threads
    finally:
        threads.stop()


class Busy:
    """Work that lasts until it is let go, and knows how much of it was done at once."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.under_way = self.most = 0
        self._lock = threading.Lock()

    def __call__(self, number: int = 0) -> int:
        with self._lock:
            self.under_way += 1
            self.most = max(self.most, self.under_way)
        self.go.wait(10)
        with self._lock:
            self.under_way -= 1
        return number


def test_work_is_done_beside_the_loop_and_what_it_makes_comes_back():
    async def main() -> tuple[int, str]:
        async with started(1) as threads:
            return await threads.run(lambda number: (number + 1, threading.current_thread().name), 1)

    made, where = asyncio.run(main())
    assert made == 2
    assert where != threading.main_thread().name


def test_an_error_reaches_who_waits_and_the_thread_works_on():
    async def main() -> float:
        async with started(1) as threads:
            with pytest.raises(ZeroDivisionError):
                await threads.run(lambda number: 1 / number, 0)
            return await threads.run(lambda number: 1 / number, 2)

    assert asyncio.run(main()) == 0.5


@pytest.mark.parametrize("count", [1, 2])
def test_no_more_is_done_at_once_than_there_are_threads_anyios_included(count):
    busy = Busy()

    async def main() -> list[int]:
        async with started(count) as threads:
            ours = [asyncio.ensure_future(threads.run(busy, number)) for number in range(3)]
            others = [asyncio.ensure_future(to_thread.run_sync(busy, number)) for number in range(3, 6)]
            while busy.under_way < count:
                await asyncio.sleep(0.001)
            await asyncio.sleep(0.05)
            busy.go.set()
            return await asyncio.gather(*ours, *others)

    assert asyncio.run(main()) == [0, 1, 2, 3, 4, 5]
    assert busy.most == count


def test_who_waits_no_longer_keeps_nobody_from_being_answered():
    busy = Busy()

    async def main() -> int:
        async with started(1) as threads:
            waiting = asyncio.ensure_future(threads.run(busy, 1))
            while not busy.under_way:
                await asyncio.sleep(0.001)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            busy.go.set()
            return await threads.run(busy, 2)

    assert asyncio.run(main()) == 2


def test_they_end_once_they_are_stopped():
    before = set(threading.enumerate())

    async def main() -> set[threading.Thread]:
        async with started(2) as threads:
            await threads.run(str, 1)
            return set(threading.enumerate()) - before

    ours = [thread for thread in asyncio.run(main()) if thread.name.startswith("questions-")]
    assert len(ours) == 2
    for thread in ours:
        thread.join(5)
        assert not thread.is_alive()
