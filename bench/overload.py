"""Ask a server more than it can answer, at a steady rate that does not wait for replies, and print what became of it.

    python bench/overload.py http://127.0.0.1:8000 --rate 2000 --seconds 5      # prints JSON
    python bench/overload.py http://127.0.0.1:8000 --rate 20 --seconds 180 --pid PID     # a soak: memory and files too

An open loop: clients that wait for a reply before they ask again would hide an overload. Every question goes over a
connection of its own. With --pid the growth of memory, in kB for a thousand questions, is that of a line fitted to it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

_PATIENCE = 10.0
_HEALTH_EVERY = 0.1


class Run:
    """What the replies were, and how long they took, in milliseconds, by status; 0 is none at all."""

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port
        self.took: dict[int, list[float]] = {}
        self.health: list[float] = []
        self.without_retry = 0

    async def ask(self, number: int) -> None:
        began = time.perf_counter()
        status, head = await self._get(
            f"/ask?q=how+do+i+{_word(number)}+{_word(number // 100)}+{_word(number // 10_000)}"
        )
        self.took.setdefault(status, []).append((time.perf_counter() - began) * 1000)
        self.without_retry += status == 503 and b"retry-after:" not in head.lower()

    async def watch_health(self) -> None:
        while True:
            began = time.perf_counter()
            await self._get("/healthz")
            self.health.append((time.perf_counter() - began) * 1000)
            await asyncio.sleep(_HEALTH_EVERY)

    async def _get(self, path: str) -> tuple[int, bytes]:
        try:
            async with asyncio.timeout(_PATIENCE):
                reader, writer = await asyncio.open_connection(self.host, self.port)
                writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
                head, _, _ = (await reader.read()).partition(b"\r\n\r\n")
                writer.close()
                return int(head.split(b" ", 2)[1]), head
        except (OSError, TimeoutError, IndexError):
            return 0, b""


def _word(number: int) -> str:
    """Return one of a hundred words: what is kept by word, as stems are, is soon all kept, and is no leak."""
    return chr(97 + number % 10) + chr(101 + number // 10 % 10) + "ing"


async def load(run: Run, rate: float, seconds: float, pid: int | None) -> list[tuple[int, int, int]]:
    """Ask at `rate` a second; return, about once a second, how often was asked, kB of memory and open files."""
    health, asked, seen, began = asyncio.create_task(run.watch_health()), set(), [], time.perf_counter()
    for number in range(int(rate * seconds)):
        late = began + number / rate - time.perf_counter()
        if late > 0:
            await asyncio.sleep(late)
        asked.add(task := asyncio.create_task(run.ask(number)))
        task.add_done_callback(asked.discard)
        if pid and number % max(int(rate), 1) == 0:
            seen.append((number, *_held(pid)))
    await asyncio.gather(*asked)
    health.cancel()
    return seen


def _held(pid: int) -> tuple[int, int]:
    """Return the kB of memory and the files that a process and its children have."""
    pids = [pid, *map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]
    status = [Path(f"/proc/{one}/status").read_text().splitlines() for one in pids]
    kilobytes = sum(int(line.split()[1]) for lines in status for line in lines if line.startswith("VmRSS"))
    return kilobytes, sum(len(list(Path(f"/proc/{one}/fd").iterdir())) for one in pids)


def main() -> None:
    """Read the arguments, ask, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--rate", type=float, required=True)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--pid", type=int)
    options = parser.parse_args()
    parts = urlsplit(options.url)
    run = Run(parts.hostname or "127.0.0.1", parts.port or 80)
    seen = asyncio.run(load(run, options.rate, options.seconds, options.pid))
    report: dict[str, object] = {"asked": int(options.rate * options.seconds), "rate": options.rate}
    report |= {"answered_a_second": round(len(run.took.get(200, [])) / options.seconds, 1)}
    report |= {"replies": dict(Counter({status: len(took) for status, took in run.took.items()}))}
    report |= {"p99_ms": {status: _p99(took) for status, took in run.took.items()}, "health_p99_ms": _p99(run.health)}
    report |= {"503_without_retry_after": run.without_retry}
    # The first third fills what is kept: vectors of questions, entries, buffers.
    if len(late := seen[len(seen) // 3 :]) > 2:
        questions, kilobytes, files = np.array(late).T
        report["kB_a_thousand"] = round(float(np.polyfit(questions / 1000, kilobytes, 1)[0]), 1)
        report["kB"] = [held for _, held, _ in seen[:: max(len(seen) // 10, 1)]]
        report["files"] = [int(files[0]), int(files[-1])]
    print(json.dumps(report, indent=2))


def _p99(took: list[float]) -> float:
    return round(float(np.percentile(took, 99)), 1) if took else float("nan")


if __name__ == "__main__":
    main()
