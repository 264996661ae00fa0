"""`retriever lint` as an owner runs it: a line a finding, JSON, exit codes, and an index that is not the corpus's."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.model

RETRIEVER = Path(sys.executable).with_name("retriever")
ENTRIES = [
    {"_id": "hours", "question": "When do you open?", "answer": "At nine in the morning."},
    {"_id": "back", "question": "How long do I have to return a parcel?", "answer": "You have 30 days."},
    {"_id": "again", "question": "How long do I have to return parcels?", "answer": "You have 14 days, by post."},
    {"_id": "later", "question": "Do you sell gift vouchers?", "answer": "TODO"},
]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder whose corpus was built."""
    folder = tmp_path_factory.mktemp("lint")
    (folder / "corpus").mkdir()
    (folder / "corpus" / "faq.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in ENTRIES))
    assert run(folder, "build").returncode == 0
    return folder


def run(folder, *arguments):
    return subprocess.run(
        [RETRIEVER, *map(str, arguments)],
        cwd=folder,
        env=os.environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def test_findings_are_lines_with_file_and_line_and_the_exit_code_is_3(home):
    done = run(home, "lint")
    assert done.returncode == 3, done.stderr
    conflict, placeholder, total = done.stdout.splitlines()
    assert re.fullmatch(
        r"faq\.jsonl:2: conflict: “.*” is answered “30 days” here and “14 days” for “.*”"
        r" \(similarity 0\.\d\d\) \[faq\.jsonl:3\]",
        conflict,
    )
    assert placeholder == "faq.jsonl:4: empty: the answer is a placeholder: “TODO”"
    assert total == "4 entries: 1 conflict, 1 empty."


def test_json_has_all_of_each_finding(home):
    done = run(home, "lint", "--json")
    assert done.returncode == 3
    found = json.loads(done.stdout)
    assert found["entries"] == 4
    conflict, placeholder = found["findings"]
    assert conflict["other"] == {"entry_id": "again", "file": "faq.jsonl", "line": 3}
    assert conflict["values"] == ["30 days", "14 days"]
    assert (placeholder["kind"], placeholder["entry_id"], placeholder["line"]) == ("empty", "later", 4)


def test_a_corpus_without_findings_exits_with_0(home, tmp_path):
    (tmp_path / "faq.jsonl").write_text(json.dumps(ENTRIES[0]) + "\n")
    assert run(home, "build", "--corpus", tmp_path, "--index", tmp_path / "index").returncode == 0
    done = run(home, "lint", "--corpus", tmp_path / "faq.jsonl", "--index", tmp_path / "index")
    assert (done.returncode, done.stdout) == (0, "1 entries: nothing to mend.\n"), done.stderr


def test_an_index_alone_is_taken_as_it_is(home, tmp_path):
    assert run(tmp_path, "lint", "--index", home / "index").returncode == 3


def test_an_index_of_another_corpus_is_an_error_that_says_what_to_run(home, tmp_path):
    (tmp_path / "other.jsonl").write_text(json.dumps(ENTRIES[0]) + "\n")
    done = run(home, "lint", "--corpus", tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"retriever build --corpus {tmp_path} --index index" in done.stderr


def test_a_missing_index_is_an_error_that_says_what_to_run(home):
    done = run(home, "lint", "--index", "nowhere")
    assert (done.returncode, done.stdout) == (1, "")
    assert "retriever build --index nowhere" in done.stderr
