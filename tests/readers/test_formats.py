"""What each format's reader makes of a file as people write it."""

import json

import pytest

from retriever.readers import read_corpus
from retriever.types import Corpus, Entry


@pytest.fixture
def read(tmp_path):
    def _read(name: str, text: str) -> Corpus:
        (tmp_path / name).write_text(text, encoding="utf-8")
        return read_corpus([tmp_path / name])

    return _read


def asked(corpus: Corpus) -> list[str]:
    return [entry.question for entry in corpus.entries if entry.kind == "faq"]


def answer(entry: Entry) -> list[str]:
    return [paragraph.text for paragraph in entry.answer]


def reasons(corpus: Corpus) -> list[tuple[int | None, str]]:
    return [(refusal.line, refusal.reason) for report in corpus.ledger for refusal in report.refused]


# --- plain text ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dash", ["-", "--", "---", "–", "—", " - "])
def test_a_dash_line_opens_an_entry(read, dash):
    assert asked(read("a.txt", f"Intro.\n{dash}\nOne?\nYes.\n{dash}\nTwo?\nNo.\n")) == ["One?", "Two?"]


def test_text_joins_lines_that_were_wrapped(read):
    entry = read("a.txt", "-\nOne?\nThis goes\non and on\nto here.\n\nNext.\n").entries[0]
    assert answer(entry) == ["This goes on and on to here.", "Next."]


def test_text_keeps_lines_that_are_paragraphs(read):
    assert answer(read("a.txt", "-\nOne?\nFirst one.\nSecond one.\nThird\n").entries[0]) == [
        "First one.",
        "Second one.",
        "Third",
    ]


def test_text_keeps_a_list_together(read):
    assert answer(read("a.txt", "-\nOne?\n- a\n- b\n").entries[0]) == ["- a\n- b"]


def test_text_takes_questions_and_answers_that_are_marked(read):
    corpus = read("a.txt", "Shop FAQ\n\nWelcome.\n\nQ: How do\nI pay?\nA: By card.\n\nOr cash.\nQ2. When?\nA2. Now.\n")
    assert asked(corpus) == ["How do I pay?", "When?"]
    assert answer(corpus.entries[1]) == ["By card.", "Or cash."]
    assert (corpus.entries[0].kind, corpus.entries[0].question, corpus.entries[1].source.line) == (
        "page",
        "Shop FAQ",
        5,
    )


# --- Markdown -----------------------------------------------------------------------------------------------------


def test_sections_are_metadata_and_their_headings_questions(read):
    corpus = read(
        "a.md", "# Help\n\nHi.\n\n## Money\n\n### How do I pay?\n\nCard.\n\n### 2. Refunds {#back}\n\n30 days.\n"
    )
    assert asked(corpus) == ["How do I pay?", "Refunds"]
    assert corpus.entries[1].metadata == {"section": "Money"}
    assert corpus.entries[2].source.anchor == "back"
    assert (corpus.entries[0].kind, corpus.entries[0].question) == ("page", "Help")


def test_headings_that_do_not_ask_are_questions_where_none_does(read):
    corpus = read("a.md", "# Manual\n\n## Install\n\npip\n\n### Windows\n\nexe\n\n## Use\n\nrun\n")
    assert [(entry.question, answer(entry)) for entry in corpus.entries] == [
        ("Install", ["pip", "Windows", "exe"]),
        ("Use", ["run"]),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "**How do I pay?**\n\nCard.\n\n**When?**\nNow.\n",
        "Q: How do I pay?\nA: Card.\n\nQ: When?\nA: Now.\n",
        "**Q: How do\nI pay?**\n\n**A:** Card.\n\n**Q2:** When?\n\nNow.\n",
        "<details>\n<summary>How do I <b>pay</b>?</summary>\n\nCard.\n</details>\n\n"
        "<details><summary>When?</summary>\nNow.\n</details>\n",
        "How do I pay?\n====\n\nCard.\n\nWhen?\n===\n\nNow.\n",
    ],
    ids=["bold", "Q", "bold Q", "details", "underlined"],
)
def test_questions_need_not_be_marked_as_headings(read, text):
    corpus = read("a.md", text)
    assert [(entry.question, answer(entry)) for entry in corpus.entries] == [
        ("How do I pay?", ["Card."]),
        ("When?", ["Now."]),
    ]


def test_code_is_never_read_as_a_heading(read):
    corpus = read("a.md", "# How?\n\n```sh\n# What?\n**Why?**\nQ: Who?\n```\n\n    # Where?\n")
    assert asked(corpus) == ["How?"]


def test_front_matter_counts_for_each_entry_and_lines_still_count_from_the_top(read):
    front = "---\ntitle: T\nurl: https://x.y\ntags: [a, no]\nlang: no\nwhen: 2024-05-01\n---\n"
    entry = read("a.md", front + "# How?\n\nSo.\n").entries[0]
    assert (entry.source.title, entry.source.url, entry.source.line) == ("T", "https://x.y", 8)
    assert (entry.tags, entry.lang, entry.metadata) == (("a", "no"), "no", {"when": "2024-05-01"})


def test_a_file_whose_front_matter_asks_is_one_entry(read):
    entry = read(
        "a.md", '---\nquestion: How?\nid: how\nalternates: ["In what way?"]\n---\n\nSo.\n\n## Note\n\nReally.\n'
    ).entries[0]
    assert (entry.id, entry.question, entry.alternates) == ("how", "How?", ("In what way?",))
    assert answer(entry) == ["So.", "Note", "Really."]


def test_bad_front_matter_is_refused_with_its_line(read):
    assert reasons(read("a.md", "---\ntitle: T\nurl: [x\n---\n# How?\n\nSo.\n"))[0][0] in {3, 4}


def test_blank_lines_may_stand_before_front_matter(read):
    entry = read("a.md", "\n \n---\nvalid_until: 2020-01-01\n---\n# How?\n\nSo.\n").entries[0]
    assert (entry.question, str(entry.valid_until), entry.source.line) == ("How?", "2020-01-01", 6)
    assert reasons(read("a.md", "\n---\ntitle: T\nurl: [x\n---\n# How?\n\nSo.\n"))[0][0] in {4, 5}


def test_front_matter_that_is_never_closed_is_refused_and_not_read_as_text(read):
    corpus = read("a.md", "---\ntitle: T\nvalid_until: 2020-01-01\n\n# Is the offer on?\n\nYes.\n")
    assert (corpus.entries, reasons(corpus)[0][0]) == ((), 1)
    assert "never closed" in reasons(corpus)[0][1]


def test_a_rule_at_the_head_is_no_front_matter(read):
    assert asked(read("a.md", "---\nWhat we are asked: a lot.\n\n# How?\n\nSo.\n")) == ["How?"]


def test_a_value_in_front_matter_that_cannot_be_taken_says_where_it_stands(read):
    line, reason = reasons(read("a.md", "---\nreviewed: 31.12.2026\n---\n# How?\n\nSo.\n\n# Who?\n\nMe.\n"))[0]
    assert line == 1
    assert all(part in reason for part in ("front matter", "all of the file", "reviewed"))


def test_a_question_without_an_answer_is_refused_in_its_line(read):
    (line, reason), *_ = reasons(read("a.md", "# FAQ\n\n## Who?\n\n## When?\n\nNow.\n"))
    assert line == 3
    assert "without an answer" in reason


def test_an_unclosed_fence_is_noted(read):
    assert "line 3 is never closed" in read("a.md", "# How?\n\n```\nx\n").ledger[0].notes[0]


# --- JSON ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", ["%s", '{"entries": %s}', '{"version": 1, "faqs": %s}', '{"data": %s, "next": null}'])
def test_json_is_a_list_or_holds_one(read, shape):
    corpus = read("a.json", shape % '[{"question": "A?", "answer": "a"},\n {"title": "B?", "text": "b"}]')
    assert [(entry.question, entry.source.line) for entry in corpus.entries] == [("A?", 1), ("B?", 2)]


def test_beir_records_are_entries_with_their_metadata(read):
    metadata = '{"lang": "de", "alt_questions": ["B?"], "n": 1}'
    line = f'{{"_id": "f0", "title": "A?", "text": "a", "metadata": {metadata}, "team": "x"}}'
    entry = read("corpus.jsonl", line).entries[0]
    assert (entry.id, entry.lang, entry.alternates) == ("f0", "de", ("B?",))
    assert entry.metadata == {"lang": "de", "alt_questions": ["B?"], "n": 1, "team": "x"}


def test_a_title_beside_a_question_is_the_pages(read):
    entry = read("a.jsonl", '{"question": "A?", "answer": ["a", "b"], "title": "Page"}').entries[0]
    assert (entry.question, answer(entry), entry.source.title) == ("A?", ["a", "b"], "Page")


def test_answer_format_forces_how_an_answer_is_read(read):
    entry = read("a.jsonl", '{"question": "A?", "answer": "*a*", "answer_format": "markdown"}').entries[0]
    assert entry.answer[0].html == "<p><em>a</em></p>"


@pytest.mark.parametrize(
    ("record", "named"),
    [
        ('{"question": 1, "answer": "a"}', "question"),
        ('{"question": "\\ud800", "answer": "a"}', "question"),
        ('{"question": "q", "answer": "a", "tags": [{}]}', "tags"),
        ('{"question": "q", "answer": "a", "x": [NaN]}', "metadata.x[0]"),
        ('{"question": "q", "answer": "a", "_id": "a\\nb"}', "_id"),
        ('{"question": "q", "answer": "a", "url": "data:x"}', "url"),
    ],
)
def test_a_refusal_names_the_field(read, record, named):
    assert reasons(read("a.jsonl", record))[0][1].startswith(f"{named}:")


# --- tables -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "header", ["question,answer", "Q,A", "Title,Text", "Prompt,Response", "FAQ,Reply", " ANSWER ,Question "]
)
def test_a_header_names_the_columns(read, header):
    row = "a,A?" if "ANSWER" in header else "A?,a"
    corpus = read("a.csv", f"{header}\n{row}\n")
    assert [(entry.question, answer(entry)) for entry in corpus.entries] == [("A?", ["a"])]


@pytest.mark.parametrize(("name", "cut"), [("a.csv", ";"), ("a.csv", ","), ("a.csv", "\t"), ("a.tsv", "\t")])
def test_without_a_header_the_first_two_columns_count(read, name, cut):
    corpus = read(name, f"A?{cut}a{cut}x\nB?{cut}b{cut}y\n")
    assert [(entry.question, answer(entry), entry.metadata) for entry in corpus.entries][1] == (
        "B?",
        ["b"],
        {"column_3": "y"},
    )


def test_a_quoted_cell_may_go_over_lines(read):
    corpus = read("a.csv", 'question,answer,tags,alternates\nA?,"one, ""two""\n\nthree",x;y,B?|C?\nD?,d,,\n')
    assert answer(corpus.entries[0]) == ['one, "two"', "three"]
    assert (corpus.entries[0].tags, corpus.entries[0].alternates) == (("x", "y"), ("B?", "C?"))
    assert corpus.entries[1].source.line == 5


def test_a_broken_quote_costs_its_row_alone(read):
    corpus = read("a.csv", 'question,answer\nA?,"open\nB?,b\n"C?",c\n"D?,d\nE?,e\n')
    assert asked(corpus) == ["B?", "C?", "E?"]
    assert [line for line, _ in reasons(corpus)] == [2, 5]


def test_a_header_without_an_answer_column_is_refused(read):
    assert "names no answer column" in reasons(read("a.csv", "question,solution\nA?,a\n"))[0][1]


def test_a_kind_that_is_no_text_is_metadata_and_the_rest_of_the_file_is_read(read):
    records = [{"question": "Why?", "answer": "So.", "kind": ["page"]}, {"question": "How?", "answer": "Thus."}]
    corpus = read("a.json", json.dumps(records))
    assert (asked(corpus), reasons(corpus)) == (["Why?", "How?"], [])
    assert corpus.entries[0].metadata == {"kind": ["page"]}


def test_a_german_header_is_one(read):
    corpus = read("a.csv", "Frage;Antwort\nWarum?;Darum.\n")
    assert (asked(corpus), answer(corpus.entries[0])) == (["Warum?"], ["Darum."])
