"""Files of a snapshot in memory that processes share: read once for all, and sealed."""

import gc
import multiprocessing
import os
import re
from pathlib import Path

import pytest

from hashing import HashingEncoder
from retriever.errors import SnapshotDamaged
from retriever.search import Searcher
from retriever.snapshot import SharedFiles, current_id, read_manifest
from retriever.types import Manifest

pytestmark = pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="has no such memory")

NAME = "lexical.bin"


def mapped(pid="self") -> set[tuple[str, str]]:
    """Return the snapshot and the inode of each piece of shared memory that a process maps."""
    found = re.findall(r" (\d+) +/memfd:retriever-(\S+) ", Path(f"/proc/{pid}/maps").read_text())
    return {(snapshot, inode) for inode, snapshot in found}


def handles_of(snapshot: str) -> list[Path]:
    """Return what this process has open of the shared memory of a snapshot."""
    paths = [Path("/proc/self/fd") / name for name in os.listdir("/proc/self/fd")]  # noqa: PTH208
    return [path for path in paths if path.is_symlink() and snapshot in str(path.readlink())]


def in_a_fork(work):
    """Return what `work` returns in a process forked from this one."""
    context = multiprocessing.get_context("fork")
    receive, send = context.Pipe(duplex=False)
    process = context.Process(target=lambda: send.send(work()))
    process.start()
    found = receive.recv()
    process.join()
    return found


@pytest.fixture
def snapshot(run_build, index) -> tuple[Path, Manifest]:
    run_build()
    return index / "snapshots" / current_id(index), read_manifest(index)


@pytest.fixture
def shared():
    return SharedFiles()


def test_what_is_read_is_the_file(snapshot, shared):
    folder, manifest = snapshot
    read = shared.read(folder, manifest, [NAME, "entries.npy"])
    assert read(folder / NAME).tobytes() == (folder / NAME).read_bytes()
    assert read(folder / "entries.npy").tobytes() == (folder / "entries.npy").read_bytes()
    assert read(folder / "suggest.bin").tobytes() == (folder / "suggest.bin").read_bytes()


def test_another_process_maps_the_same_memory_and_answers_the_same(run_build, shared, index):
    run_build()
    searcher = Searcher.open(index, HashingEncoder(), shared=shared)

    def ask():
        with_shared = Searcher.open(index, HashingEncoder(), shared=shared)
        return mapped(), with_shared.ask("May I return a parcel?").hits

    theirs, hits = in_a_fork(ask)
    assert theirs == mapped()
    assert len(theirs) == 1
    assert (
        hits
        == searcher.ask("May I return a parcel?").hits
        == Searcher.open(index, HashingEncoder()).ask("May I return a parcel?").hits
    )
    searcher.close()


def test_memory_whose_process_has_ended_is_made_anew(snapshot, shared):
    def open_it():
        shared.read(*snapshot, [NAME])
        return "done"

    assert in_a_fork(open_it) == "done"
    assert shared.read(*snapshot, [NAME])(snapshot[0] / NAME).tobytes() == (snapshot[0] / NAME).read_bytes()


def test_nobody_can_change_it(snapshot, shared):
    read = shared.read(*snapshot, [NAME])
    handle = handles_of(snapshot[1].id)[0]
    with pytest.raises(PermissionError), handle.open("r+b", buffering=0) as memory:
        memory.write(b"x")
    with pytest.raises(PermissionError):
        os.truncate(handle, 1)
    with pytest.raises(ValueError, match="read-only"):
        read(snapshot[0] / NAME)[0] = 1


def test_it_is_gone_once_another_snapshot_is_open_and_nobody_reads_it(run_build, corpus, index, shared):
    def opened():
        return shared.read(index / "snapshots" / current_id(index), read_manifest(index), [NAME])

    run_build()
    old, first = opened(), current_id(index)
    (corpus / "more.jsonl").write_text('{"question": "Is there more?", "answer": "A little."}\n')
    run_build()
    read = opened()
    assert {first, current_id(index)} <= {snapshot for snapshot, _ in mapped()}
    del old
    assert first not in {snapshot for snapshot, _ in mapped()}
    assert handles_of(first) == []
    del read


def test_a_searcher_that_is_closed_leaves_nothing_even_where_no_cycles_are_looked_for(run_build, shared, index):
    run_build()
    gc.disable()
    try:
        searcher = Searcher.open(index, HashingEncoder(), shared=shared, remember=5)
        searcher.ask("May I return a parcel?")
        searcher.suggest("parc")
        searcher.facets()
        searcher.listing()
        assert current_id(index) in {snapshot for snapshot, _ in mapped()}
        searcher.close()
        del searcher
        assert current_id(index) not in {snapshot for snapshot, _ in mapped()}
    finally:
        gc.enable()


def test_a_file_that_changes_before_it_is_read_is_refused_by_name(snapshot, shared):
    folder, manifest = snapshot
    (folder / NAME).chmod(0o644)
    with (folder / NAME).open("r+b") as file:
        file.write(b"x")
    with pytest.raises(SnapshotDamaged, match=NAME):
        shared.read(folder, manifest, [NAME])
