"""Builds in processes beside a server, so that answers are not slowed: for `--watch`, and on demand as a job.

A job tells how far it is in a file of the index folder, so that every worker knows. It holds a lock for as long as it
lives: one that was killed is known to be dead, and there is never a second.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from retriever.errors import PublishFailed, RetrieverError
from retriever.settings import PREFIX, SECRET, Settings, load_settings, variables_of
from retriever.wiring import run_build

if TYPE_CHECKING:
    from retriever.build import BuildReport

_STATE, _LOCK = "rebuild.json", ".rebuild.lock"
_NICE = 10
_TELL_SECONDS = 0.2
_TRIES, _TRY_SECONDS = 3, 0.01

State = Literal["none", "running", "done", "refused", "failed"]


@dataclass(frozen=True, slots=True)
class Job:
    """The latest build on demand. `step` is what it does now, `done` of `total`; times are ISO 8601, UTC.

    `refused` is by the gate. `report` is what the build did, as `retriever build --json` prints it; its `snapshot` is
    what is served. `error` is why it failed.
    """

    state: State = "none"
    id: str | None = None
    forced: bool = False
    started: str | None = None
    ended: str | None = None
    step: str | None = None
    done: int = 0
    total: int = 0
    report: dict[str, Any] | None = None
    error: str | None = None


def start_build(settings: Settings) -> subprocess.Popen[bytes]:
    """Start `retriever build` with these very settings; all it says goes to stderr."""
    return _start(settings, ["-m", "retriever", "build"])


def start_job(settings: Settings, *, force: bool) -> Job | None:
    """Start a build on demand and return its job; None where one is running. `force` publishes whatever the gate says.

    Raises PublishFailed where the index folder cannot be written.
    """
    try:
        with (settings.index / _LOCK).open("ab") as lock:
            if not _had(lock.fileno()):
                return None
            job = Job("running", f"{time.time_ns():x}", force, _now(), step="start")
            _tell(settings.index, job)
            # The child inherits the open file, and with it the lock, until it ends in whatever way.
            process = _start(settings, ["-m", "retriever.rebuild", str(lock.fileno())], keep=lock.fileno())
    except OSError as error:
        raise PublishFailed(f"cannot start a build: {error}", mend="Mend what it names, then try again.") from error
    # Somebody must hear of its end, or it stays a zombie.
    threading.Thread(target=process.wait, name="rebuild", daemon=True).start()
    return job


def look(index: Path) -> Job:
    """Return how far the latest job is, or how it ended."""
    job = _told(index)
    if job.state == "running" and not _alive(index) and _told(index) == job:
        return replace(job, state="failed", error="It ended without a word: it was killed, or the machine ran short.")
    return job


def _start(settings: Settings, program: list[str], keep: int | None = None) -> subprocess.Popen[bytes]:
    environ = {
        name: value for name, value in os.environ.items() if name not in {PREFIX + key.upper() for key in SECRET}
    }
    return subprocess.Popen(  # noqa: S603 - this Python, and programs of ours
        [sys.executable, "-P", *program],
        env=environ | variables_of(settings) | {PREFIX + "JSON": "false"},
        stdin=subprocess.DEVNULL,
        stdout=2,
        pass_fds=() if keep is None else (keep,),
    )


def _alive(index: Path) -> bool:
    try:
        with (index / _LOCK).open("rb") as lock:
            return not _locked(lock.fileno(), fcntl.LOCK_SH)
    except OSError:
        return False


def _had(lock: int) -> bool:
    """Lock an open file for a job; tell whether there is no other. Whoever looks holds it for a moment."""
    for _ in range(_TRIES):
        if _locked(lock, fcntl.LOCK_EX):
            return True
        time.sleep(_TRY_SECONDS)
    return False


def _locked(handle: int, kind: int) -> bool:
    """Lock an open file until it is closed; tell whether that can be had at once."""
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _told(index: Path) -> Job:
    try:
        return msgspec.json.decode((index / _STATE).read_bytes(), type=Job)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):  # none yet, or of another version
        return Job()


def _tell(index: Path, job: Job) -> None:
    draft = index / f".{_STATE}"
    draft.write_bytes(msgspec.json.encode(job))
    draft.replace(index / _STATE)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


# --- the process --------------------------------------------------------------------------------------------------


class _Teller:
    """Tells how far a job is: a few times a second, and whenever it comes to another step."""

    def __init__(self, index: Path, job: Job) -> None:
        self._index = index
        self.job = job
        self._next = 0.0

    def progress(self, step: str, done: int, total: int) -> None:
        now = time.monotonic()
        if step != self.job.step or now >= self._next:
            self._next = now + _TELL_SECONDS
            self.job = replace(self.job, step=step, done=done, total=total)
            _tell(self._index, self.job)

    def end(self, state: State, *, report: BuildReport | None = None, error: str | None = None) -> None:
        what = f"snapshot {report.snapshot} {'published' if report.published else 'serves on'}" if report else error
        sys.stderr.write(f"rebuild: {state}: {what}\n")
        told = msgspec.to_builtins(report) if report else None
        _tell(self._index, replace(self.job, state=state, ended=_now(), report=told, error=error))


def main() -> None:
    """Build as the environment says, and tell of it in the index folder. Run by `start_job`."""
    os.nice(_NICE)
    settings = load_settings({})
    job = _told(settings.index)
    teller = _Teller(settings.index, job)
    try:
        report = run_build(settings, teller.progress, force=job.forced)
    except RetrieverError as error:
        teller.end("failed", error=str(error))
    except Exception:
        teller.end("failed", error="Something went wrong; the server's log says what.")
        raise
    else:
        teller.end("refused" if report.gate and report.gate.refuses else "done", report=report)
    finally:
        os.close(int(sys.argv[1]))  # the next may be started, though to take this process down takes a moment


if __name__ == "__main__":
    main()
