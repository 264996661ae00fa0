"""The owner's page over HTTP: its language, and the files that are its own."""

import re

import pytest

from hashing import HashingEncoder
from pictures import SVG
from retriever import Searcher
from retriever.web.site import Site, load_site

from .conftest import running, wait_for

SCRIPTED = SVG.replace(b"<path", b"<script>alert(1)</script><path")
LONG = "x" * 1001


@pytest.fixture(scope="module")
def owned(tmp_path_factory, small_index):
    """A client of a page that its owner made its own."""
    logo = tmp_path_factory.mktemp("owned") / "logo.svg"
    logo.write_bytes(SCRIPTED)
    site = load_site(
        title="Hilfe", language="auto", texts=None, logo=logo, accent="#0b57a4", public_url=None, indexed=True
    )
    with running(lambda: Searcher.open(small_index, HashingEncoder()), site=site) as client:
        wait_for(lambda: client.get("/readyz").status_code == 200)
        yield client


@pytest.mark.parametrize("path", ["/", "/?q=password", "/results?q=password"])
def test_the_page_speaks_the_browsers_language(owned, path):
    reply = owned.get(path, headers={"Accept-Language": "de-AT,de;q=0.9"})
    assert re.search("Suchen|Stelle", reply.text)
    assert reply.headers["Vary"] == "Accept-Language"


def test_the_page_of_a_set_language_is_one_for_all(client):
    reply = client.get("/", headers={"Accept-Language": "de"})
    assert '<html lang="en"' in reply.text
    assert "Vary" not in reply.headers


@pytest.mark.parametrize("path", ["/?q=", "/results?q="])
def test_what_is_wrong_is_said_in_the_browsers_language(owned, path):
    reply = owned.get(path + LONG, headers={"Accept-Language": "de"})
    assert reply.status_code == 422
    assert "Ihre Frage hat 1.001 Zeichen; höchstens 1.000 sind möglich." in reply.text


def files(client):
    return re.findall(r'"(/static/[^"]+)"', client.get("/").text)


def test_every_file_that_the_page_names_is_there_for_ever(owned):
    names = files(owned)
    assert {name.partition("?")[0] for name in names} >= {"/static/logo.svg", "/static/theme.css", "/static/page.css"}
    for name in names:
        reply = owned.get(name)
        assert reply.status_code == 200
        assert "immutable" in reply.headers["Cache-Control"]
        assert reply.headers["X-Content-Type-Options"] == "nosniff"


def test_the_script_of_a_logo_is_harmless(owned):
    reply = owned.get("/static/logo.svg")
    assert reply.content == SCRIPTED
    assert reply.headers["Content-Type"] == "image/svg+xml"
    assert reply.headers["Content-Security-Policy"] == "default-src 'none'; style-src 'unsafe-inline'; sandbox"


def test_the_accent_is_a_stylesheet(owned):
    reply = owned.get("/static/theme.css")
    assert reply.headers["Content-Type"] == "text/css; charset=utf-8"
    assert "--accent: #0b57a4" in reply.text


def test_without_an_accent_there_is_no_stylesheet_of_it(client):
    assert client.get("/static/theme.css").status_code == 404


def test_an_owner_keeps_search_engines_out(small_index):
    with running(lambda: Searcher.open(small_index, HashingEncoder()), site=Site(indexed=False)) as client:
        assert client.get("/").headers["X-Robots-Tag"] == "noindex"


def test_search_engines_may_list_the_start_page(client):
    assert "X-Robots-Tag" not in client.get("/").headers
