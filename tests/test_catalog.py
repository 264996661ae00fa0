"""What an index holds can be looked at without a question: counts, lists, single entries and what is related."""

import json
from datetime import date

import pytest

from hashing import HashingEncoder
from retriever.build import build
from retriever.errors import InputError
from retriever.search import Searcher
from retriever.types import Facet, Facets, Filters, Related

TODAY = date(2026, 6, 1)
SHOP = [
    {"id": "z", "question": "How do I pay by card?", "tags": ["pay", "card"], "metadata": {"category": "Money"}},
    {"id": "a", "question": "How do I pay by invoice?", "tags": ["pay"], "metadata": {"category": "Money"}},
    {"id": "b", "question": "how do I PAY by invoice", "tags": [], "metadata": {"category": ["Money", "Firms"]}},
    {"id": "m", "question": "Do you ship to islands?", "tags": ["post"]},
    {"id": "old", "question": "How do I pay by cheque?", "tags": ["pay"], "valid_until": "2026-05-31"},
]
PAGE = "We are a small shop by the sea.\n-\nWhen do you open?\nAt nine.\n"


def open_built(path, index) -> Searcher:
    build([path], index, HashingEncoder(), lang="en", keep=1, progress=lambda *_: None)
    return Searcher.open(index, HashingEncoder(), today=lambda: TODAY)


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shop")
    (folder / "corpus").mkdir()
    lines = [json.dumps({"answer": "Like this.", **entry}) for entry in SHOP]
    (folder / "corpus" / "shop.jsonl").write_text("\n".join(lines))
    (folder / "corpus" / "about.txt").write_text(PAGE)
    build([folder / "corpus"], folder / "index", HashingEncoder(), lang="en", keep=1, progress=lambda *_: None)
    return folder / "index"


@pytest.fixture
def opened(index):
    searcher = Searcher.open(index, HashingEncoder(), today=lambda: TODAY)
    yield searcher
    searcher.close()


def ids(listing) -> list[str]:
    return [entry.id for entry in listing.entries]


def test_facets_count_the_entries_that_can_be_found_most_first_and_ties_by_value(opened):
    facets = opened.facets()
    assert facets.categories == (Facet("Money", 3), Facet("Firms", 1))
    assert facets.tags == (Facet("pay", 2), Facet("card", 1), Facet("post", 1))


def test_a_section_is_the_category_of_entries_that_name_none(tmp_path):
    (tmp_path / "a.md").write_text(
        "# Shop\n\n## Paying\n\n### Do you take cards?\n\nYes.\n\n### May I owe it?\n\nNo.\n"
    )
    searcher = open_built(tmp_path / "a.md", tmp_path / "index")
    (facet,) = searcher.facets().categories
    assert facet == Facet("Paying", 2)
    assert len(searcher.ask("cards", filters=Filters(metadata={"category": ("Paying",)})).hits) == 2
    searcher.close()


@pytest.mark.parametrize("column", ["category", "Category", "categories"])
def test_a_column_of_categories_is_counted_as_such_and_not_as_tags_too(tmp_path, column):
    (tmp_path / "a.csv").write_text(f"question,answer,{column}\nDo you take cards?,Yes.,Paying\n")
    searcher = open_built(tmp_path / "a.csv", tmp_path / "index")
    assert searcher.facets() == Facets((Facet("Paying", 1),), ())
    assert searcher.ask("cards", filters=Filters(tags=("Paying",))).hits
    searcher.close()


def test_facets_change_with_the_day(index):
    days = [date(2026, 5, 31)]
    searcher = Searcher.open(index, HashingEncoder(), today=lambda: days[-1])
    before = searcher.facets().tags[0]
    days.append(TODAY)
    assert (before, searcher.facets().tags[0]) == (Facet("pay", 3), Facet("pay", 2))
    searcher.close()


def test_labelled_entries_that_no_longer_hold_are_counted(index):
    searcher = Searcher.open(index, HashingEncoder(), expired="label", today=lambda: TODAY)
    assert searcher.facets().tags[0] == Facet("pay", 3)
    searcher.close()


@pytest.mark.parametrize("entry", [entry for entry in SHOP if entry["id"] != "old"], ids=lambda entry: entry["id"])
def test_an_entry_is_found_by_its_id(opened, entry):
    found = opened.find(entry["id"])
    assert (found.id, found.question) == (entry["id"], entry["question"])


@pytest.mark.parametrize("entry_id", ["", "0", "aa", "zz", "Z", "é", "old"])
def test_an_id_that_nothing_has_or_that_is_withheld_finds_nothing(opened, entry_id):
    assert opened.find(entry_id) is None
    assert opened.related(entry_id, 3) == ()


def test_entries_are_listed_as_their_files_have_them(opened):
    listing = opened.listing()
    assert (listing.total, listing.start) == (5, 0)
    assert [entry.question for entry in listing.entries] == ["When do you open?"] + [e["question"] for e in SHOP[:4]]


@pytest.mark.parametrize(
    ("category", "found"), [("Money", ["z", "a", "b"]), ("Firms", ["b"]), ("Moon", []), ("money", [])]
)
def test_a_category_lists_its_entries(opened, category, found):
    assert ids(opened.listing(category)) == found


def test_the_empty_category_lists_the_entries_that_have_none(opened):
    assert [entry.question for entry in opened.listing("").entries] == ["When do you open?", "Do you ship to islands?"]


def test_pages_of_a_listing_are_the_whole_of_it(opened):
    pages = [opened.listing(start=start, count=2) for start in (0, 2, 4, 6)]
    assert [entry_id for page in pages for entry_id in ids(page)] == ids(opened.listing())
    assert {page.total for page in pages} == {5}


def test_a_listing_passes_filters(opened):
    assert ids(opened.listing("Money", filters=Filters(tags=("card",)))) == ["z"]


@pytest.mark.parametrize(
    ("bad", "field"), [({"start": -1}, "start"), ({"count": 0}, "count"), ({"count": 501}, "count")]
)
def test_what_is_out_of_bounds_is_an_error_that_names_its_field(opened, bad, field):
    with pytest.raises(InputError) as caught:
        opened.listing(**bad)
    assert caught.value.field == field


def test_related_entries_are_the_nearest_others_each_question_once_and_none_withheld(opened):
    # "a" and "b" ask the same; "old" is nearest of all to "z", and no longer holds.
    assert opened.related("z", 1) == (Related("a", "How do I pay by invoice?", "en"),)
    assert "old" not in {related.entry_id for related in opened.related("z", 50)}


def test_no_related_entry_asks_what_the_entry_asks(opened):
    assert [related.entry_id for related in opened.related("a", 9)] == ["z"]


def test_what_is_hardly_nearer_than_any_text_is_not_related(opened):
    # "When do you open?" has two of its four words; of "How do I pay by ..." it has one of six.
    assert [related.question for related in opened.related("m", 50)] == ["When do you open?"]


def test_a_page_text_is_found_by_its_id_and_related_to_nothing_by_kind(opened):
    page = opened.ask("small shop by the sea", filters=Filters(kind="page")).hits[0]
    assert opened.find(page.entry_id).kind == "page"
    assert page.entry_id not in {related.entry_id for related in opened.related("m", 50)}


def test_a_question_is_searched_as_it_was_typed_where_nothing_is_to_be_put_right(opened):
    assert opened.ask("How do I pay by invoce?").corrected == "How do I pay by invoice?"
    assert opened.ask("How do I pay by invoce?", correct=False).corrected is None


def test_withheld_entries_are_not_suggested(opened):
    assert [found.entry_id for found in opened.suggest("how do i pay by").suggestions] == ["a", "z"]


@pytest.mark.parametrize(("bad", "field"), [({"query": "x" * 1001}, "question"), ({"query": "x", "k": 51}, "k")])
def test_what_cannot_be_suggested_for_is_an_error_that_names_its_field(opened, bad, field):
    with pytest.raises(InputError) as caught:
        opened.suggest(**bad)
    assert caught.value.field == field
