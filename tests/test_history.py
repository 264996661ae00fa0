"""The way back leads only to a snapshot that is whole."""

import json

import pytest

from hashing import HashingEncoder
from retriever.errors import BuildBusy, NoSnapshot, SnapshotDamaged
from retriever.history import roll_back, snapshots
from retriever.snapshot import build_lock, current_id, open_snapshot


@pytest.fixture
def built(run_build, corpus):
    """Return a function that publishes another snapshot, and its id."""

    def build_(**named) -> str:
        count = len(list(corpus.iterdir()))
        (corpus / f"more{count}.jsonl").write_text(json.dumps({"question": f"Is it {count}?", "answer": "It is."}))
        return run_build(**named).snapshot

    return build_


def damage(index, snapshot: str, name: str = "entries.jsonl"):
    path = index / "snapshots" / snapshot / name
    path.chmod(0o644)
    path.write_bytes(path.read_bytes() + b" ")


def test_they_are_listed_newest_first_with_the_one_that_serves(built, index):
    ids = [built(), built(), built()]
    roll_back(index, ids[1])
    listed = snapshots(index)
    assert [kept.id for kept in listed] == ids[::-1]
    assert [kept.current for kept in listed] == [False, True, False]
    assert [kept.entries for kept in listed] == [7, 6, 5]


def test_without_an_index_there_is_nothing_to_list(index):
    with pytest.raises(NoSnapshot, match="no index"):
        snapshots(index)


def test_one_that_is_damaged_is_listed_with_its_problem(built, index):
    built()
    bad = built()
    damage(index, bad, "manifest.json")
    assert "manifest.json" in snapshots(index)[0].problem


def test_they_are_listed_though_nothing_says_which_serves(built, index):
    built()
    (index / "CURRENT").unlink()
    assert [kept.current for kept in snapshots(index)] == [False]


def test_without_an_id_the_one_before_the_current_serves_again_and_again(built, index):
    ids = [built(), built(), built()]
    assert roll_back(index).id == current_id(index) == ids[1]
    assert roll_back(index).id == current_id(index) == ids[0]
    with pytest.raises(NoSnapshot, match="older"):
        roll_back(index)


def test_an_id_that_is_not_kept_is_an_error(built, index):
    served = built()
    with pytest.raises(NoSnapshot, match="nothing-here"):
        roll_back(index, "nothing-here")
    assert current_id(index) == served


def test_a_damaged_snapshot_is_never_gone_back_to(built, index):
    bad, served = built(), built()
    damage(index, bad)
    with pytest.raises(SnapshotDamaged, match=r"entries\.jsonl"):
        roll_back(index)
    assert current_id(index) == served


def test_while_a_build_runs_nothing_is_moved(built, index):
    built()
    served = built()
    with build_lock(index), pytest.raises(BuildBusy):
        roll_back(index)
    assert current_id(index) == served


def test_a_lost_pointer_is_mended_by_naming_the_snapshot(built, index):
    wanted = built()
    (index / "CURRENT").write_text("rubbish")
    roll_back(index, wanted)
    open_snapshot(index).close()


def test_a_build_after_a_rollback_publishes_the_corpus_and_keeps_what_serves(built, run_build, index):
    ids = [built(), built(), built()]
    roll_back(index, ids[0])
    encoder = HashingEncoder()
    report = run_build(encoder=encoder, keep=2)
    assert (report.published, report.encoded) == (True, 0)
    assert [kept.id for kept in snapshots(index)] == [report.snapshot, ids[2]]
