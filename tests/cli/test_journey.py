"""The whole way with the real model: build, build again, ask, evaluate. A command is a process, so each is run once."""

import json
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from retriever import Searcher
from retriever.defaults import DEFAULT_MESSAGE
from retriever.types import Answer, AnswerText, FileReport, FoundPassage, Highlight, Hit, Refusal, Source, Timings

pytestmark = pytest.mark.model

RETRIEVER = Path(sys.executable).with_name("retriever")
SCRIPT = Path(__file__).parents[2] / "scripts" / "build_index.py"
GOOD = [
    {"_id": "hours", "question": "When do you open?", "answer": "At nine in the morning."},
    {"_id": "cards", "question": "Which cards do you take?", "answer": "Any credit or debit card."},
]
CSV = "question,answer\nDo you deliver?,Yes.\nWhat about this one?,\n"  # line 3 has no answer


def names(kind) -> list[str]:
    return [field.name for field in msgspec.inspect.type_info(kind).fields]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("journey")
    (folder / "corpus").mkdir()
    (folder / "corpus" / "good.jsonl").write_text("\n".join(map(json.dumps, GOOD)))
    (folder / "corpus" / "bad.csv").write_text(CSV)
    return folder


@pytest.fixture(scope="module")
def run(home):
    def run_(program, *arguments):
        command = [program, *map(str, arguments)]
        return subprocess.run(command, cwd=home, capture_output=True, text=True, check=False, timeout=300)

    return run_


@pytest.fixture(scope="module")
def built(run):
    return run(RETRIEVER, "build", "--corpus", "corpus", "--index", "index", "--json")


@pytest.fixture(scope="module")
def rebuilt(run, built):
    assert built.stdout
    return run(RETRIEVER, "build", "--corpus", "corpus", "--index", "index")


@pytest.fixture(scope="module")
def asked(run, built):
    assert built.stdout
    return run(RETRIEVER, "ask", "what time do you open in the morning", "--index", "index", "-k", "2", "--json")


@pytest.fixture(scope="module")
def unanswered(run, built):
    assert built.stdout
    return run(RETRIEVER, "ask", "who painted the ceiling of the chapel", "--index", "index")


# --- build --------------------------------------------------------------------------------------------------------


def test_a_build_that_refused_something_is_3_and_published_all_the_same(built):
    assert built.returncode == 3, built.stderr
    assert json.loads(built.stdout)["published"] is True


def test_the_report_has_these_keys_in_this_order(built):
    report = json.loads(built.stdout)
    assert list(report) == [
        "snapshot",
        "published",
        "counts",
        "encoded",
        "reused",
        "took_s",
        "ledger",
        "gate",
        "warnings",
    ]
    assert list(report["counts"]) == ["files", "entries", "pages", "passages", "split", "merged", "refused"]
    for row in report["ledger"]:
        assert list(row) == names(FileReport)
        assert row["seen"] == row["indexed"] + row["merged"] + len(row["refused"])


def test_the_report_names_file_line_and_reason_of_what_was_refused(built):
    (row,) = [row for row in json.loads(built.stdout)["ledger"] if row["refused"]]
    (refusal,) = row["refused"]
    assert list(refusal) == names(Refusal)
    assert (refusal["file"], refusal["line"]) == ("bad.csv", 3)
    assert "without an answer" in refusal["reason"]


def test_the_report_counts_what_was_encoded(built):
    report = json.loads(built.stdout)
    assert report["counts"]["entries"] == 3
    assert (report["encoded"], report["reused"]) == (report["counts"]["passages"], 0)


def test_progress_goes_to_stderr_a_line_a_step(built):
    texts = json.loads(built.stdout)["encoded"]
    assert f"encode: {texts} of {texts}" in built.stderr.splitlines()


def test_a_second_build_says_that_nothing_changed(rebuilt, built):
    snapshot = json.loads(built.stdout)["snapshot"]
    assert f"Nothing changed since snapshot {snapshot}" in rebuilt.stdout


def test_a_second_build_still_tells_what_is_refused(rebuilt):
    assert rebuilt.returncode == 3
    assert "bad.csv: 1 of 2 entries, 1 refused\n  refused line 3: a question without an answer" in rebuilt.stdout


def test_the_script_builds_what_the_command_builds(run, built):
    done = run(sys.executable, SCRIPT, "--corpus", "corpus", "--index", "index", "--json")
    report, first = json.loads(done.stdout), json.loads(built.stdout)
    assert done.returncode == 3
    assert (report["snapshot"], report["published"]) == (first["snapshot"], False)
    assert report["ledger"] == first["ledger"]


# --- ask ----------------------------------------------------------------------------------------------------------


def test_an_answered_question_is_0(asked):
    assert asked.returncode == 0, asked.stderr
    assert json.loads(asked.stdout)["hits"][0]["entry_id"] == "hours"


def test_the_json_of_ask_has_the_keys_of_the_answer_that_http_gives(asked):
    answer = json.loads(asked.stdout)
    assert list(answer) == names(Answer)
    assert list(answer["took_ms"]) == names(Timings)
    for hit in answer["hits"]:
        assert list(hit) == names(Hit)
        assert list(hit["answer"]) == names(AnswerText)
        assert list(hit["passage"]) == names(FoundPassage)
        assert list(hit["highlight"]) == names(Highlight)
        assert list(hit["source"]) == names(Source)


def test_python_gives_the_answer_that_the_command_gives(asked, home, real_encoder):
    printed = msgspec.json.decode(asked.stdout, type=Answer)
    searcher = Searcher.open(home / "index", real_encoder)
    answer = searcher.ask(printed.question, 2)
    searcher.close()
    assert [hit.entry_id for hit in printed.hits] == [hit.entry_id for hit in answer.hits]
    assert [hit.score for hit in printed.hits] == pytest.approx([hit.score for hit in answer.hits], abs=1e-5)
    assert printed.hits[0].answer == answer.hits[0].answer


def test_k_is_how_many_hits_are_printed(asked):
    assert len(json.loads(asked.stdout)["hits"]) == 2


def test_nothing_but_the_answer_is_printed(asked):
    assert asked.stderr == ""


def test_a_question_without_an_answer_is_3_and_shows_the_nearest(unanswered):
    assert unanswered.returncode == 3, unanswered.stderr
    assert unanswered.stdout.startswith(DEFAULT_MESSAGE)
    assert "When do you open?" in unanswered.stdout


def test_an_empty_question_is_2_and_names_the_field(run, built):
    assert built.stdout
    done = run(RETRIEVER, "ask", " ", "--index", "index")
    assert (done.returncode, done.stderr) == (2, "error: question: is empty; ask something\n")


# --- evaluate -----------------------------------------------------------------------------------------------------


def test_evaluate_prints_the_measures_as_json_and_nothing_else(run, home):
    folder = home / "shop-words"
    folder.mkdir()
    (folder / "corpus.jsonl").write_text("\n".join(map(json.dumps, GOOD)))
    (folder / "queries.jsonl").write_text(json.dumps({"_id": "q", "text": "what time do you open"}))
    (folder / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\nq\thours\t1\n")
    (folder / "oos.jsonl").write_text(json.dumps({"_id": "o", "text": "who painted the chapel", "kind": "far"}))
    done = run(RETRIEVER, "evaluate", "shop-words", "--json")
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(done.stdout)["sets"]
    assert (row["name"], row["queries"], row["success@1"], row["ndcg@10"]) == ("shop-words", 1, 1.0, 1.0)
    assert (row["oos"]["kept"], row["oos"]["far"]["rejected"]) == (1.0, 1.0)
    assert 0 <= row["oos"]["ece"] <= 0.5
