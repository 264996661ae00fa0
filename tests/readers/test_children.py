"""The children that read files: whatever becomes of one, it costs one file, and the reason says what."""

import os
import signal
import subprocess
import sys
import time

import msgspec
import pytest

from retriever.errors import CorpusError
from retriever.readers.children import CHILDREN, Children
from retriever.readers.jobs import Job, memory_for
from retriever.readers.safe import checked

JOB = Job("a.md", ".md", "A", "en", 100_000)
# A child whose reader does `%s` with a file that says so, and reads others as ever.
PROGRAM = """
import os, signal, time
from retriever.readers import limits
read = limits.parse
def parse(job, data):
    if data.startswith(b"# Harmful"):
        %s
    return read(job, data)
limits.parse = parse
limits.main()
"""
HARMFUL, GOOD = b"# Harmful?\n\nYes.\n", b"# Good?\n\nYes.\n"


@pytest.fixture
def children():
    made = []

    def make(harm: str) -> Children:
        made.append(Children(PROGRAM % harm))
        return made[-1]

    yield make
    for one in made:
        one.close()


def reason(parsed) -> str:
    (refusal,) = parsed.refused
    assert (refusal.file, refusal.line, parsed.entries) == ("a.md", None, [])
    return refusal.reason


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        ("os.kill(os.getpid(), signal.SIGSEGV)", "crashed (SIGSEGV)"),
        ("os._exit(7)", "crashed (exit code 7)"),
        ("raise SystemExit", "crashed"),
        ("'x' * (1 << 30)", "MB of memory"),
        ("read = [bytes(1 << 20) for _ in range(1 << 20)]", "MB of memory"),
        ("os.write(4, b'x' * 100)", "cannot be one"),
        ("os.write(4, bytes([0, 0, 0, 0, 0, 0, 0, 2]) + b'{]')", "cannot be one"),
        ("os.write(4, bytes([0, 0, 0, 0, 0, 0, 0, 13]) + b'{\"entries\": 1}')", "cannot be one"),
        ("1 / 0", "crashed (exit code 1)"),
    ],
)
def test_what_a_reader_does_is_one_refusal_with_its_reason(children, harm, words):
    assert words in reason(children(harm).parse(JOB, HARMFUL))


def test_a_reader_that_hangs_is_stopped(children):
    assert "took over 1 s" in reason(children("time.sleep(60)").parse(JOB, HARMFUL, wall=1))


def test_a_reader_that_works_for_ever_is_stopped_by_its_processor_time(children):
    harm = "limits.resource.setrlimit(limits.resource.RLIMIT_CPU, (1, -1)); [0 for _ in iter(int, 1)]"
    assert "processor time" in reason(children(harm).parse(JOB, HARMFUL))


def test_what_a_library_prints_does_no_harm(children):
    assert len(children("print('to whom', flush=True); input").parse(JOB, HARMFUL).entries) == 1


def test_the_next_file_is_read_all_the_same(children):
    pool = children("os.abort()")
    for data, taken in [(GOOD, 1), (HARMFUL, 0), (GOOD, 1), (GOOD, 1)]:
        assert len(pool.parse(JOB, data).entries) == taken


def test_a_child_that_ended_between_files_is_replaced(children):
    pool = children("pass")
    pool.parse(JOB, GOOD)
    os.kill(pool._idle[0]._process.pid, signal.SIGKILL)
    assert len(pool.parse(JOB, GOOD).entries) == 1


def test_a_child_is_kept_for_the_next_file(children):
    pool = children("pass")
    pool.parse(JOB, GOOD)
    before = pool._idle[0]._process.pid
    pool.parse(JOB, GOOD)
    assert pool._idle[0]._process.pid == before


def test_a_child_that_is_expected_reads_the_file_that_comes(children):
    pool = children("pass")
    pool.expect()
    pool.expect()
    (before,) = [child._process.pid for child in pool._idle]
    assert len(pool.parse(JOB, GOOD).entries) == 1
    assert [child._process.pid for child in pool._idle] == [before]


def test_a_child_that_was_expected_in_vain_ends_at_once(children):
    pool = children("pass")
    pool.program = "import time; time.sleep(60)"
    pool.expect()
    began = time.monotonic()
    pool.close()
    assert time.monotonic() - began < 2


def test_a_child_that_was_expected_and_cannot_start_is_an_error_once_a_file_comes():
    pool = Children("raise SystemExit(3)")
    pool.expect()
    with pytest.raises(CorpusError, match=r"ends at once \(exit code 3\)"):
        pool.parse(JOB, GOOD)


def test_a_child_writes_no_file(children, tmp_path):
    harm = f"os.write(os.open({str(tmp_path / 'written')!r}, os.O_CREAT | os.O_WRONLY), b'x' * 100)"
    assert "crashed" in reason(children(harm).parse(JOB, HARMFUL))
    assert not (tmp_path / "written").read_bytes()


def test_a_child_that_cannot_start_is_an_error_that_says_so():
    with pytest.raises(CorpusError, match=r"ends at once \(exit code 3\)"):
        Children("raise SystemExit(3)").parse(JOB, GOOD)


def test_the_settings_of_the_environment_do_not_reach_a_child(children, monkeypatch):
    monkeypatch.setenv("RETRIEVER_TOKEN", "secret")
    pool = children("data = GOOD = b'# ' + os.environ.get('RETRIEVER_TOKEN', 'none').encode() + b'?\\n\\nYes.\\n'")
    assert pool.parse(JOB, HARMFUL).entries[0].question == "none?"


@pytest.mark.parametrize(
    ("html", "shown"),
    [
        ("<p>Yes<img src=x onerror=alert(1)>.</p>", "<p>Yes<img>.</p>"),
        ("<p>Yes.</p><script>alert(1)</script>", "<p>Yes.</p>"),
        ("<p onclick='alert(1)'>Yes.</p>", "<p>Yes.</p>"),
        ("<a href='javascript:alert(1)'>Yes.</a>", '<a rel="nofollow noopener">Yes.</a>'),
    ],
)
def test_what_pages_would_show_as_it_is_is_not_taken_on_a_childs_word(children, html, shown):
    harm = f"parsed = read(job, data); object.__setattr__(parsed.entries[0].answer[0], 'html', {html!r}); return parsed"
    assert children(harm).parse(JOB, HARMFUL).entries[0].answer[0].html == shown


def test_more_tags_than_any_answer_has_are_shown_as_text_at_once():
    assert checked("<b>" * 50_000) == "&lt;b&gt;" * 50_000


SCRIPT = """
import sys
from pathlib import Path
from retriever.readers import read_corpus
print(len(read_corpus([Path(sys.argv[1])]).entries))
"""


@pytest.mark.parametrize("beside", ["script", "working folder"])
def test_what_lies_beside_a_script_or_where_it_runs_is_no_module_of_a_child(tmp_path, beside):
    (tmp_path / "yaml.py").write_text("raise SystemExit")
    (tmp_path / "build.py").write_text(SCRIPT)
    (tmp_path / "faq.yaml").write_text("- question: Good?\n  answer: Yes.\n")
    program = [tmp_path / "build.py"] if beside == "script" else ["-c", SCRIPT]
    where = tmp_path if beside == "working folder" else tmp_path.parent
    command = [sys.executable, *program, tmp_path / "faq.yaml"]
    done = subprocess.run(command, cwd=where, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("1\n", "")


def test_a_large_file_may_take_more_than_a_small_one():
    assert memory_for(64 << 20) > memory_for(0)


def test_what_a_child_says_is_what_reading_here_says():
    from retriever.readers.parsing import parse

    data = b"---\ntags: [a]\nn: 1\n---\n# One?\n\n*Yes*\n\n## Two?\n"
    assert msgspec.json.encode(CHILDREN.parse(JOB, data)) == msgspec.json.encode(parse(JOB, data))
