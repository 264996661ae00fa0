"""The words of the page: the languages say the same, and nothing that is put into them becomes markup."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from markupsafe import Markup

import retriever.web
from retriever.errors import InputError
from retriever.types import Answer, Timings
from retriever.web.component import keys_named
from retriever.web.language import ENGLISH, LANGUAGES, load_language
from retriever.web.page import render_page, render_results, say_error

WEB = Path(retriever.web.__file__).parent
GERMAN = load_language("de")
PLACE = re.compile(r"\{(\w+)\}")
# A key between the quotes of t("..."), or its beginning where `~` or a brace of an f-string joins the rest to it.
USED = re.compile(r"""\bt\(\s*f?["']([\w.]+)(["']\s*~|\{)?""")
ANSWER = Answer("q", False, 0.1, "none", None, (), None, "x-1", Timings(1, 1, 2), ())


def used() -> set[tuple[str, bool]]:
    """Return the keys that templates and code name, each with whether it is only the beginning of keys."""
    files = [*WEB.rglob("*.html"), *WEB.rglob("*.py"), *(WEB.parent / "api").rglob("*.py")]
    found = {(key, bool(open_)) for file in files for key, open_ in USED.findall(file.read_text(encoding="utf-8"))}
    return found | {(key, key.endswith(".")) for key in keys_named()}


def base(key: str) -> str:
    """Return a key without its plural form."""
    return re.sub(r"\.(zero|one|two|few|many|other)$", "", key)


def test_there_are_at_least_two_languages():
    assert {"en", "de"} <= set(LANGUAGES)


@pytest.mark.parametrize("code", LANGUAGES)
def test_each_language_has_the_same_keys(code):
    assert {base(key) for key in load_language(code).texts} == {base(key) for key in ENGLISH.texts}


@pytest.mark.parametrize("code", LANGUAGES)
def test_each_language_puts_in_the_same(code):
    texts = load_language(code).texts
    assert {base(key): set(PLACE.findall(text)) for key, text in texts.items()} == {
        base(key): set(PLACE.findall(text)) for key, text in ENGLISH.texts.items()
    }


@pytest.mark.parametrize("code", LANGUAGES)
def test_each_text_says_something(code):
    assert [key for key, text in load_language(code).texts.items() if not text.strip()] == []


def test_every_plural_has_its_last_resort():
    forms = {base(key) for key in ENGLISH.texts if key != base(key)}
    assert {f"{key}.other" for key in forms} <= set(ENGLISH.texts)


def test_every_key_that_is_used_is_there():
    known = {base(key) for key in ENGLISH.texts} | set(ENGLISH.texts)
    missing = [key for key, open_ in used() if not (any(k.startswith(key) for k in known) if open_ else key in known)]
    assert missing == []


def test_every_key_that_is_there_is_used():
    keys = used()
    unused = [
        key
        for key in map(base, ENGLISH.texts)
        if not any(key.startswith(name) if open_ else key == name for name, open_ in keys)
    ]
    assert unused == []


def test_no_key_begins_like_a_language():
    assert {key.partition(".")[0] for key in ENGLISH.texts}.isdisjoint(LANGUAGES)


def test_values_are_escaped_and_markup_stays():
    language = replace(ENGLISH, texts={"x": "<b> {a} & {b}"})
    assert language.t("x", a="<i>", b=Markup("<em>c</em>")) == "&lt;b&gt; &lt;i&gt; &amp; <em>c</em>"


def test_a_value_is_not_looked_into():
    language = replace(ENGLISH, texts={"x": "{a} {b}"})
    assert language.t("x", a="{b}", b="{a.__class__}") == "{b} {a.__class__}"


@pytest.mark.parametrize(("language", "text"), [(ENGLISH, "12,345 entries"), (GERMAN, "12.345 Einträge")])
def test_numbers_are_grouped_as_the_language_does(language, text):
    assert language.t("footer.entries", n=12345) == text


@pytest.mark.parametrize(("language", "text"), [(ENGLISH, "0.83"), (GERMAN, "0,83")])
def test_decimals_have_the_point_of_the_language(language, text):
    assert language.decimal(0.8349) == text


@pytest.mark.parametrize(("n", "text"), [(0, "0 entries"), (1, "1 entry"), (2, "2 entries")])
def test_one_is_a_form_of_its_own(n, text):
    assert ENGLISH.t("footer.entries", n=n) == text


@pytest.mark.parametrize(
    ("error", "query", "said"),
    [
        (InputError("k", "is 99"), "why", "Die Zahl der Treffer muss zwischen 1 und 50 liegen."),
        (InputError("question", "long"), "x" * 1234, "Ihre Frage hat 1.234 Zeichen; höchstens 1.000 sind möglich."),
        (InputError("question", "holds a lone surrogate"), "why", "Ihre Frage enthält etwas, das kein Zeichen ist."),
    ],
)
def test_what_is_wrong_is_said_in_the_language(error, query, said):
    assert say_error(error, query, GERMAN) == said


def test_the_document_says_its_language_and_direction():
    arabic = replace(ENGLISH, code="ar", direction="rtl")
    assert '<html lang="ar" dir="rtl">' in render_page(title="x", language=arabic)
    assert '<html lang="de" dir="ltr">' in render_page(title="x", language=GERMAN)


def test_what_the_script_may_show_is_in_the_language():
    assert "Der Server ist nicht erreichbar." in render_page(title="x", language=GERMAN)


def test_the_default_message_is_in_the_language_and_the_owners_is_as_it_is():
    default = "No entry answers this well enough. Another wording may help."
    assert default not in render_results(replace(ANSWER, message=default), "q", None, language=GERMAN)
    assert "Rufen Sie an." in render_results(replace(ANSWER, message="Rufen Sie an."), "q", None, language=GERMAN)
