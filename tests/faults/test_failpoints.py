"""A build that is killed before each of its steps on disk leaves the old snapshot or the new one, whole.

Run as a script, this file is the one that builds and dies: a process that forks has no threads of pytest's in it.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hashing import HashingEncoder
from retriever.build import build
from retriever.search import Searcher
from retriever.snapshot import read_manifest, snapshot_ids

STEPS = {"open", "os.rename", "os.mkdir", "os.chmod", "os.remove", "os.rmdir", "sqlite3.connect", "os.listdir"}
# shutil.rmtree names what it removes relative to a folder, so these cannot be told apart by their paths.
REMOVALS = {"os.remove", "os.rmdir"}
MOST_STEPS = 300


@pytest.fixture(scope="module")
def deaths(tmp_path_factory) -> list[dict]:
    """What was found after each death, in the order of steps; the last build is one that lived."""
    folder = tmp_path_factory.mktemp("deaths")
    command = [sys.executable, __file__, str(folder)]
    path = {"PYTHONPATH": os.pathsep.join(sys.path), "OPENBLAS_NUM_THREADS": "1"}
    run = subprocess.run(command, env=os.environ | path, capture_output=True, text=True, check=False, timeout=120)
    assert run.returncode == 0, run.stderr
    return [json.loads(line) for line in run.stdout.splitlines()]


def test_every_step_up_to_the_last_was_hit(deaths):
    assert [death["killed"] for death in deaths] == [True] * (len(deaths) - 1) + [False]
    assert len(deaths) > 30


def test_what_is_served_is_always_whole_and_answers(deaths):
    assert {death["answered"] for death in deaths} == {True}


def test_the_old_snapshot_serves_up_to_one_step_and_the_new_one_from_there(deaths):
    served = [death["served"] for death in deaths]
    assert served == ["old"] * served.count("old") + ["new"] * served.count("new")
    assert served.count("old") > 20
    assert served.count("new") > 3


def test_the_next_build_always_succeeds(deaths):
    assert {death["then"] for death in deaths} == {"new"}


def test_the_next_build_sweeps_what_the_dead_one_left(deaths):
    assert [death["left"] for death in deaths if death["left"]] == []


def test_the_next_build_keeps_no_more_snapshots_than_it_was_told(deaths):
    assert {death["kept"] for death in deaths} == {1}


# --- the process that dies ----------------------------------------------------------------------------------------


def _build(corpus: Path, index: Path) -> None:
    build([corpus], index, HashingEncoder(), lang="en", keep=1, progress=lambda *_: None)


def _die_before(step: int, index: Path) -> None:
    seen = 0

    def hook(event: str, args: tuple) -> None:
        nonlocal seen
        if event in REMOVALS or (event in STEPS and any(str(index) in str(arg) for arg in args)):
            seen += 1
            if seen == step:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


def _killed(step: int, corpus: Path, index: Path) -> bool:
    child = os.fork()
    if not child:
        _die_before(step, index)
        _build(corpus, index)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert status in {0, signal.SIGKILL}, f"step {step}: the build failed with status {status}"
    return status == signal.SIGKILL


def _look(index: Path, old: str) -> tuple[str, bool]:
    searcher = Searcher.open(index, HashingEncoder())
    answered = searcher.ask("is this there").answered
    searcher.close()
    return "old" if read_manifest(index).corpus == old else "new", answered


def _main(folder: Path) -> None:
    for name in ("old", "new"):
        (folder / f"{name}.jsonl").write_text(
            json.dumps({"question": "Is this there?", "answer": f"Yes, the {name} one."})
        )
    _build(folder / "old.jsonl", folder / "base")
    old = read_manifest(folder / "base").corpus
    for step in range(1, MOST_STEPS):
        index = folder / f"index-{step}"
        shutil.copytree(folder / "base", index)
        killed = _killed(step, folder / "new.jsonl", index)
        served, answered = _look(index, old)
        _build(folder / "new.jsonl", index)
        left = [path.name for path in index.iterdir() if path.name.startswith((".building", ".CURRENT"))]
        found = {"killed": killed, "served": served, "answered": answered, "then": _look(index, old)[0]}
        print(json.dumps(found | {"left": left, "kept": len(snapshot_ids(index))}))  # noqa: T201
        if not killed:
            return


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
