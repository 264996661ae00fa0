"""The measures, against figures worked out by hand."""

import json
import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashing import HashingEncoder
from retriever.errors import CorpusError
from retriever.evaluate import auroc, evaluate, mean_of_families

CORPUS = [
    {"_id": "apple", "title": "apple", "text": "crumble"},
    {"_id": "banana", "title": "banana", "text": "bread"},
    {"_id": "cherry", "title": "cherry", "text": "pie"},
]
# The words of each query decide the ranking: a word that stands twice weighs twice.
QUERIES = [
    {"_id": "first", "text": "apple"},  # apple at rank 1
    {"_id": "second", "text": "banana cherry cherry"},  # cherry at rank 1, banana at rank 2
]
QRELS = [("first", "apple", 1), ("second", "banana", 1)]


def lines(rows) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


@pytest.fixture
def beir(tmp_path):
    def write(name="fruit", *, corpus=CORPUS, queries=QUERIES, qrels=QRELS, oos=None):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "corpus.jsonl").write_text(lines(corpus))
        (folder / "queries.jsonl").write_text(lines(queries))
        rows = [("query-id", "corpus-id", "score"), *qrels]
        (folder / "qrels.tsv").write_text("".join("\t".join(map(str, row)) + "\n" for row in rows))
        if oos is not None:
            (folder / "oos.jsonl").write_text(lines(oos))
        return folder

    return write


@pytest.fixture
def measured(tmp_path):
    def run(*folders, encoder=None, min_confidence=0.5):
        return evaluate(
            folders,
            encoder or HashingEncoder(),
            tmp_path / "work",
            lang="en",
            min_confidence=min_confidence,
            progress=lambda *_: None,
        )

    return run


def row(result):
    return result["sets"][0]


# --- ranking ------------------------------------------------------------------------------------------------------


def test_the_measures_are_those_worked_out_by_hand(beir, measured):
    found = row(measured(beir()))
    assert found["queries"] == 2
    assert found["ndcg@10"] == round((1 + 1 / math.log2(3)) / 2, 4)
    assert found["success@1"] == 0.5
    assert found["success@5"] == 1.0
    assert found["recall@10"] == 1.0
    assert found["mrr@10"] == 0.75


def test_recall_is_the_share_of_the_relevant_entries_that_is_found(beir, measured):
    corpus = [{"_id": f"e{i:02}", "title": f"apple word{i}", "text": "x"} for i in range(20)]
    qrels = [("q", f"e{i:02}", 1) for i in range(20)]
    found = row(measured(beir(corpus=corpus, queries=[{"_id": "q", "text": "apple"}], qrels=qrels)))
    assert found["recall@10"] == 0.5


def test_a_query_that_the_run_misses_counts_as_nothing(beir, measured):
    found = row(measured(beir(qrels=[*QRELS, ("never asked", "cherry", 1)])))
    assert found["mrr@10"] == 0.5
    assert found["success@5"] == round(2 / 3, 4)


def test_a_query_that_is_no_question_is_counted_as_missed(beir, measured):
    long = {"_id": "long", "text": "apple " * 400}
    queries, qrels = [*QUERIES, long], [*QRELS, ("long", "apple", 1)]
    metrics = measured(beir(queries=queries, qrels=qrels, oos=[long | {"kind": "far"}]))["sets"][0]
    assert (metrics["queries"], metrics["unasked"]) == (3, 1)
    assert metrics["success@1"] == pytest.approx(1 / 3, abs=1e-4)
    assert metrics["oos"]["far"]["rejected"] == 1
    assert metrics["oos"]["kept"] <= 0.6667


def test_an_entry_judged_irrelevant_does_not_count(beir, measured):
    judged = [("first", "apple", 1), ("second", "cherry", 0), ("second", "banana", 1)]
    assert row(measured(beir(qrels=judged)))["success@1"] == 0.5


def test_the_whole_question_is_matched_against_questions_and_answers_alike(beir, measured):
    queries = [{"_id": "by answer", "text": "pie"}]
    assert row(measured(beir(queries=queries, qrels=[("by answer", "cherry", 1)])))["success@1"] == 1.0


def test_texts_are_encoded_once_for_all_runs_of_a_set(beir, measured):
    folder, encoder = beir(), HashingEncoder()
    measured(folder)
    measured(folder, encoder=encoder)
    assert set(encoder.encoded) <= {"waarmm upp", *(query["text"] for query in QUERIES)}


def test_two_sets_of_one_name_do_not_share_an_index(beir, measured, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    other = beir("elsewhere/fruit", corpus=CORPUS[:1], queries=QUERIES[:1], qrels=QRELS[:1])
    first, second = measured(beir(), other)["sets"]
    assert (first["entries"], second["entries"]) == (3, 1)


# --- the mean -----------------------------------------------------------------------------------------------------


def of_name(name: str, figure: float) -> dict:
    return {"name": name} | dict.fromkeys(["ndcg@10", "success@1", "success@5", "recall@10", "mrr@10"], figure)


def test_the_mean_is_over_families_named_by_what_stands_before_the_first_dash():
    rows = [of_name("fruit", 1.0), of_name("fruit-typo", 0.5), of_name("fruit-kw-typo", 0.0), of_name("stone", 0.0)]
    mean = mean_of_families(rows)
    assert mean["families"] == 2
    assert mean["ndcg@10"] == 0.25


def test_the_mean_of_one_set_is_the_set(beir, measured):
    result = measured(beir())
    assert all(result["mean"][key] == row(result)[key] for key in ("ndcg@10", "success@1", "mrr@10"))


# --- questions without an answer ----------------------------------------------------------------------------------

OOS = [
    {"_id": "o1", "text": "zebra", "kind": "far-domain"},
    {"_id": "o2", "text": "yacht xylophone", "kind": "far"},
    {"_id": "o3", "text": "apple", "kind": "near-leaveout"},
    {"_id": "o4", "text": "walnut", "kind": "near"},
]


@pytest.fixture
def oos(beir, measured):
    return row(measured(beir(oos=OOS)))["oos"]


def test_questions_with_an_answer_are_kept_at_the_decision(oos):
    assert oos["kept"] == 1.0


def test_far_questions_are_told_from_those_with_an_answer(oos):
    assert oos["far"] == {"questions": 2, "auroc": 1.0, "rejected": 1.0}


def test_near_questions_are_counted_apart(oos):
    # Inside, the confidences are 1 and 2/√5; near, they are 1 and 0: half of the first pair ties, one of four is lost.
    assert oos["near"] == {"questions": 2, "auroc": (0.5 + 1 + 0 + 1) / 4, "rejected": 0.5}


def test_a_stricter_decision_keeps_fewer_and_rejects_more(beir, measured):
    folder = beir(oos=OOS)
    found = [row(measured(folder, min_confidence=least))["oos"] for least in (0, 0.5, 1)]
    assert [oos["kept"] for oos in found] == [1.0, 1.0, 0.0]
    assert [oos["near"]["rejected"] for oos in found] == [0.0, 0.5, 1.0]


def test_the_calibration_error_is_over_questions_with_and_without_an_answer(oos):
    rows = oos["reliability"]
    # Six questions in ten bins are a bin each; one of the two with an answer has it first, the four without never do.
    assert [row["questions"] for row in rows] == [1] * 6
    assert sorted(row["was"] for row in rows) == [0, 0, 0, 0, 0, 1]
    assert oos["ece"] == pytest.approx(sum(abs(row["said"] - row["was"]) for row in rows) / 6, abs=1e-4)


def test_the_reliability_is_in_the_order_of_what_was_said(oos):
    said = [row["said"] for row in oos["reliability"]]
    assert said == sorted(said)
    assert all(0 <= value <= 1 for value in said)


def test_a_kind_that_is_absent_has_no_figures(beir, measured):
    found = row(measured(beir(oos=OOS[:2])))["oos"]
    assert found["near"] == {"questions": 0, "auroc": None, "rejected": None}


def test_a_set_without_such_questions_says_nothing_of_them(beir, measured):
    assert "oos" not in row(measured(beir()))


# --- the shape that others script against -------------------------------------------------------------------------


def test_the_keys_are_those_that_are_promised(beir, measured):
    result = measured(beir(oos=OOS))
    assert set(result) == {"sets", "mean"}
    measures = {"ndcg@10", "success@1", "success@5", "recall@10", "mrr@10"}
    assert set(row(result)) == {"name", "entries", "refused", "queries", "p50_ms", "p95_ms", "oos"} | measures
    assert set(row(result)["oos"]) == {"kept", "ece", "reliability", "far", "near"}
    assert set(row(result)["oos"]["far"]) == set(row(result)["oos"]["near"]) == {"questions", "auroc", "rejected"}
    assert set(result["mean"]) == {"families"} | measures


def test_the_figures_are_written_as_json(beir, measured):
    result = measured(beir(oos=OOS))
    assert msgspec.json.decode(msgspec.json.encode(result)) == result


def test_a_set_is_named_by_its_folder(beir, measured):
    assert row(measured(beir("fruit-typo")))["name"] == "fruit-typo"


def test_the_median_query_takes_no_longer_than_the_95th(beir, measured):
    found = row(measured(beir()))
    assert 0 < found["p50_ms"] <= found["p95_ms"]


# --- what is wrong ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["corpus.jsonl", "queries.jsonl", "qrels.tsv"])
def test_a_missing_file_is_an_error_that_names_it(beir, measured, name):
    folder = beir()
    (folder / name).unlink()
    with pytest.raises(CorpusError, match=f"it has no {name}"):
        measured(folder)


def test_a_missing_file_of_the_last_set_is_told_before_the_first_is_measured(beir, measured, tmp_path):
    with pytest.raises(CorpusError, match="is not a test set"):
        measured(beir(), tmp_path / "absent")
    assert not (tmp_path / "work").exists()


def test_a_query_without_text_is_an_error_that_names_the_file(beir, measured):
    with pytest.raises(CorpusError, match=r"queries\.jsonl"):
        measured(beir(queries=[{"_id": "q"}]))


def test_qrels_without_a_header_are_an_error_that_says_what_it_should_be(beir, measured):
    folder = beir()
    (folder / "qrels.tsv").write_text("first\tapple\t1\nsecond\tbanana\t1\n")
    with pytest.raises(CorpusError, match=r"qrels\.tsv.*\n.*query-id, corpus-id, score"):
        measured(folder)


# --- AUROC --------------------------------------------------------------------------------------------------------

# Few values, so that many tie.
scores = st.lists(st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]) | st.floats(0, 1), min_size=1, max_size=30)


@given(scores, scores)
def test_auroc_is_the_share_of_pairs_in_the_right_order_ties_counting_half(inside, outside):
    pairs = [1.0 if high > low else 0.5 if high == low else 0.0 for high in inside for low in outside]
    assert auroc(inside, outside) == pytest.approx(sum(pairs) / len(pairs), abs=1e-4)


@pytest.mark.parametrize(("inside", "outside"), [([], [0.5]), ([0.5], []), ([], [])])
def test_auroc_of_nothing_is_nothing(inside, outside):
    assert auroc(inside, outside) is None
