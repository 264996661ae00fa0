"""`<faq-search>` as a file: what it weighs, what it says, and what it does not do."""

import gzip
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

import retriever.web
from retriever.web.component import keys_named, render_component
from retriever.web.language import LANGUAGES, load_language

ALL = {code: load_language(code) for code in LANGUAGES}
SOURCE = (Path(retriever.web.__file__).parent / "faq-search.js").read_text(encoding="utf-8")


def served(language="en"):
    return render_component(ALL, language)[0].decode()


def texts(script):
    return json.loads(re.search(r"^const SERVER = (.*);$", script, re.MULTILINE)[1])["texts"]


def test_it_weighs_less_than_20_kb_as_written_and_as_served():
    assert len(SOURCE.encode()) < 20_000
    assert len(served().encode()) < 20_000
    assert len(gzip.compress(served().encode())) < 8_000


@pytest.mark.parametrize("code", LANGUAGES)
def test_every_language_is_inside(code):
    assert texts(served())[code]["box"]["label"] == ALL[code].texts["box.label"]


@pytest.mark.parametrize("code", LANGUAGES)
def test_the_owners_language_comes_first(code):
    assert next(iter(texts(served(code)))) == code


@pytest.mark.parametrize("code", LANGUAGES)
def test_every_text_that_the_script_names_is_inside(code):
    for key in keys_named():
        found = texts(served())[code]
        for part in key.rstrip(".").split("."):
            found = found[part]
        assert found


def test_a_text_cannot_end_its_string():
    odd = '"; alert(1); //</script>\u2028'
    german = ALL["de"]
    odd_german = replace(german, texts={**german.texts, "box.label": odd})
    script = render_component({"de": odd_german}, "de")[0].decode()
    assert texts(script)["de"]["box"]["label"] == odd


def test_its_tag_changes_with_its_texts():
    assert render_component(ALL, "en")[1] != render_component(ALL, "de")[1]


def test_nothing_is_left_out_but_comments_and_indentation():
    def bare(script):
        code = [re.sub(r"(^| )// .*", "", line).strip() for line in script.splitlines()[1:]]
        return [line for line in code if line and not line.startswith("const SERVER")]

    assert bare(served()) == bare(SOURCE)


@pytest.mark.parametrize("sink", ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "srcdoc"])
def test_no_string_becomes_html_or_code(sink):
    assert sink not in SOURCE
