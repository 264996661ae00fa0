"""What is exported is read back as the same entries: ids, alternates, tags, dates, pins, metadata and markup."""

import json
import os
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retriever.cli import main
from retriever.errors import InputError
from retriever.export import SUFFIX, lost, render
from retriever.readers import read_corpus
from retriever.readers.markup import paragraphs
from retriever.snapshot import read_entries
from retriever.types import Entry, Source

FORMATS = sorted(SUFFIX)

SETS = Path(__file__).parents[2] / "shared" / "eval"
NAMES = """
    covid-de covidbert covidbert-leaveout covidfaq covidfaq-leaveout hint3-curekart hint3-sofmattress pylint
    stackfaq stackfaq-kw stackfaq-leaveout stackfaq-typo zoomcamp zoomcamp-leaveout
"""
# Whole sets take a minute; a part of each tells the same in a second.
MOST = None if os.environ.get("WHOLE_SET") else 60


def bare(entries) -> dict[str, Entry]:
    """Return entries by id, without the place that each had in its file."""
    return {entry.id: replace(entry, source=replace(entry.source, file="", line=None)) for entry in entries}


def read_back(folder: Path, entries, form: str) -> dict[str, Entry]:
    for number, text in enumerate(render(entries, form)):
        (folder / f"{number}{SUFFIX[form]}").write_text(text, encoding="utf-8", newline="\n")
    read = read_corpus([folder])
    assert not [refusal for row in read.ledger for refusal in row.refused]
    return bare(read.entries)


FULL = Entry(
    id="full",
    question="3. What *does* [this] `do` & <b>? #1",
    answer=paragraphs("<p>Bold <b>x</b><br>line</p><ul><li>one</li></ul><pre>a\n\n  b &lt;c&gt;</pre>", "html"),
    source=Source("a.md", 3, "https://a.example/x", "part", "The page"),
    alternates=("a|b", '["c"]', "Q: d?"),
    tags=("x y", "ü"),
    lang="pt-BR",
    metadata={"team": ["a", 1, None], "deep": {"-->": "<!-- </script> -->"}, "lang": "de"},
    owner="Ann | Bob",
    reviewed=date(2026, 1, 2),
    valid_from=date(2026, 1, 3),
    valid_until=date(2026, 12, 31),
    pin_for=("How | why?", "what"),
)
PAGE = Entry("p", "Page", paragraphs("Some text.\n\nMore.", "text"), Source("a"), kind="page")
ODD = Entry(
    "odd", "Odd?", paragraphs("a   b\n    indented\n\n- list\n\n# no heading\n\nQ: x\n\n| a |", "text"), Source("a")
)
EMPTY_LIKE = Entry("2", "=1+1", paragraphs("---\n\n1. x\n\n<your-name> &amp; http://a.b/c_d_e.", "text"), Source("a"))
ENTRIES = [FULL, PAGE, ODD, EMPTY_LIKE]


@pytest.mark.parametrize("form", FORMATS)
def test_an_export_is_read_back_the_same(tmp_path, form):
    assert read_back(tmp_path, ENTRIES, form) == bare(ENTRIES)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("name", NAMES.split())
def test_a_public_set_is_read_back_the_same(tmp_path, form, name):
    path = SETS / name / "corpus.jsonl"
    if not path.is_file():
        pytest.skip(f"the public FAQ set {name} lies beside the repository, in ../shared, and is absent here")
    entries = read_corpus([path]).entries
    step = max(len(entries) // MOST, 1) if MOST else 1
    entries = entries[::step]
    assert len(entries) >= 30
    assert read_back(tmp_path, entries, form) == bare(entries)


TEXTS = st.text("aB1 .?!*_`<>[]()#&|~\\-+=:;,\"'{}/@é\n", min_size=1, max_size=40).filter(lambda text: text.strip())
MARKED = TEXTS.map(lambda text: f"<p>{text}</p><ul><li>{text}</li></ul><pre>{text}</pre>")


@settings(deadline=None)
@given(TEXTS, st.one_of(TEXTS, MARKED), st.lists(TEXTS, max_size=3), st.sampled_from(FORMATS))
def test_any_text_is_read_back_the_same(tmp_path_factory, question, answer, alternates, form):
    folder = tmp_path_factory.mktemp("any")
    (folder / "a.jsonl").write_text(
        json.dumps({"question": question, "answer": answer, "alternates": alternates, "metadata": {"x": answer}})
    )
    entries = read_corpus([folder]).entries
    assert lost(entries, render(entries, form), form) == []


def test_what_would_not_come_back_is_named():
    assert lost([FULL, PAGE], render([FULL], "jsonl"), "jsonl") == ["p"]


def test_markdown_that_is_larger_than_a_build_reads_is_several_files():
    entries = [replace(ODD, id=str(n), answer=paragraphs("*" * 900, "text")) for n in range(200)]
    files = render(entries, "markdown")
    assert len(files) > 1
    assert lost(entries, files, "markdown") == []


def test_markdown_is_fit_to_be_edited():
    (text,) = render([Entry("a", "Do you ship?", paragraphs("Yes, *now*.\n\nSoon.", "text"), Source("a"))], "markdown")
    assert "\n## Do you ship?\n\n<!-- retriever: " in text
    assert text.endswith("-->\n\nYes, \\*now\\*.\n\nSoon.\n\n")


def test_jsonld_is_a_faqpage_of_schema_org():
    page = json.loads(render(ENTRIES, "jsonld")[0])
    assert (page["@context"][0], page["@type"]) == ("https://schema.org", "FAQPage")
    assert {item["@type"] for item in page["mainEntity"]} == {"Question"}
    assert page["mainEntity"][1]["acceptedAnswer"]["@type"] == "Answer"
    assert [part["@type"] for part in page["hasPart"]] == ["WebPageElement"]


def test_a_form_that_is_none_is_an_error_that_lists_them():
    with pytest.raises(InputError, match="jsonl, csv, jsonld, markdown"):
        render(ENTRIES, "docx")


@pytest.fixture
def command(capsys, monkeypatch):
    def run(*arguments) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["retriever", "export", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code or 0, *capsys.readouterr()

    return run


def test_build_export_build_is_the_same_index(run_build, index, tmp_path, command):
    first = run_build()
    assert command("--index", index, "--format", "markdown", "-o", tmp_path / "out.md") == (0, "", "")
    run_build(tmp_path / "out.md", to=tmp_path / "second")
    before, after = (bare(read_entries(folder)) for folder in (index, tmp_path / "second"))
    assert before == after
    assert len(before) == first.counts.entries + first.counts.pages


def test_a_corpus_is_exported_without_an_index(tmp_path, command):
    (tmp_path / "a.txt").write_text("-\nA?\nYes.\n")
    code, out, _ = command("--corpus", tmp_path)
    assert (code, json.loads(out)["question"]) == (0, "A?")


def test_a_file_that_cannot_be_written_is_an_error_that_names_it(tmp_path, command):
    (tmp_path / "a.txt").write_text("-\nA?\nYes.\n")
    code, _, err = command("--corpus", tmp_path, "-o", tmp_path / "none" / "a.jsonl")
    assert code == 2
    assert "cannot be written" in err
