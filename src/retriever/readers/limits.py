"""The child process that reads files: it takes a file's bytes in, gives JSON out, and lives under limits."""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path
from typing import BinaryIO

import msgspec

from retriever.readers.jobs import LENGTH, LENGTHS, MAX_REPLY, MIB, READY, Job, Parsed, memory_for, seconds_for
from retriever.readers.parsing import parse
from retriever.types import Refusal


def main() -> None:
    """Read jobs until the parent has no more."""
    requests, replies = _own(0), _own(1)
    for forbidden in (resource.RLIMIT_CORE, resource.RLIMIT_FSIZE):  # it writes no file
        resource.setrlimit(forbidden, (0, 0))
    _send(replies, READY)
    while header := requests.read(LENGTHS.size):
        described, size = LENGTHS.unpack(header)
        job = msgspec.json.decode(requests.read(described), type=Job)
        try:
            _limit(size)
            reply = msgspec.json.encode(_bounded(job, requests.read(size)))
        except MemoryError:
            _at_most(resource.RLIMIT_AS, resource.RLIM_INFINITY)  # so that there is room to say so
            reason = f"needs over {memory_for(size) // MIB} MB of memory to be read: split it"
            _reply(replies, msgspec.json.encode(Parsed(refused=[Refusal(job.name, None, reason)])))
            os._exit(0)  # what was taken may not all come back, and to give it back takes seconds
        _reply(replies, reply)


def _bounded(job: Job, data: bytes) -> Parsed:
    parsed = parse(job, data)
    size = sum(len(p.html) + len(p.text) for entry in parsed.entries for p in entry.answer)
    if size > MAX_REPLY // 2:
        return Parsed(refused=[Refusal(job.name, None, f"holds over {MAX_REPLY // 2 // MIB} MB of text: split it")])
    return parsed


def _own(handle: int) -> BinaryIO:
    """Return a pipe under another number, so that nothing a library prints or reads gets into it."""
    own = os.dup(handle)
    os.dup2(2, handle)
    return os.fdopen(own, "wb" if handle else "rb")


def _limit(size: int) -> None:
    """Allow as much on top of what this process has used so far."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = int(used.ru_utime + used.ru_stime) + 1 + seconds_for(size)
    _at_most(resource.RLIMIT_CPU, seconds)
    if sys.platform == "linux":  # macOS has the name and not the limit
        held = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
        _at_most(resource.RLIMIT_AS, held + memory_for(size))


def _at_most(what: int, most: int) -> None:
    """Set the limit that the next file may raise again, within the one that this machine may have set."""
    hard = resource.getrlimit(what)[1]
    within = [limit for limit in (most, hard) if limit != resource.RLIM_INFINITY]
    resource.setrlimit(what, (min(within, default=resource.RLIM_INFINITY), hard))


def _reply(replies: BinaryIO, reply: bytes) -> None:
    _send(replies, LENGTH.pack(len(reply)) + reply)


def _send(replies: BinaryIO, data: bytes) -> None:
    replies.write(data)
    replies.flush()
