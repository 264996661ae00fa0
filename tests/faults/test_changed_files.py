"""Files of a snapshot that are changed under a searcher that has it open: no answer changes, and none is lost."""

import pytest

from hashing import HashingEncoder
from retriever.errors import SnapshotDamaged
from retriever.search import Searcher
from retriever.snapshot import SharedFiles, current_id, open_snapshot, opening

QUESTIONS = ("How long does shipping take?", "May I return a parcel?", "Which cards?", "When do you open?", "the sea")


def cut_short(path):
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)


def overwritten(path):
    with path.open("r+b") as file:
        file.write(bytes(path.stat().st_size))


def removed(path):
    path.unlink()


def replaced(path):
    path.rename(path.with_name("aside"))
    path.write_bytes(b"another")


def answers(searcher: Searcher) -> list[tuple]:
    return [searcher.ask(question, 4).hits for question in QUESTIONS]


@pytest.fixture
def folder(run_build, index):
    """The folder of the snapshot that is served, whose files their owner may change."""
    run_build()
    folder = index / "snapshots" / current_id(index)
    for path in folder.iterdir():
        path.chmod(0o644)
    return folder


@pytest.mark.parametrize("shared", [None, SharedFiles()], ids=["alone", "shared"])
@pytest.mark.parametrize("damage", [cut_short, overwritten, removed, replaced])
def test_whatever_becomes_of_the_files_each_question_is_answered_as_before(folder, index, damage, shared):
    expected = Searcher.open(index, HashingEncoder())
    # It has found nothing yet, and so kept nothing.
    searcher = Searcher(open_snapshot(index, shared), HashingEncoder())
    before = answers(expected)
    for path in sorted(folder.iterdir()):
        damage(path)
    assert answers(searcher) == before
    expected.close()
    searcher.close()


@pytest.mark.parametrize("damage", [cut_short, overwritten])
def test_entries_too_many_to_be_kept_are_an_error_that_names_the_file_and_never_another_answer(
    folder, index, damage, monkeypatch
):
    monkeypatch.setattr(opening, "_KEPT", 0)
    searcher = Searcher(open_snapshot(index), HashingEncoder())
    damage(folder / "entries.jsonl")
    with pytest.raises(SnapshotDamaged, match=r"entries\.jsonl: was changed while it was served\n.*retriever build"):
        answers(searcher)
    searcher.close()
