"""Builders that start at once: one publishes, the others say at once that they are not needed.

Run as a script, this file is the builders.
"""

import json
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from hashing import HashingEncoder
from retriever.build import build
from retriever.errors import RetrieverError
from retriever.snapshot import open_snapshot, snapshot_ids

BUILDERS = 6


class SlowEncoder(HashingEncoder):
    """Takes long enough that every builder comes while the first is at it."""

    def encode(self, texts, role):
        time.sleep(2)
        return super().encode(texts, role)


@pytest.fixture(scope="module")
def race(tmp_path_factory) -> tuple[Path, list[dict]]:
    """The index, and what each builder said after how many seconds."""
    folder = tmp_path_factory.mktemp("race")
    (folder / "faq.jsonl").write_text('{"question": "Who is first?", "answer": "One of six."}')
    command = [sys.executable, __file__, str(folder)]
    path = {"PYTHONPATH": os.pathsep.join(sys.path), "OPENBLAS_NUM_THREADS": "1"}
    run = subprocess.run(command, env=os.environ | path, capture_output=True, text=True, check=False, timeout=60)
    assert run.returncode == 0, run.stderr
    return folder / "index", [json.loads(line) for line in run.stdout.splitlines()]


def test_one_of_six_publishes_and_five_are_busy(race):
    assert Counter(found["said"] for found in race[1]) == {"published": 1, "BuildBusy": BUILDERS - 1}


def test_who_is_busy_says_so_within_a_second(race):
    assert max(found["seconds"] for found in race[1] if found["said"] == "BuildBusy") < 1


def test_there_is_one_snapshot_and_it_is_whole(race):
    assert [open_snapshot(race[0]).manifest.id] == snapshot_ids(race[0])


# --- the builders -------------------------------------------------------------------------------------------------


def _build(folder: Path) -> str:
    try:
        build([folder / "faq.jsonl"], folder / "index", SlowEncoder(), lang="en", keep=5, progress=lambda *_: None)
    except RetrieverError as error:
        return type(error).__name__
    return "published"


def _main(folder: Path) -> None:
    start, go = os.pipe()
    children = []
    for _ in range(BUILDERS):
        children.append(os.fork())
        if not children[-1]:
            os.close(go)
            os.read(start, 1)  # returns when the parent closes its end
            began = time.perf_counter()
            said = _build(folder)
            line = json.dumps({"said": said, "seconds": time.perf_counter() - began})
            os.write(1, line.encode() + b"\n")
            os._exit(0)
    os.close(go)
    for child in children:
        os.waitpid(child, 0)


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
