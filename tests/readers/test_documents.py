"""Spreadsheets, other products' exports, documents, PDFs, YAML and archives, as their owners have them."""

import json
import zipfile
from io import BytesIO

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from readers.making import docx, packed, pdf, xlsx
from retriever.readers import read_corpus
from retriever.readers.children import CHILDREN
from retriever.readers.jobs import Job
from retriever.types import Corpus, Entry

QNA = ["Question", "Answer", "Source", "Metadata", "SuggestedQuestions", "IsContextOnly", "Prompts", "QnaId"]
PROMPTS = '[{"displayOrder":0,"qnaId":2,"displayText":"Abroad?"}]'
YES, AT, BESIDE = "**Yes**\\n\\nTwo days.", "https://a.example/faq", "team:post|place:nl|place:be"
QNA_ROWS = [
    ["Do you ship?", YES, AT, BESIDE, "[]", "False", PROMPTS, "1"],
    ["Can I order?", YES, AT, BESIDE, "[]", "False", "[]", "1"],
    ["Abroad?", "No", "Editorial", "", "[]", "True", "[]", "2"],
]


@pytest.fixture
def read(tmp_path):
    def _read(name: str, content: bytes | str) -> Corpus:
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_corpus([tmp_path / name])

    return _read


def pairs(corpus: Corpus) -> list[tuple[str, list[str]]]:
    return [(e.question, [p.text for p in e.answer]) for e in corpus.entries if e.kind == "faq"]


def reasons(corpus: Corpus) -> list[tuple[int | None, str]]:
    return [(refusal.line, refusal.reason) for row in corpus.ledger for refusal in row.refused]


# --- spreadsheets -------------------------------------------------------------------------------------------------


def test_a_sheet_is_a_table_below_its_title(read):
    head = ["Question", "Answer", "tags", "rank"]
    rows = [["Our FAQ"], [], head, ["One?", "Yes.", "a;b", 3], ["Two?", 5.5, None, True]]
    corpus = read("a.xlsx", xlsx({"FAQ": rows}))
    assert pairs(corpus) == [("One?", ["Yes."]), ("Two?", ["5.5"])]
    one, two = corpus.entries
    assert (one.tags, one.metadata, one.source.line) == (("a", "b"), {"rank": "3"}, 4)
    assert two.metadata == {"rank": "true"}


def test_every_sheet_with_a_header_is_read_and_others_are_named(read):
    head = ["question", "answer"]
    corpus = read("a.xlsx", xlsx({"A": [head, ["A?", "a"]], "Notes": [["to do", "x"]], "B": [head, ["B?", "b"]]}))
    assert pairs(corpus) == [("A?", ["a"]), ("B?", ["b"])]
    assert corpus.ledger[0].notes == ("the sheet `Notes` has no header with a question and an answer: not read",)


def test_a_sheet_without_a_header_is_question_and_answer(read):
    assert pairs(read("a.xlsx", xlsx({"A": [["A?", "a"], ["B?", "b"]]}))) == [("A?", ["a"]), ("B?", ["b"])]


@pytest.mark.parametrize("dimension", ["A1:A1", "A1:XFD1048576"])
def test_a_sheet_that_lies_of_its_size_is_read_whole(read, dimension):
    rows = [["question", "answer"], ["A?", "a"], ["B?", "b"]]
    assert len(read("a.xlsx", xlsx({"A": rows}, dimension)).entries) == 2


def test_a_row_that_is_no_entry_is_refused_with_its_number(read):
    rows = [["question", "answer"], ["A?", "a"], ["B?", None]]
    assert reasons(read("a.xlsx", xlsx({"A": rows}))) == [(3, "a question without an answer: “B?”")]


# --- exports of other products ------------------------------------------------------------------------------------


def check_qna(corpus: Corpus) -> None:
    assert pairs(corpus) == [("Do you ship?", ["Yes", "Two days."]), ("Abroad?", ["No"])]
    first, second = corpus.entries
    assert first.answer[0].html == "<p><strong>Yes</strong></p>"
    assert (first.alternates, first.source.url) == (("Can I order?",), "https://a.example/faq")
    assert first.metadata == {"team": "post", "place": ["nl", "be"], "prompts": json.loads(PROMPTS), "qnaid": "1"}
    assert second.metadata == {"source": "Editorial", "iscontextonly": "True", "qnaid": "2"}


def test_a_qna_maker_workbook_moves_in(read):
    check_qna(read("kb.xlsx", xlsx({"QnAs": [QNA, *QNA_ROWS]})))


def test_a_qna_maker_tsv_moves_in(read):
    rows = ["\t".join(f'"{cell.replace(chr(34), chr(34) * 2)}"' for cell in row) for row in [QNA, *QNA_ROWS]]
    check_qna(read("kb.tsv", "\n".join(rows)))


def test_a_kendra_csv_with_a_header_moves_in(read):
    text = "_question,_answer,_source_uri,_category,team\nA?,a,https://a.example/x,delivery,post\n"
    entry = read("faq.csv", text).entries[0]
    assert (entry.question, entry.source.url, entry.tags) == ("A?", "https://a.example/x", ("delivery",))
    assert entry.metadata == {"team": "post", "category": "delivery"}


def test_a_kendra_csv_of_three_columns_moves_in(read):
    corpus = read("faq.csv", "A?,a,https://a.example/x\nB?,b,\n")
    assert [entry.source.url for entry in corpus.entries] == ["https://a.example/x", None]


def test_a_kendra_json_moves_in(read):
    document = {"Question": "A?", "Answer": "a", "Attributes": {"_source_uri": "https://a.example", "team": "post"}}
    document["AccessControlList"] = [{"Name": "u", "Type": "USER", "Access": "ALLOW"}]
    documents = [document, {"Question": "B?", "Answer": "b"}]
    corpus = read("faq.json", json.dumps({"SchemaVersion": 1, "FaqDocuments": documents}))
    assert pairs(corpus) == [("A?", ["a"]), ("B?", ["b"])]
    assert corpus.entries[0].source.url == "https://a.example"
    assert set(corpus.entries[0].metadata) == {"team", "AccessControlList"}
    assert corpus.ledger[0].notes == ()


def test_a_dialogflow_csv_moves_in(read):
    assert pairs(read("faq.csv", '"How, then?","Like this, so."\nWhen?,Now.\n')) == [
        ("How, then?", ["Like this, so."]),
        ("When?", ["Now."]),
    ]


def test_a_faqpage_of_schema_org_moves_in(read):
    question = {"@type": "Question", "name": "A?", "acceptedAnswer": {"@type": "Answer", "text": "<p>a</p>"}}
    questions = [question, {"@type": "Question", "name": "B?"}]
    page = {"@context": "https://schema.org", "@type": "FAQPage", "mainEntity": questions}
    corpus = read("faq.jsonld", json.dumps(page))
    assert pairs(corpus) == [("A?", ["a"])]
    assert reasons(corpus) == [(1, "a question without an answer: “B?”")]


# --- documents ----------------------------------------------------------------------------------------------------


def test_a_document_has_headings_and_bold_lines(read):
    corpus = read(
        "a.docx", docx(("Heading1", "FAQ"), ("Heading2", "How do I pay?"), ("", "By card."), ("", "Or cash."))
    )
    assert pairs(corpus) == [("How do I pay?", ["By card.", "Or cash."])]
    bold = read("b.docx", docx(("bold", "Is it bold?"), ("", "It is."), ("bold", "Is this?"), ("", "It is too.")))
    assert pairs(bold) == [("Is it bold?", ["It is."]), ("Is this?", ["It is too."])]


FIRST = [
    *(
        (24, 750, "Shop FAQ"),
        (16, 700, "How do I pay?"),
        (11, 680, "By card, or by bank trans-"),
        (11, 667, "fer (soon)."),
    ),
    *((11, 640, "Or cash."), (16, 600, "Do you ship abroad?"), (11, 580, "Yes, to"), (11, 20, "1")),
]
PAGES = (FIRST, [(11, 760, "Norway."), (16, 700, "May I return it?"), (11, 680, "Within a month."), (11, 20, "2")])


def test_a_pdf_has_headings_by_size_and_pages_as_anchors(read):
    corpus = read("a.pdf", pdf(*PAGES))
    assert pairs(corpus) == [
        ("How do I pay?", ["By card, or by bank transfer (soon).", "Or cash."]),
        ("Do you ship abroad?", ["Yes, to Norway."]),
        ("May I return it?", ["Within a month."]),
    ]
    assert [entry.source.anchor for entry in corpus.entries] == ["page=1", "page=1", "page=2"]
    assert [entry.metadata["page"] for entry in corpus.entries] == [1, 1, 2]


def test_a_pdf_of_one_size_has_questions_by_form(read):
    texts = ["Is it all of a size?", "It is. And goes", "on.", "", "Is this?", "Yes."]
    corpus = read("a.pdf", pdf([(11, 750 - 13 * place, text) for place, text in enumerate(texts)]))
    assert pairs(corpus) == [("Is it all of a size?", ["It is. And goes on."]), ("Is this?", ["Yes."])]


def test_a_scan_says_that_it_has_no_text(read):
    assert reasons(read("a.pdf", pdf([]))) == [(None, "holds no text: it is a scan, or pictures of text")]


# --- YAML ---------------------------------------------------------------------------------------------------------


def test_yaml_is_a_list_of_entries(read):
    corpus = read("a.yaml", "- question: A?\n  answer: |\n    one\n\n    two\n  tags: [x]\n- B?: b\n- 5\n")
    assert pairs(corpus) == [("A?", ["one", "two"]), ("B?", ["b"])]
    assert corpus.entries[0].tags == ("x",)
    assert reasons(corpus) == [(8, "an entry should have a question and an answer")]


def test_yaml_is_questions_with_answers_as_they_are_written(read):
    corpus = read("a.yml", "Do you ship?: no\nWhen?:\n  answer: 2026-01-01\n  lang: de\n")
    assert pairs(corpus) == [("Do you ship?", ["no"]), ("When?", ["2026-01-01"])]
    assert [(e.source.line, e.lang) for e in corpus.entries] == [(1, "en"), (2, "de")]


def test_yaml_holds_its_list_under_a_usual_name(read):
    assert pairs(read("a.yaml", 'title: x\nfaqs:\n  - {q: "A?", a: b}\n')) == [("A?", ["b"])]


# --- reStructuredText ---------------------------------------------------------------------------------------------

MANUAL = """\
FAQ
===

How do I pay?
-------------

By *card*.

Is a rubric read?
-----------------

.. rubric:: Does it ask?

It does. :ref:`x`

.. toctree::
   other
"""


def test_rst_has_titles_and_rubrics(read):
    corpus = read("a.rst", MANUAL)
    assert ("How do I pay?", ["By card."]) in pairs(corpus)
    assert ("Does it ask?", ["It does. :ref:`x`"]) in pairs(corpus)
    assert (corpus.entries[0].source.line, corpus.entries[0].source.anchor) == (4, "how-do-i-pay")


def test_rst_names_what_is_left_out(read):
    notes = " ".join(read("a.rst", MANUAL).ledger[0].notes)
    assert 'line 16: Unknown directive type "toctree".' in notes


def test_rst_has_definition_lists(read):
    corpus = read("a.rst", "What is a term?\n    A word.\n\nIs this another?\n    Yes.\n\n    It is.\n")
    assert pairs(corpus) == [("What is a term?", ["A word."]), ("Is this another?", ["Yes.", "It is."])]


# --- archives -----------------------------------------------------------------------------------------------------


def test_an_archive_is_read_as_a_folder(read):
    corpus = read("faq.zip", packed({"a.md": "# A?\n\na\n", "in/b.csv": "question,answer\nB?,b\nC?,\n", "c.png": "x"}))
    assert [(e.question, e.source.file, e.source.line) for e in corpus.entries] == [
        ("A?", "faq.zip/a.md", 1),
        ("B?", "faq.zip/in/b.csv", 2),
    ]
    assert [refusal.file for refusal in corpus.ledger[0].refused] == ["faq.zip/in/b.csv"]
    assert corpus.ledger[0].notes == ("c.png: not a format that is read (.png)",)


def test_an_archive_of_an_export_is_read_whole(read):
    assert len(read("a.zip", packed({"a.xlsx": xlsx({"S": [["A?", "a"]]}), "b.pdf": pdf(*PAGES)})).entries) == 4


# --- damage -------------------------------------------------------------------------------------------------------

WHOLE = {
    ".xlsx": xlsx({"S": [QNA, *QNA_ROWS]}),
    ".docx": docx(("Heading1", "A?"), ("", "a")),
    ".pdf": pdf(*PAGES),
    ".zip": packed({"a.md": "# A?\n\na\n", "b.yaml": "A?: a"}),
    ".yaml": b"- question: A?\n  answer: [a, 'b']\n- B?: {answer: b, tags: [x]}\n",
    ".rst": MANUAL.encode(),
    ".jsonld": b'{"@type": "FAQPage", "mainEntity": [{"name": "A?", "acceptedAnswer": {"text": "a"}}]}',
}


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(sorted(WHOLE)), st.lists(st.tuples(st.integers(0, 10_000), st.binary(max_size=3)), max_size=4))
def test_no_damage_is_a_failure_of_ours(suffix, changes):
    data = bytearray(WHOLE[suffix])
    for place, new in changes:
        data[place % len(data) : place % len(data) + max(len(new), 1)] = new
    parsed = CHILDREN.parse(Job("a" + suffix, suffix, "A", "en", 1_000), bytes(data))
    assert parsed.entries or parsed.refused
    assert not [r for r in parsed.refused if "this reader failed" in r.reason or "crashed" in r.reason]


def test_a_cell_at_the_end_of_a_sheet_costs_the_file_and_not_the_build(tmp_path):
    with zipfile.ZipFile(BytesIO(xlsx({"S": [["A?", "a"]]}))) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    sheet = "xl/worksheets/sheet1.xml"
    far = b'<row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData>'
    (tmp_path / "far.xlsx").write_bytes(packed({**files, sheet: files[sheet].replace(b"</sheetData>", far)}))
    (tmp_path / "good.md").write_text("# Good?\n\nYes.\n")
    corpus = read_corpus([tmp_path])
    assert [entry.question for entry in corpus.entries] == ["Good?"]
    assert "MB of memory" in corpus.ledger[0].refused[0].reason


def test_an_entry_says_where_it_stands_in_every_format(read):
    entries: list[Entry] = []
    for suffix, data in WHOLE.items():
        entries += read(f"a{suffix}", data).entries
    assert all(entry.source.file.startswith("a.") for entry in entries)
