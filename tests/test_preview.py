"""What a build would change is told quickly: what the last build read is not read again, and nothing is written."""

import json

import pytest

from retriever.errors import CorpusError
from retriever.preview import preview
from retriever.readers import corpus as reading
from retriever.readers.children import Children


@pytest.fixture
def unreadable(monkeypatch):
    """Have no file read: the children that would cannot start."""
    monkeypatch.setattr(reading, "CHILDREN", Children("raise SystemExit(3)"))


@pytest.mark.usefixtures("unreadable")
def test_without_a_build_every_file_is_read(corpus, index):
    with pytest.raises(CorpusError):
        preview([corpus], index, lang="en")


@pytest.fixture
def built(run_build):
    run_build()


@pytest.mark.usefixtures("built", "unreadable")
def test_what_the_last_build_read_is_not_read_again(corpus, index):
    found = preview([corpus], index, lang="en")
    assert (len(found.added), len(found.changed), len(found.removed), found.unchanged) == (0, 0, 0, 5)


@pytest.mark.usefixtures("built")
def test_a_file_that_changed_is_read_and_the_index_left_as_it_is(corpus, index):
    before = {path: path.read_bytes() for path in index.rglob("*") if path.is_file()}
    (corpus / "more.jsonl").write_text(json.dumps({"question": "Is there a lighthouse?", "answer": "Yes."}))
    found = preview([corpus], index, lang="en")
    assert [change.question for change in found.added] == ["Is there a lighthouse?"]
    assert {path: path.read_bytes() for path in index.rglob("*") if path.is_file()} == before
