"""A build encodes what is new, publishes what changed, and accounts for all it read."""

import json
from dataclasses import replace
from importlib import resources

import pytest

from hashing import HashingEncoder
from retriever.build import build
from retriever.errors import CorpusError
from retriever.search import Searcher
from retriever.snapshot import open_snapshot, read_manifest, snapshot_ids


def add(corpus, *pairs: tuple[str, str], to: str = "more.jsonl"):
    lines = [json.dumps({"question": question, "answer": answer}) for question, answer in pairs]
    (corpus / to).write_text("\n".join(lines))


# A build also encodes the shipped questions about nothing in common, to learn what that scores.
OFF_TOPIC = resources.files("retriever").joinpath("offtopic.txt").read_text(encoding="utf-8").splitlines()
# Five entries' questions and alternates, paragraphs, and each as one text.
TEXTS = 16


def ids(index) -> dict[str, str]:
    """Return entry ids by question."""
    snapshot = open_snapshot(index)
    entries = [snapshot.entry(ordinal) for ordinal in range(len(set(snapshot.owners.tolist())))]
    snapshot.close()
    return {entry.question: entry.id for entry in entries}


def test_the_first_build_encodes_every_text(run_build):
    encoder = HashingEncoder()
    report = run_build(encoder=encoder)
    assert (report.published, report.encoded, report.reused) == (True, TEXTS, 0)
    assert len(encoder.encoded) == TEXTS + len(OFF_TOPIC)


def test_an_unchanged_corpus_publishes_nothing(run_build, index):
    first, second = run_build(), run_build()
    assert (second.published, second.snapshot, second.encoded) == (False, first.snapshot, 0)
    assert snapshot_ids(index) == [first.snapshot]


def test_only_new_texts_are_encoded(run_build, corpus):
    run_build()
    add(corpus, ("Is this new?", "It is."))
    encoder = HashingEncoder()
    report = run_build(encoder=encoder)
    assert (report.encoded, report.reused) == (3, TEXTS)
    assert sorted(set(encoder.encoded) - set(OFF_TOPIC)) == ["Is this new?", "Is this new?\nIt is.", "It is."]


def test_a_text_that_stands_twice_is_encoded_once(run_build, corpus):
    add(corpus, ("One?", "The same."), ("Two?", "The same."))
    encoder = HashingEncoder()
    run_build(encoder=encoder)
    assert encoder.encoded.count("The same.") == 1


def test_going_back_to_an_older_corpus_encodes_nothing(run_build, corpus):
    run_build()
    add(corpus, ("Is this new?", "It is."))
    run_build()
    (corpus / "more.jsonl").unlink()
    report = run_build()
    assert (report.published, report.encoded) == (True, 0)


def test_another_encoder_builds_everything_again(run_build, index):
    run_build()
    report = run_build(encoder=HashingEncoder(weights="f" * 64))
    assert (report.published, report.encoded) == (True, TEXTS)
    assert read_manifest(index).encoder.weights == "f" * 64


def test_vectors_that_rotted_in_the_cache_are_encoded_again(run_build, index, corpus):
    run_build()
    with (index / "vectors.cache").open("r+b") as file:
        file.seek(3000)
        file.write(b"rotten")
    add(corpus, ("Is this new?", "It is."))
    assert run_build().encoded == TEXTS + 3


@pytest.mark.parametrize("lost", ["vectors.cache", "passages.sqlite", "words.sqlite", "readings.sqlite"])
def test_without_what_was_kept_a_build_is_the_same(run_build, index, corpus, lost):
    run_build()
    (index / lost).write_bytes(b"rotten" * 1000)
    add(corpus, ("Is this new?", "It is."))
    assert run_build().encoded == (TEXTS + 3 if lost == "vectors.cache" else 3)


FILES = [
    "entries.jsonl",
    "entries.npy",
    "facets.json",
    "facets.npy",
    "lexical.bin",
    "passages.npy",
    "suggest.bin",
    "vectors.faiss",
]


def published(index) -> dict[str, bytes]:
    """Return every file of the snapshot that is served, and what its manifest says of the corpus."""
    manifest = read_manifest(index)
    folder = index / "snapshots" / manifest.id
    files = {name: (folder / name).read_bytes() for name in manifest.files}
    return files | {"manifest": repr(replace(manifest, id="", created="")).encode()}


def edits(corpus):
    """Change the corpus step by step: entries come, move, change in part, lose their place, and go."""
    shop = (corpus / "shop.jsonl").read_text().splitlines()
    (corpus / "more.jsonl").write_text(json.dumps({"question": "Is it new?", "answer": "It is. It is so.\n\nTruly."}))
    yield
    (corpus / "shop.jsonl").write_text("\n".join(["", *shop]))
    yield
    (corpus / "more.jsonl").write_text(json.dumps({"question": "Is it new?", "answer": "It is. It was so.\n\nTruly."}))
    yield
    (corpus / "aaa.jsonl").write_text(json.dumps({"question": "Aaa?", "answer": "word " * 70, "tags": ["x"]}))
    yield
    (corpus / "more.jsonl").unlink()
    (corpus / "shop.jsonl").write_text("\n".join(shop[1:]))
    yield


def test_what_is_built_upon_earlier_builds_is_what_is_built_from_nothing_byte_by_byte(run_build, corpus, index):
    run_build()
    for step, _ in enumerate(edits(corpus)):
        assert run_build().published
        fresh = index.parent / f"fresh-{step}"
        build([corpus], fresh, HashingEncoder(), lang="en", keep=5, progress=lambda *_: None)
        assert published(index) == published(fresh)
        assert sorted(FILES) == sorted(published(index).keys() - {"manifest"})


def test_only_entries_that_changed_are_cut_anew(run_build, corpus):
    run_build()
    (corpus / "shop.jsonl").write_text("\n\n" + (corpus / "shop.jsonl").read_text())
    add(corpus, ("Is this new?", "It is."))
    encoder = Cutting()
    run_build(encoder=encoder)
    assert all("new" in text or text == "It is." for text in encoder.cut)


class Cutting(HashingEncoder):
    """Remembers what it was asked to fit."""

    def __init__(self) -> None:
        super().__init__()
        self.cut: list[str] = []

    def fit(self, text: str) -> int:
        self.cut.append(text)
        return super().fit(text)


def test_an_encoder_with_another_window_cuts_all_entries_anew(run_build, corpus, index):
    add(corpus, ("Is it long?", "word " * 70))
    run_build()
    report = run_build(encoder=HashingEncoder(window=16))
    assert report.counts.split == 4
    fresh = index.parent / "fresh"
    build([corpus], fresh, HashingEncoder(window=16), lang="en", keep=5, progress=lambda *_: None)
    assert published(index) == published(fresh)


@pytest.mark.parametrize("content", ["", "{}", '{"question": "No answer?"}'])
def test_a_corpus_with_nothing_is_an_error_that_says_why_and_the_old_snapshot_serves(
    run_build, tmp_path, index, content
):
    served = run_build().snapshot
    (tmp_path / "empty.jsonl").write_text(content)
    with pytest.raises(CorpusError, match=r"empty\.jsonl"):
        run_build(tmp_path / "empty.jsonl")
    assert open_snapshot(index).manifest.id == served


def test_page_texts_alone_are_no_faq(run_build, tmp_path):
    (tmp_path / "page.md").write_text("Only words.\n")
    with pytest.raises(CorpusError):
        run_build(tmp_path / "page.md")


def test_a_corpus_that_is_not_there_is_an_error(run_build, tmp_path):
    with pytest.raises(CorpusError, match="nowhere"):
        run_build(tmp_path / "nowhere")


def test_counts_are_those_of_the_ledger_and_the_snapshot(run_build, corpus, index):
    first = (corpus / "shop.jsonl").read_text().splitlines()[0]
    (corpus / "bad.jsonl").write_text('{"question": "No answer?"}\n{oops\n' + first)
    report = run_build()
    counts = report.counts
    assert (counts.files, counts.entries, counts.pages, counts.merged, counts.refused) == (3, 4, 1, 1, 2)
    assert counts.entries == sum(row.indexed for row in report.ledger)
    assert counts.passages == len(open_snapshot(index).owners)
    assert all(row.seen == row.indexed + row.merged + len(row.refused) for row in report.ledger)


def test_split_passages_are_counted(run_build, corpus):
    add(corpus, ("Is it long?", "word " * 70))
    assert run_build().counts.split == 2


def test_sentences_are_not_counted_as_split(run_build, corpus):
    add(corpus, ("Is it long?", "It is one sentence of many words. It is another of as many words."))
    assert run_build().counts.split == 0


def test_the_floor_is_the_mean_cosine_of_questions_about_nothing_in_common(run_build, index):
    run_build()
    encoder, snapshot = HashingEncoder(), open_snapshot(index)
    asked = [snapshot.entry(ordinal) for ordinal in range(5)]
    own = encoder.encode([entry.question for entry in asked if entry.kind == "faq"], "passage")
    assert snapshot.manifest.calibration.floor == pytest.approx(
        (encoder.encode(OFF_TOPIC, "query") @ own.T).mean(), abs=1e-3
    )
    snapshot.close()


@pytest.mark.parametrize(("langs", "main"), [(["en", "de", "de"], "de"), (["de", "en", "en"], "en")])
def test_the_main_language_is_that_of_most_entries(run_build, tmp_path, index, langs, main):
    rows = [{"question": f"Why {n}?", "answer": "So.", "lang": lang} for n, lang in enumerate(langs)]
    (tmp_path / "own.jsonl").write_text("\n".join(map(json.dumps, rows)))
    run_build(tmp_path / "own.jsonl")
    assert read_manifest(index).lang == main


def test_what_is_refused_is_counted_though_nothing_changed(run_build, corpus):
    run_build()
    (corpus / "bad.json").write_text("42")
    report = run_build()
    assert not report.published
    assert report.refused == 1


def test_ids_outlive_reordering_and_other_entries_edits(run_build, corpus, index):
    run_build()
    before = ids(index)
    first, second, third = (corpus / "shop.jsonl").read_text().splitlines()
    edited = [third, first.replace("Two days", "Three days"), second]
    (corpus / "shop.jsonl").write_text("\n".join(edited))
    assert run_build().published
    assert ids(index) == before


def test_entries_lie_in_the_order_of_their_ids(run_build, index):
    run_build()
    assert list(ids(index).values()) == sorted(ids(index).values())


def test_progress_ends_each_step_it_began(corpus, index):
    seen = []
    build([corpus], index, HashingEncoder(), lang="en", keep=5, progress=lambda *step: seen.append(step))
    assert [name for name, done, total in seen if done == total] == ["read", "encode", "publish"]


def test_a_build_while_a_searcher_is_open_changes_none_of_its_answers(run_build, corpus, searcher):
    before = searcher.ask("How long does shipping take?")
    for number in range(8):
        add(corpus, (f"Is this number {number}?", "Yes."))
        run_build(keep=1)
    after = searcher.ask("How long does shipping take?")
    assert (after.hits, after.snapshot) == (before.hits, before.snapshot)


def test_what_was_built_answers(run_build, index):
    run_build()
    assert Searcher.open(index, HashingEncoder()).ask("when do you open").hits[0].question == "When do you open?"
