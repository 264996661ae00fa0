"""A disk that takes no more bytes costs the build, one clear error, and never what was served before.

A limit on the size of files stands for the full disk: it fails the same writes, and needs no rights. Run as a script,
this file is the one that builds under the limit.
"""

import json
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hashing import HashingEncoder
from retriever.build import build
from retriever.errors import RetrieverError
from retriever.search import Searcher
from retriever.snapshot import read_manifest


@pytest.fixture(scope="module")
def builds(tmp_path_factory) -> list[dict]:
    """What a build under each limit said and left."""
    folder = tmp_path_factory.mktemp("full")
    command = [sys.executable, __file__, str(folder)]
    path = {"PYTHONPATH": os.pathsep.join(sys.path), "OPENBLAS_NUM_THREADS": "1"}
    run = subprocess.run(command, env=os.environ | path, capture_output=True, text=True, check=False, timeout=120)
    assert run.returncode == 0, run.stderr
    return [json.loads(line) for line in run.stdout.splitlines()]


def test_each_file_of_a_snapshot_was_cut_short_once(builds):
    assert len({found["limit"] for found in builds if not found["cold"]}) > 10


def test_every_build_that_fails_says_that_it_could_not_publish(builds):
    assert [found for found in builds if found["said"] not in {"PublishFailed", "published"}] == []


def test_a_build_that_fails_leaves_the_old_snapshot_serving(builds):
    assert {found["served"] for found in builds if found["said"] != "published"} == {"old"}


def test_what_was_published_is_whole(builds):
    published = [found["served"] for found in builds if found["said"] == "published"]
    assert published
    assert set(published) == {"new"}


def test_nothing_half_written_stays(builds):
    assert [found for found in builds if found["left"]] == []


# --- the process that builds --------------------------------------------------------------------------------------


def _build(corpus: Path, index: Path) -> None:
    build([corpus], index, HashingEncoder(), lang="en", keep=5, progress=lambda *_: None)


def _build_within(limit: int, corpus: Path, index: Path) -> str:
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        try:
            _build(corpus, index)
            said = "published"
        except RetrieverError as error:
            said = type(error).__name__
        except BaseException as error:
            said = repr(error)[:200]
        os.write(writing, said.encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        said = pipe.read()
    os.waitpid(child, 0)
    return said


def _look(index: Path, old: str) -> str:
    try:
        searcher = Searcher.open(index, HashingEncoder())
        searcher.ask("is this there")
        searcher.close()
    except Exception as error:
        return repr(error)[:200]
    return "old" if read_manifest(index).corpus == old else "new"


def _main(folder: Path) -> None:
    line = '{"question": "Is number %d there?", "answer": "Yes, in the %s one."}\n'
    for name in ("old", "new"):
        (folder / f"{name}.jsonl").write_text("".join(line % (number, name) for number in range(20)))
    _build(folder / "old.jsonl", folder / "base")
    old = read_manifest(folder / "base").corpus
    shutil.copytree(folder / "base", folder / "whole")
    _build(folder / "new.jsonl", folder / "whole")
    snapshot = folder / "whole" / "snapshots" / read_manifest(folder / "whole").id
    sizes = {path.stat().st_size for path in (*snapshot.iterdir(), folder / "whole" / "CURRENT")}
    limits = {0, max(sizes)} | {size - 1 for size in sizes} | {size // 2 for size in sizes}
    for cold in (False, True):
        for limit in sorted(limits):
            index = folder / f"index-{limit}-{cold}"
            shutil.copytree(folder / "base", index)
            if not cold:  # the texts are known, so that it is the snapshot that meets the limit, not the cache
                shutil.copy(folder / "whole" / "vectors.cache", index)
            said = _build_within(limit, folder / "new.jsonl", index)
            left = [path.name for path in index.glob(".building*")]
            found = {"cold": cold, "limit": limit, "said": said, "served": _look(index, old), "left": left}
            print(json.dumps(found))  # noqa: T201


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
