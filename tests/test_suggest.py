"""What is typed suggests the questions that may be meant."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retriever.guard import FUNCTION_WORDS
from retriever.suggest import Suggester, index_questions
from retriever.suggest.folding import Places, fold
from retriever.types import Entry, Paragraph, Source

QUESTIONS = (
    "How do I rebuild the index?",
    "How do I install retriever?",
    "How do I undo a rebuild?",
    "How do I reset my password?",
    "What is E501?",
    "What is the index, and what is a snapshot?",
    "What does E501 (line-too-long) mean, and how do I disable it?",
    "Can I use it from Python?",
    "Don't you ship to islands?",
    "Where is the café «Ærø»?",
    "Wie setze ich mein Passwort zurück?",
    "Wo finde ich die Öffnungszeiten?",
    "如何重置密码",
    "如何更改电子邮件地址",
    "パスワードを忘れました",
    "ฉันจะรีเซ็ตรหัสผ่านได้อย่างไร",
    "كيف أعيد تعيين كلمة المرور؟",
    "איך מאפסים סיסמה?",
    "비밀번호를 어떻게 재설정하나요?",
    "मैं अपना पासवर्ड कैसे बदलूँ?",
    "Как сбросить пароль?",
)


def entry(number: int, question: str, *alternates: str, kind: str = "faq") -> Entry:
    return Entry(f"e{number:03}", question, (Paragraph("a", "a"),), Source("a"), alternates, kind=kind)


class Typing:
    """Entries, and what is suggested of them for what is typed."""

    def __init__(self, folder, *entries: Entry) -> None:
        index_questions(entries).write(folder)
        self.entries = entries
        self.suggester = Suggester(folder, FUNCTION_WORDS)

    def __call__(self, query: str, count: int = 6, allowed=None) -> list[str]:
        found = self.suggester.look_up(query).best(count, allowed)
        return [(self.entries[at].question, *self.entries[at].alternates)[number] for at, number in found]

    def marked(self, query: str, text: str) -> list[str]:
        return [part.text for part in self.suggester.look_up(query).parts(text) if part.match]

    def corrected(self, query: str) -> str | None:
        return self.suggester.look_up(query).corrected(self(query)[0])


@pytest.fixture(scope="module")
def typing(tmp_path_factory):
    return Typing(tmp_path_factory.mktemp("suggest"), *(entry(n, text) for n, text in enumerate(QUESTIONS)))


@pytest.fixture
def of(tmp_path):
    return lambda *questions: Typing(tmp_path, *(entry(n, text) for n, text in enumerate(questions)))


# --- what is found ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "first"),
    [
        ("how do i reb", "How do I rebuild the index?"),
        ("How do I Rebuild the index?", "How do I rebuild the index?"),
        ("index rebu", "How do I rebuild the index?"),
        ("reb ind", "How do I rebuild the index?"),
        ("passw", "How do I reset my password?"),
        ("python", "Can I use it from Python?"),
        ("dont you sh", "Don't you ship to islands?"),
        ("cafe", "Where is the café «Ærø»?"),
        ("aero", "Where is the café «Ærø»?"),
        ("offnungs", "Wo finde ich die Öffnungszeiten?"),
        ("ZURÜCK", "Wie setze ich mein Passwort zurück?"),
    ],
)
def test_the_beginning_of_a_word_in_any_order_finds_the_question(typing, typed, first):
    assert typing(typed)[0] == first


@pytest.mark.parametrize(
    ("typed", "first"),
    [
        ("rebiuld ind", "How do I rebuild the index?"),
        ("rebiu", "How do I rebuild the index?"),
        ("undo rbeu", "How do I undo a rebuild?"),
        ("hwo do i rset my", "How do I reset my password?"),
        ("instal retreiver", "How do I install retriever?"),
        ("pyhton", "Can I use it from Python?"),
        ("Passowrt", "Wie setze ich mein Passwort zurück?"),
        ("öfnungszeitn", "Wo finde ich die Öffnungszeiten?"),
        ("сбросиьт паро", "Как сбросить пароль?"),
    ],
)
def test_a_misspelt_word_or_beginning_finds_the_question(typing, typed, first):
    assert typing(typed)[0] == first


@pytest.mark.parametrize(
    ("typed", "first"),
    [
        ("密码", "如何重置密码"),
        ("如何更", "如何更改电子邮件地址"),
        ("邮", "如何更改电子邮件地址"),
        ("忘れ", "パスワードを忘れました"),
        ("รหัส", "ฉันจะรีเซ็ตรหัสผ่านได้อย่างไร"),
        ("كلمة", "كيف أعيد تعيين كلمة المرور؟"),
        ("אעיד סיסמ", "איך מאפסים סיסמה?"),
        ("비밀", "비밀번호를 어떻게 재설정하나요?"),
        ("पासव", "मैं अपना पासवर्ड कैसे बदलूँ?"),
        ("паро", "Как сбросить пароль?"),
    ],
)
def test_other_scripts_are_found_by_what_is_typed_of_them(typing, typed, first):
    assert typing(typed)[0] == first


def test_a_question_that_begins_so_is_first(of):
    typing = of("Reset: how do I do it?", "How do I reset my password, and what else can I reset in there?")
    assert typing("how do i reset")[0].startswith("How do I reset my")


def test_a_question_that_begins_so_but_for_a_slip_is_before_one_that_only_has_the_words(of):
    typing = of("Spark docker-compose setup", "Docker-Compose - which binary should I use on my own machine?")
    assert typing("docker comopse")[0].startswith("Docker-Compose")


def test_a_rare_word_weighs_more_than_common_ones(typing):
    assert typing("how do i do the python")[0] == "Can I use it from Python?"


def test_words_without_matter_of_their_own_do_not_decide_however_rare_they_are(of):
    typing = of("Would there be another way?", "Refunds of gift cards", "Shipping to islands")
    assert typing("would there be refunds")[0] == "Refunds of gift cards"


def test_a_code_finds_the_questions_that_have_it_the_shorter_first(typing):
    assert typing("e501") == ["What is E501?", "What does E501 (line-too-long) mean, and how do I disable it?"]


def test_a_code_is_never_taken_for_a_slip_of_another(typing):
    assert typing("E502") == []


def test_nothing_is_suggested_for_words_that_are_not_here(typing):
    assert typing("photosynthesis of algae") == []


@pytest.mark.parametrize("typed", ["", " ", "?", "...", "—", "\u0301", "🙂", "'"])
def test_nothing_is_suggested_where_no_word_is_typed(typing, typed):
    assert typing(typed) == []


def test_no_more_are_suggested_than_were_asked_for(typing):
    assert len(typing("how", 2)) == 2


def test_equal_questions_are_in_the_order_of_their_entries_whatever_comes_first_in_the_alphabet(of):
    assert of("blue zebra", "blue apple", "blue llama")("blue") == ["blue zebra", "blue apple", "blue llama"]


def test_the_wording_that_matches_is_shown_and_once_an_entry(tmp_path):
    typing = Typing(
        tmp_path, entry(1, "May I return a parcel?", "Send a parcel back", "Parcel back"), entry(2, "Cards")
    )
    assert typing("send back") == ["Send a parcel back"]
    assert typing("parcel") == ["Parcel back"]


def test_entries_that_ask_the_same_are_suggested_once(of):
    assert of("Do you ship?", "Do you ship", "do you SHIP?!")("ship") == ["Do you ship?"]


def test_page_texts_are_never_suggested(tmp_path):
    assert Typing(tmp_path, entry(1, "Shipping page", kind="page"), entry(2, "Cards"))("shipping") == []


def test_only_what_is_allowed_is_suggested(typing):
    allowed = np.array([question == "How do I undo a rebuild?" for question in QUESTIONS])
    assert typing("rebuild", allowed=allowed) == ["How do I undo a rebuild?"]


def test_an_index_of_page_texts_alone_suggests_nothing(tmp_path):
    assert Typing(tmp_path, entry(1, "Shipping", kind="page"))("ship") == []


def test_the_same_entries_are_the_same_bytes(tmp_path):
    entries = [entry(n, text, text.upper()) for n, text in enumerate(QUESTIONS)]
    files = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        index_questions(entries).write(tmp_path / name)
        files.append((tmp_path / name / "suggest.bin").read_bytes())
    assert files[0] == files[1]


# --- what is shown ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "text", "marked"),
    [
        ("how do i reb", "How do I rebuild the index?", ["How", "do", "I", "reb"]),
        ("rebiuld", "How do I rebuild the index?", ["rebuild"]),
        ("cafe", "Where is the cafe\u0301 «Ærø»?", ["cafe\u0301"]),
        ("aer", "Where is the café «Ærø»?", ["Ær"]),
        ("dont", "Don't you ship to islands?", ["Don't"]),
        ("密码", "如何重置密码", ["密码"]),
        ("如何密码", "如何重置密码", ["如何", "密码"]),
        ("i ", "How do I install retriever?", ["I"]),
        ("zzz", "How do I install retriever?", []),
    ],
)
def test_what_was_typed_is_marked_as_the_question_writes_it(typing, typed, text, marked):
    assert typing.marked(typed, text) == marked


@pytest.mark.parametrize(
    ("typed", "corrected"),
    [
        ("how do i rebiuld", "how do i rebuild"),
        ("Rebiuld teh index", "Rebuild the index"),
        ("how do i instll ret", "how do i install ret"),
        ("öfnungszeiten", "öffnungszeiten"),
        ("how do i reb", None),
        ("How do I rebuild the index?", None),
    ],
)
def test_a_slip_is_put_right_as_the_first_question_has_it(typing, typed, corrected):
    assert typing.corrected(typed) == corrected


ANY = st.text(st.one_of(st.characters(exclude_categories=["Cs"]), st.sampled_from("aeé ß'İﬁ密รัКا")), max_size=40)


@settings(deadline=None)
@given(ANY, st.sampled_from(QUESTIONS) | ANY)
def test_the_parts_are_the_whole_text_and_no_two_that_stand_together_are_alike(typing, typed, text):
    parts = typing.suggester.look_up(typed).parts(text)
    assert "".join(part.text for part in parts) == text
    assert all(part.text for part in parts)
    assert all(one.match != other.match for one, other in pairwise(parts))


@settings(deadline=None)
@given(ANY)
def test_text_is_folded_as_its_characters_are(text):
    assert fold(text) == "".join(map(fold, text)) == Places(text).folded


@settings(deadline=None)
@given(st.sampled_from(QUESTIONS), st.integers(1, 60))
def test_every_beginning_of_a_question_suggests_it(typing, question, end):
    assert question in typing(question[:end], len(QUESTIONS))


def test_what_is_typed_does_not_depend_on_what_was_typed_before(typing):
    before = typing("rebui")
    for typed in ("r", "re", "reb", "rebu", "rebui", "rebuil"):
        typing(typed)
    assert typing("rebui") == before
