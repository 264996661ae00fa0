"""The walk, the merge, the ids and the ledger."""

import json
import os
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retriever.errors import CorpusError
from retriever.readers import corpus, expect_changes, read_corpus
from retriever.readers.children import Children
from retriever.readers.drafts import fold
from retriever.readers.jobs import SUFFIXES, Job, Parsed
from retriever.readers.merging import slug_of, unite
from retriever.readers.parsing import BINARY, FORMATS, parse
from retriever.types import Entry, Paragraph, Refusal, Source

SEED = Path(__file__).parents[2].parent / "shared" / "seed" / "alliance-faq.txt"


def jsonl(path: Path, *records: dict) -> Path:
    path.write_text("\n".join(json.dumps(record) for record in records))
    return path


def faq(question: str, answer: str = "a", **more) -> dict:
    return {"question": question, "answer": answer, **more}


def ids(path: Path) -> list[str]:
    return [entry.id for entry in read_corpus([path]).entries]


@pytest.mark.parametrize(("changed", "expected"), [(10.0, 0), (20.0, 1), (30.0, 1)])
def test_a_child_is_expected_to_read_where_a_file_was_written_since(tmp_path, monkeypatch, changed, expected):
    children = Children("pass")
    monkeypatch.setattr(corpus, "CHILDREN", children)
    path = jsonl(tmp_path / "a.jsonl", faq("Why?"))
    os.utime(path, (changed, changed))
    expect_changes([tmp_path], 20.0)
    assert len(children._idle) == expected
    children.close()


def test_what_is_not_there_is_expected_in_silence(tmp_path):
    expect_changes([tmp_path / "nowhere"], 0.0)


@pytest.mark.skipif(
    not SEED.exists(), reason="the seed page lies beside the repository, in ../shared, and is absent here"
)
def test_the_seed_page_is_five_entries_and_its_introduction():
    read = read_corpus([SEED])
    assert [entry.kind for entry in read.entries] == ["page", "faq", "faq", "faq", "faq", "faq"]
    assert read.entries[0].answer[0].text.startswith("Recent high-profile meetings")
    assert [entry.source.line for entry in read.entries] == [1, 3, 6, 9, 12, 15]
    assert (read.ledger[0].seen, read.ledger[0].indexed, read.ledger[0].pages) == (5, 5, 1)


def test_a_missing_path_is_an_error_that_names_it(tmp_path):
    with pytest.raises(CorpusError, match="nowhere"):
        read_corpus([tmp_path / "nowhere"])


def test_a_folder_is_read_in_the_order_of_names(tmp_path):
    (tmp_path / "b").mkdir()
    for name in ("c.jsonl", "b/x.jsonl", "a.jsonl"):
        jsonl(tmp_path / name, faq(f"{name}?"))
    assert [report.file for report in read_corpus([tmp_path]).ledger] == ["a.jsonl", "b/x.jsonl", "c.jsonl"]


def test_roots_that_share_a_name_are_told_apart(tmp_path):
    for root in ("one", "two"):
        (tmp_path / root).mkdir()
        jsonl(tmp_path / root / "faq.jsonl", faq(f"{root}?"))
    names = [report.file for report in read_corpus([tmp_path / "one", tmp_path / "two"]).ledger]
    assert names == ["one/faq.jsonl", "two/faq.jsonl"]


def test_a_file_reached_twice_is_read_once(tmp_path):
    path = jsonl(tmp_path / "faq.jsonl", faq("Once?"))
    assert [r.file for r in read_corpus([tmp_path, path]).ledger] == ["faq.jsonl"]


def test_an_unknown_format_that_is_named_is_refused(tmp_path):
    (tmp_path / "x.png").write_bytes(b"x")
    assert "not a format" in read_corpus([tmp_path / "x.png"]).ledger[0].refused[0].reason


def test_progress_is_told_of_each_file(tmp_path):
    told = []
    for name in "ab":
        jsonl(tmp_path / f"{name}.jsonl", faq("?" + name))
    read_corpus([tmp_path], progress=lambda *step: told.append(step))
    assert told == [(0, 2, "a.jsonl"), (1, 2, "b.jsonl")]


def test_an_id_outlives_reordering_and_the_edit_of_an_answer(tmp_path):
    before = ids(jsonl(tmp_path / "a.jsonl", faq("One?"), faq("Two?")))
    after = ids(jsonl(tmp_path / "b.jsonl", faq("Two?", "edited"), faq("Zero?"), faq("One?")))
    assert before == [after[2], after[0]]


def test_an_id_can_be_read(tmp_path):
    assert ids(jsonl(tmp_path / "a.jsonl", faq("Wo ist die Straße?")))[0].startswith("wo-ist-die-strasse-")


def test_a_slug_keeps_the_letters_of_any_script():
    assert [slug_of(text) for text in ("नमस्ते दुनिया", "日本語", "???")] == ["नमस्ते-दुनिया", "日本語", "entry"]


def test_entries_with_one_question_and_two_answers_are_both_kept(tmp_path):
    one = ids(jsonl(tmp_path / "a.jsonl", faq("Q?", "x"), faq("Q?", "y")))
    other = ids(jsonl(tmp_path / "b.jsonl", faq("Q?", "y"), faq("Q?", "x")))
    assert len(set(one)) == 2
    assert one == other[::-1]


def test_the_same_entry_twice_is_merged_with_what_only_the_second_has(tmp_path):
    first, second = faq("Q?", "A b", tags=["x"]), faq(" q? ", "a  B", tags=["y"], alternates=["R?"])
    read = read_corpus([jsonl(tmp_path / "a.jsonl", first, second)])
    assert [(e.tags, e.alternates) for e in read.entries] == [(("x", "y"), ("R?",))]
    assert (read.ledger[0].seen, read.ledger[0].indexed, read.ledger[0].merged) == (2, 1, 1)


def test_the_same_entry_under_two_ids_stays_two(tmp_path):
    assert ids(jsonl(tmp_path / "a.jsonl", faq("Q?", _id="x"), faq("Q?", _id="y"))) == ["x", "y"]


def test_an_id_given_twice_is_refused_with_the_place_of_the_first(tmp_path):
    jsonl(tmp_path / "a.jsonl", faq("Q?", _id="x"))
    jsonl(tmp_path / "b.jsonl", faq("R?", _id="x"))
    refused = read_corpus([tmp_path]).ledger[1].refused
    assert "a.jsonl, line 1" in refused[0].reason


def test_a_link_into_a_hidden_folder_is_read_as_volumes_are_mounted(tmp_path):
    (tmp_path / "..data").mkdir()
    jsonl(tmp_path / "..data" / "faq.jsonl", faq("Mounted?"))
    (tmp_path / "faq.jsonl").symlink_to(tmp_path / "..data" / "faq.jsonl")
    assert [(r.file, r.indexed) for r in read_corpus([tmp_path]).ledger] == [("faq.jsonl", 1)]


texts = st.text("ab ?ß", min_size=1, max_size=3)
entries = st.builds(
    lambda own, question, answer, line: Entry(own, question, (Paragraph(answer, answer),), Source("f", line)),
    st.sampled_from(["", "", "x", "y"]), texts, texts, st.integers(1, 99),
)  # fmt: skip


@given(st.lists(entries, max_size=12))
def test_every_entry_has_one_fate_and_every_id_is_unique(given_entries):
    kept, fates = unite(given_entries)
    assert len(fates) == len(given_entries)
    assert len(kept) == fates.count("kept")
    assert len({entry.id for entry in kept}) == len(kept)
    assert all(entry.id for entry in kept)


@given(st.lists(entries, max_size=8), st.randoms())
def test_ids_do_not_depend_on_the_order(given_entries, random):
    given_entries = [entry for entry in given_entries if not entry.id]
    shuffled = random.sample(given_entries, len(given_entries))
    by_id = [
        {e.id: (fold(e.question), fold(e.answer[0].text)) for e in unite(order)[0]}
        for order in (given_entries, shuffled)
    ]
    assert by_id[0] == by_id[1]


@settings(deadline=None)  # a child is started now and then, which takes as long as the machine is busy
@given(st.sampled_from(SUFFIXES), st.text("aQA:#-*`<>[]{}\",;\n\t?&'_|=1\\ é", max_size=60))
def test_no_text_of_any_format_is_a_failure_of_ours(suffix, text):
    parsed = parse(Job("fuzz", suffix, "Fuzz", "en", 1_000), text.encode())
    assert parsed.entries or parsed.refused or not text.strip()
    assert not any("this reader failed" in refusal.reason for refusal in parsed.refused)
    assert all(isinstance(refusal, Refusal) and refusal.reason for refusal in parsed.refused)
    assert msgspec.json.decode(msgspec.json.encode(parsed), type=Parsed) == parsed


def test_the_suffixes_that_are_read_are_those_of_the_formats():
    assert set(SUFFIXES) == {*FORMATS, *BINARY, ".zip"}


@pytest.mark.parametrize("beside", ["CURRENT", ".lock"])
def test_an_index_in_the_corpus_is_passed_over(tmp_path, beside):
    jsonl(tmp_path / "a.jsonl", faq("Why?"))
    snapshot = tmp_path / "index" / "snapshots" / "one"
    snapshot.mkdir(parents=True)
    (tmp_path / "index" / beside).write_text("one\n")
    jsonl(snapshot / "entries.jsonl", faq("How?"))
    read = read_corpus([tmp_path])
    assert [entry.question for entry in read.entries] == ["Why?"]
    assert [(row.file, row.refused, row.notes) for row in read.ledger if row.file == "index"] == [
        ("index", (), ("is an index that retriever built, and no FAQ",))
    ]


def test_what_office_keeps_of_an_open_file_is_passed_over(tmp_path):
    (tmp_path / "~$faq.docx").write_bytes(b"somebody")
    (tmp_path / "faq.md").write_text("# Is it open?\n\nYes.\n")
    corpus = read_corpus([tmp_path])
    assert [(row.indexed, len(row.refused), row.notes) for row in corpus.ledger] == [
        (1, 0, ()),
        (0, 0, ("is what Office keeps of a file that is open",)),
    ]
