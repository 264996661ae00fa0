"""What other programs read: OpenSearch, llms.txt, robots.txt, sitemap.xml, and where they are told this server is."""

import json
import re
from urllib.parse import unquote
from xml.etree import ElementTree

import pytest

from hashing import HashingEncoder
from retriever import Searcher
from retriever.web.contents import Contents, Listed, Section
from retriever.web.language import load_language
from retriever.web.machines import llms_txt, sitemap_xml
from retriever.web.site import Site

from .conftest import running, wait_for

PUBLIC = "https://faq.example.org"
DESCRIPTION = {"o": "http://a9.com/-/spec/opensearch/1.1/"}
PLACES = {"s": "http://www.sitemaps.org/schemas/sitemap/0.9"}
PATHS = ["/opensearch.xml", "/robots.txt", "/llms.txt", "/sitemap.xml"]
NO_HOSTS = ["evil.example/x", 'a"b', "a b", "<b>", "a@b", "", "a:b:c", "-a", "a.example:123456"]


@pytest.fixture(scope="module")
def public(small_index):
    site = Site("Help & answers of the <lighthouse>", public_url=PUBLIC)
    with running(lambda: Searcher.open(small_index, HashingEncoder()), site=site) as client:
        wait_for(lambda: client.get("/readyz").status_code == 200)
        yield client


def contents_of(count):
    listed = tuple(Listed(f"id-{at}", f"question [{at}]\n*why*?", "en") for at in range(count))
    return Contents((Section("About _us_", "About _us_", None, listed),))


# --- OpenSearch ---------------------------------------------------------------------------------------------------


def test_a_browser_can_add_the_search(public):
    reply = public.get("/opensearch.xml")
    assert reply.headers["Content-Type"].startswith("application/opensearchdescription+xml")
    tree = ElementTree.fromstring(reply.text)
    assert tree.findtext("o:Description", namespaces=DESCRIPTION) == "Help & answers of the <lighthouse>"
    assert len(tree.findtext("o:ShortName", namespaces=DESCRIPTION)) <= 16
    assert len(tree.findtext("o:LongName", namespaces=DESCRIPTION)) <= 48
    templates = {url.get("type"): url.get("template") for url in tree.findall("o:Url", DESCRIPTION)}
    assert templates["text/html"] == f"{PUBLIC}/?q={{searchTerms}}"


def test_every_page_leads_to_the_description(public):
    for path in ("/", "/browse", "/entry/reset"):
        assert 'rel="search" type="application/opensearchdescription+xml"' in public.get(path).text


def test_the_addresses_of_the_description_answer(public):
    tree = ElementTree.fromstring(public.get("/opensearch.xml").text)
    image = tree.findtext("o:Image", namespaces=DESCRIPTION)
    urls = [url.get("template") for url in tree.findall("o:Url", DESCRIPTION)]
    for url in [image, *urls]:
        assert public.get(url.removeprefix(PUBLIC).replace("{searchTerms}", "password")).status_code == 200


def test_suggestions_are_as_browsers_read_them(public):
    reply = public.get("/opensearch/suggest?q=reset")
    assert reply.headers["Content-Type"].startswith("application/x-suggestions+json")
    assert json.loads(reply.text) == ["reset", ["how do I reset my password"]]


@pytest.mark.parametrize("query", ["", "x" * 5000])
def test_what_suggests_nothing_is_an_empty_list(public, query):
    assert public.get("/opensearch/suggest", params={"q": query}).json()[1] == []


# --- llms.txt -----------------------------------------------------------------------------------------------------


def test_a_language_model_is_led_to_every_entry(public):
    text = public.get("/llms.txt").text
    assert text.startswith("# Help & answers of the \\<lighthouse\\>\n\n> 6 frequently asked questions")
    links = re.findall(r"^- \[.*\]\((.*)\)$", text, re.MULTILINE)
    assert len(links) == 7  # and that of all as JSON
    for link in links:
        assert public.get(unquote(link.removeprefix(PUBLIC))).status_code == 200


def test_a_question_is_one_line_of_plain_text():
    text = llms_txt(Site(), load_language("en"), contents_of(1), PUBLIC)
    assert f"- [question \\[0\\] \\*why\\*?]({PUBLIC}/entry/id-0)\n" in text
    assert "## About \\_us\\_\n" in text


def test_where_there_are_many_it_leads_to_the_sections():
    text = llms_txt(Site(), load_language("de"), contents_of(10_000), PUBLIC)
    assert len(text) < 1000
    assert f"[About \\_us\\_]({PUBLIC}/browse/About%20_us_): 10.000 Fragen" in text


# --- crawlers -----------------------------------------------------------------------------------------------------


def test_the_sitemap_holds_every_page_and_each_is_there(public):
    tree = ElementTree.fromstring(public.get("/sitemap.xml").text)
    addresses = [place.text for place in tree.findall("s:url/s:loc", PLACES)]
    assert len(addresses) == len(set(addresses)) == 2 + 4 + 6
    for address in addresses:
        assert public.get(address.removeprefix(PUBLIC)).status_code == 200, address


def test_a_sitemap_too_large_for_one_file_is_several():
    contents = contents_of(100_001)
    parts = ElementTree.fromstring(sitemap_xml(contents, PUBLIC)).findall("s:sitemap/s:loc", PLACES)
    assert [part.text for part in parts] == [f"{PUBLIC}/sitemap.xml?part={number}" for number in (1, 2, 3)]
    trees = [ElementTree.fromstring(sitemap_xml(contents, PUBLIC, number)) for number in (1, 2, 3)]
    assert [len(tree.findall("s:url", PLACES)) for tree in trees] == [50_000, 50_000, 4]
    assert sitemap_xml(contents, PUBLIC, 4) is None
    assert sitemap_xml(contents, PUBLIC, 0) is None


def test_crawlers_are_kept_from_what_is_no_page_and_told_of_the_sitemap(public):
    text = public.get("/robots.txt").text
    assert "Disallow: /results\n" in text
    assert f"Sitemap: {PUBLIC}/sitemap.xml" in text
    assert not re.search(r"^Disallow: /$", text, re.MULTILINE)


def test_an_owner_who_wants_no_listing_names_no_sitemap(small_index):
    with running(lambda: Searcher.open(small_index, HashingEncoder()), site=Site(indexed=False)) as client:
        wait_for(lambda: client.get("/readyz").status_code == 200)
        assert "Sitemap" not in client.get("/robots.txt").text
        assert client.get("/sitemap.xml").status_code == 404


# --- where this server is -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", PATHS)
def test_with_a_public_address_no_other_is_named(public, path):
    assert "evil.example" not in public.get(path, headers={"Host": "evil.example"}).text


@pytest.mark.parametrize("path", PATHS)
def test_without_one_the_request_says_it_and_nobody_may_keep_the_reply(client, path):
    reply = client.get(path, headers={"Host": "faq.local:8080"})
    assert "http://faq.local:8080/" in reply.text
    assert reply.headers["Cache-Control"] == "no-store"
    assert "ETag" not in reply.headers


@pytest.mark.parametrize("host", NO_HOSTS)
def test_a_host_that_is_none_is_refused(client, host):
    assert client.get("/robots.txt", headers={"Host": host}).status_code == 400


def test_what_has_a_public_address_may_be_kept(public):
    tag = public.get("/llms.txt").headers["ETag"]
    assert public.get("/llms.txt", headers={"If-None-Match": tag}).status_code == 304
    assert "max-age" in public.get("/robots.txt").headers["Cache-Control"]
