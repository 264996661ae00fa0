"""The child processes that read files: a crash, a hang or a bomb costs one file and nothing else.

Children are kept for the next file, and for the next corpus; they end with this process.
"""

from __future__ import annotations

import atexit
import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO

import msgspec

from retriever.errors import CorpusError
from retriever.readers.jobs import LENGTH, LENGTHS, MAX_REPLY, MIB, READY, Job, Parsed, memory_for, seconds_for
from retriever.readers.safe import checked
from retriever.types import Entry, Refusal

_PROGRAM = "from retriever.readers.limits import main; main()"
# A reader that waits takes no processor time; a busy machine may make one that works wait as well.
_WALL = 4
_ENDS_WITHIN = 5  # seconds: a large process takes a while to be taken down


class _Died(Exception):
    """The child is gone, and has said nothing of its file."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class _Child:
    """One process, and the pipes to it."""

    def __init__(self, program: str) -> None:
        environ = {name: value for name, value in os.environ.items() if not name.startswith("RETRIEVER_")}
        environ["PYTHONPATH"] = os.pathsep.join(_trusted())
        try:
            self._process = subprocess.Popen(  # noqa: S603 - this Python, and a program of ours
                [sys.executable, "-P", "-c", program],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=environ,
            )
        except OSError as error:
            raise CorpusError(f"cannot start the process that reads files: {error.strerror}") from error
        self._in: IO[bytes] = self._process.stdin  # type: ignore[assignment]
        self._out: IO[bytes] = self._process.stdout  # type: ignore[assignment]
        self.used = False

    def wait(self) -> None:
        """Return once it can read. Raises CorpusError where it never will."""
        if not self.used and self._out.read(1) != READY:
            self.close()
            raise CorpusError(
                f"the process that reads files ends at once (exit code {self._process.returncode})",
                mend=f"This shows why: {sys.executable} -c '{_PROGRAM}'",
            )

    def parse(self, job: Job, data: bytes, seconds: float) -> Parsed:
        """Return what the child makes of a file; raises _Died if it does not come to an end with it."""
        self.used, late = True, threading.Event()
        watch = threading.Timer(seconds, self._expire, [late])
        watch.daemon = True
        watch.start()
        try:
            described = msgspec.json.encode(job)
            self._in.write(LENGTHS.pack(len(described), len(data)) + described)
            self._in.write(data)
            self._in.flush()
            return self._reply()
        except (OSError, EOFError) as error:
            self.close()
            reason = f"took over {seconds:.0f} s to be read" if late.is_set() else self._end(len(data))
            raise _Died(reason) from error
        except msgspec.MsgspecError as error:
            self.close()
            raise _Died("its reader gave an answer that cannot be one") from error
        finally:
            watch.cancel()

    def _expire(self, late: threading.Event) -> None:
        late.set()
        self._process.kill()

    def _reply(self) -> Parsed:
        (length,) = LENGTH.unpack(self._read(LENGTH.size))
        if length > MAX_REPLY:
            raise msgspec.ValidationError("too long")
        parsed = msgspec.json.decode(self._read(length), type=Parsed)
        # A file that took its reader over speaks through it: what pages show as it is, is not taken on its word.
        return replace(parsed, entries=[_checked(entry) for entry in parsed.entries])

    def _read(self, length: int) -> bytes:
        data = self._out.read(length)
        if len(data) < length:
            raise EOFError
        return data

    def _end(self, size: int) -> str:
        code = self._process.returncode
        if code == -signal.SIGXCPU:
            return f"took over {seconds_for(size)} s of processor time to be read: split it, or save it again"
        name = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return f"its reader crashed ({name}): it is damaged, or needs over {memory_for(size) // MIB} MB of memory"

    def close(self) -> None:
        """End the process, and wait for its end."""
        if not self.used:  # it may still be starting, and would end once it has
            self._process.kill()
        for pipe in (self._in, self._out):
            with suppress(OSError):
                pipe.close()
        try:
            self._process.wait(_ENDS_WITHIN)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _checked(entry: Entry) -> Entry:
    html = [checked(paragraph.html) for paragraph in entry.answer]
    if all(safe is paragraph.html for safe, paragraph in zip(html, entry.answer, strict=True)):
        return entry
    answer = [replace(paragraph, html=safe) for safe, paragraph in zip(html, entry.answer, strict=True)]
    return replace(entry, answer=tuple(answer))


def _trusted() -> list[str]:
    """Return where modules are imported from, less the folder of the script that runs and the one it runs in.

    What lies beside the files of an owner is no module of ours, whatever its name.
    """
    script = getattr(sys.modules["__main__"], "__file__", None)
    near = {Path(script).resolve().parent} if script else set()
    with suppress(OSError):  # it may be gone
        near.add(Path.cwd())
    ours = str(Path(__file__).parents[2])
    return [ours, *(path for path in sys.path if path and path != ours and Path(path).resolve() not in near)]


@dataclass(slots=True)
class Children:
    """Children to read files with, as many as there are callers at a time. Safe to use from several threads."""

    program: str = _PROGRAM
    _idle: list[_Child] = field(default_factory=list)

    def parse(self, job: Job, data: bytes, *, wall: float | None = None) -> Parsed:
        """Return what a child makes of a file, within `wall` seconds; what it does not survive is a refusal.

        Raises CorpusError where no child can be started.
        """
        wall = _WALL * seconds_for(len(data)) if wall is None else wall
        while True:
            try:
                child = self._idle.pop()
            except IndexError:
                child = _Child(self.program)
            child.wait()
            seasoned = child.used
            try:
                parsed = child.parse(job, data, wall)
            except _Died as died:
                if seasoned:  # it may have died of an earlier file
                    continue
                return Parsed(refused=[Refusal(job.name, None, died.reason)])
            self._idle.append(child)
            return parsed

    def expect(self) -> None:
        """Start a child for a file that is likely to come, unless one is there: it takes a while to start."""
        if not self._idle:
            self._idle.append(_Child(self.program))

    def close(self) -> None:
        """End all children that are idle."""
        while self._idle:
            self._idle.pop().close()


CHILDREN = Children()
atexit.register(CHILDREN.close)
