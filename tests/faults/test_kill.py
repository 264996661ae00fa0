"""kill -9 at ten random moments of a real build: what is served stays whole, and a build in the end completes.

Takes the first entries of a public FAQ set that lies beside the repository; with WHOLE_SET=1 all of it (minutes).
"""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from retriever.search import Searcher
from retriever.snapshot import current_id

SET = Path(__file__).parents[3] / "shared" / "eval" / "zoomcamp" / "corpus.jsonl"
ENTRIES = None if os.environ.get("WHOLE_SET") else 100
# Which line of progress is waited for, and the most seconds after it at which the build is killed.
MOMENTS = [(None, 1.0)] * 3 + [("encode: ", 0.7)] * 4 + [("publish: 0", 0.02)] * 3

pytestmark = [
    pytest.mark.model,
    pytest.mark.skipif(not SET.is_file(), reason=f"the public FAQ set is not here: {SET.name} of {SET.parent.name}"),
]


def start(corpus: Path, index: Path) -> subprocess.Popen:
    command = [Path(sys.executable).with_name("retriever"), "build", "--corpus", corpus, "--index", index]
    environ = {name: value for name, value in os.environ.items() if not name.startswith("RETRIEVER_")}
    return subprocess.Popen(
        command, cwd=index.parent, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )


def kill(builder: subprocess.Popen, line: str | None, delay: float) -> bool:
    """Kill a build at a moment; tell whether it was still running."""
    with builder:
        shown = []
        while line and (read := builder.stderr.readline()):
            shown.append(read)
            if read.startswith(line):
                break
        else:
            assert not line, f"the build ended before {line!r}: {shown}"
        time.sleep(delay)
        builder.kill()
    return builder.returncode == -signal.SIGKILL


def answered(index: Path, encoder, question: str) -> tuple[str, str]:
    """Return the first hit and the snapshot it is of; opening checks every digest."""
    searcher = Searcher.open(index, encoder)
    answer = searcher.ask(question)
    searcher.close()
    return answer.hits[0].question, answer.snapshot


def test_a_build_killed_ten_times_never_harms_what_is_served(tmp_path, real_encoder):
    small, large, index = tmp_path / "small.jsonl", tmp_path / "large.jsonl", tmp_path / "index"
    lines = SET.read_text().splitlines(keepends=True)[:ENTRIES]
    small.write_text("".join(lines[:2]))
    large.write_text("".join(lines))
    assert start(small, index).communicate(timeout=120)
    old, question = current_id(index), "when does the course begin"
    first = answered(index, real_encoder, question)
    chance, interrupted = random.Random(1), 0
    for line, most in MOMENTS:
        interrupted += kill(start(large, index), line, chance.uniform(0, most))
        found = answered(index, real_encoder, question)
        assert found[0] == first[0]
        if found[1] != old:
            (index / "CURRENT").write_text(old)  # it was done before it was killed; the next shall publish again
    assert interrupted >= len(MOMENTS) // 2
    builder = start(large, index)
    builder.communicate(timeout=600)
    assert builder.returncode == 0
    assert current_id(index) != old
    assert answered(index, real_encoder, question)[0] == first[0]
    assert not list(index.glob(".building-*"))
