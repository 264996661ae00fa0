"""golden.jsonl is read strictly: what is wrong is told by file, line and field."""

import json

import pytest

from retriever.errors import CorpusError
from retriever.readers import findings, named, names_of, read_corpus, read_golden
from retriever.types import Labelled

GOOD = '{"question": "When do you open?", "ids": ["hours"]}'


@pytest.fixture
def read(tmp_path):
    """Return a function that reads a golden.jsonl of these lines."""

    def read_(*lines: str):
        (tmp_path / "golden.jsonl").write_text("\n".join(lines), encoding="utf-8")
        return read_golden([tmp_path])

    return read_


def test_a_line_is_a_question_and_its_ids(read):
    golden = read(
        '{"question": " When do  you open? ", "ids": ["hours", "doors"]}', "", '{"question": "Why?", "ids": []}'
    )
    assert golden.refused == ()
    assert golden.questions == (
        Labelled("When do you open?", ("hours", "doors"), "golden.jsonl", 1),
        Labelled("Why?", (), "golden.jsonl", 3),
    )


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{oops", "not JSON: Expecting property name enclosed in double quotes at column 2"),
        ('["a list"]', "should be an object"),
        ('{"ids": []}', "question: should be a text"),
        ('{"question": "  ", "ids": []}', "question: should be a text that is not empty"),
        ('{"question": 7, "ids": []}', "question: should be a text"),
        (json.dumps({"question": "x" * 1001, "ids": []}), "question: has 1,001 characters"),
        ('{"question": "half \\ud800", "ids": []}', "question: \\ud800 is half a character"),
        ('{"question": "Why?"}', "ids: should be a list"),
        ('{"question": "Why?", "ids": "hours"}', "ids: should be a list"),
        ('{"question": "Why?", "ids": ["hours", 3]}', "ids[1]: should be the id or the question"),
        ('{"question": "Why?", "ids": [""]}', "ids[0]: should be the id or the question"),
        ('{"question": "Why?", "ids": [], "answer": "So."}', "`answer` is not a field"),
        ('{"question": "when do you OPEN?", "ids": []}', "question: is asked in golden.jsonl, line 1, already"),
    ],
)
def test_a_line_that_is_none_is_refused_by_line_and_field_and_the_others_are_read(read, line, reason):
    golden = read(GOOD, line, '{"question": "And after it?", "ids": []}')
    (refusal,) = golden.refused
    assert (refusal.file, refusal.line) == ("golden.jsonl", 2)
    assert reason in refusal.reason
    assert len(golden.questions) == 2


def test_a_file_that_is_no_text_is_refused_whole(tmp_path):
    (tmp_path / "golden.jsonl").write_bytes(bytes(range(256)))
    (refusal,) = read_golden([tmp_path]).refused
    assert refusal.file == "golden.jsonl"


def test_without_a_golden_file_there_is_no_digest(tmp_path):
    assert read_golden([tmp_path]).digest == ""


def test_the_digest_follows_the_content(read):
    assert read(GOOD).digest == read(GOOD).digest != read(GOOD + " ").digest


def test_files_in_folders_and_named_ones_are_read_and_each_is_named(tmp_path):
    (tmp_path / "shop").mkdir()
    for folder in (tmp_path, tmp_path / "shop"):
        (folder / "golden.jsonl").write_text(f'{{"question": "In {folder.name}?", "ids": []}}')
    assert [q.file for q in read_golden([tmp_path]).questions] == ["golden.jsonl", "shop/golden.jsonl"]
    assert len(read_golden([tmp_path / "shop" / "golden.jsonl"]).questions) == 1


def test_a_corpus_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(CorpusError, match="nowhere"):
        read_golden([tmp_path / "nowhere"])


# --- what the ids name --------------------------------------------------------------------------------------------


@pytest.fixture
def names(tmp_path):
    """The names of two entries, one of which has an id of its own, and two that ask the same."""
    rows = [
        {"_id": "hours", "question": "When do you open?", "answer": "At nine."},
        {"_id": "a", "question": "Where?", "answer": "Here."},
        {"_id": "b", "question": "Where?", "answer": "There."},
    ]
    (tmp_path / "faq.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return names_of(read_corpus([tmp_path]).entries)


@pytest.mark.parametrize(
    ("text", "ids"),
    [("hours", {"hours"}), ("when do  you open?", {"hours"}), ("Where?", {"a", "b"}), ("nothing", set())],
)
def test_an_entry_is_named_by_its_id_or_its_question_and_all_that_ask_it_count(names, text, ids):
    assert named(text, names) == ids


def test_an_unknown_id_is_a_finding_that_names_the_line(read, names):
    golden = read(GOOD, '{"question": "Why?", "ids": ["hours", "gone"]}')
    (finding,) = findings(golden, names)
    assert (finding.file, finding.line) == ("golden.jsonl", 2)
    assert finding.reason == "ids[1]: no entry has the id or the question “gone”"
