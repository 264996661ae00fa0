"""What an owner makes of the page: wording, logo, colour, language."""

import random
import re
from typing import get_args, get_type_hints

import pytest

from pictures import SVG, jpeg, png, webp
from retriever.errors import SettingsError
from retriever.settings import Settings
from retriever.web.assets import STATIC
from retriever.web.language import ENGLISH, LANGUAGES, load_language
from retriever.web.logo import MOST_BYTES, read_logo
from retriever.web.page import render_page
from retriever.web.site import PLAIN, Site, load_site
from retriever.web.theme import LEAST, contrast, grounds, mix, rgb, shades, theme_css

ACCENTS = ["#000000", "#ffffff", "#808080", "#ff0000", "#ffff00", "#00ff00", "#0000ff", "#0b6bcb", "#e91e63"]
ACCENTS += [f"#{random.Random(number).randrange(1 << 24):06x}" for number in range(200)]
GERMAN = load_language("de")


def site(**changes) -> Site:
    plain = {"title": "Shop help", "language": "en", "texts": None, "logo": None, "accent": None}
    return load_site(**(plain | {"public_url": None, "indexed": True} | changes))


# --- language -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("accepted", "code"),
    [
        ("de", "de"),
        ("de-AT,de;q=0.9,en;q=0.8", "de"),
        ("fr-FR,fr;q=0.9,de;q=0.5,en;q=0.7", "en"),
        ("en;q=0.3, DE-ch;q=0.4", "de"),
        ("fr", "en"),
        ("de;q=0", "en"),
        ("", "en"),
        ("*", "en"),
        (";;,de;q=nonsense,\x00" * 5000, "en"),
    ],
)
def test_auto_is_the_language_that_the_browser_likes_best(accepted, code):
    assert Site(language="auto").spoken(accepted).code == code


def test_a_language_that_is_set_does_not_ask_the_browser():
    assert Site(language="de").spoken("en").code == "de"


def test_every_language_can_be_set():
    assert set(get_args(get_type_hints(Settings)["language"])) == {*LANGUAGES, "auto"}


def test_the_default_title_is_in_the_language_and_the_owners_is_as_it_is():
    assert PLAIN.named(GERMAN) == "Häufig gestellte Fragen"
    assert Site("Shop help").named(GERMAN) == "Shop help"


# --- wording ------------------------------------------------------------------------------------------------------


@pytest.fixture
def texts(tmp_path):
    def write(toml):
        path = tmp_path / "texts.toml"
        path.write_text(toml, encoding="utf-8")
        return path

    return write


def test_the_owners_wording_takes_the_place_of_the_pages(texts):
    own = site(texts=texts('[box]\nlabel = "What is <it>?"'))
    assert "What is &lt;it&gt;?" in render_page(title="x", language=own.spoken(), site=own)


def test_a_languages_own_table_is_for_that_language(texts):
    own = site(texts=texts('box.label = "Ask"\n[de.box]\nlabel = "Fragen"'))
    assert {code: own.languages[code].t("box.label") for code in ("en", "de")} == {"en": "Ask", "de": "Fragen"}


def test_what_is_not_reworded_stays(texts):
    assert site(texts=texts('box.label = "Ask"')).spoken().t("box.search") == ENGLISH.t("box.search")


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ('[box]\nlabl = "Ask"', r"texts\.toml: box\.labl is no text.*\n.*Did you mean 'box\.label'\?"),
        ('[de.box]\nlabl = "Ask"', r"texts\.toml: de\.box\.labl is no text"),
        ("[box]\nlabel = 3", r"texts\.toml: box\.label is 3; it must be a text"),
        ('[footer.entries]\nother = "{m}"', r"footer\.entries\.other has \{m\}.*\n.*It has \{n\}\."),
        ('de = "Ask"', r"texts\.toml: de is a language"),
        ("box = ", r"texts .*texts\.toml cannot be read"),
    ],
)
def test_wording_that_cannot_be_used_is_an_error_that_names_file_and_key(texts, toml, said):
    with pytest.raises(SettingsError, match=said):
        site(texts=texts(toml))


def test_a_file_of_wording_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(SettingsError, match="cannot be read"):
        site(texts=tmp_path / "nowhere.toml")


# --- logo ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def picture(tmp_path):
    def write(data):
        path = tmp_path / "logo"
        path.write_bytes(data)
        return path

    return write


@pytest.mark.parametrize(
    ("data", "kind", "width"),
    [
        (png(90, 30), "png", 96),
        (jpeg(60, 30), "jpg", 64),
        (webp(30, 30), "webp", 32),
        (SVG, "svg", 128),
        (b"\xef\xbb\xbf<?xml version='1.0'?>\n<!-- a -->\n" + SVG, "svg", 128),
        (b'<svg xmlns="http://www.w3.org/2000/svg" width="64px" height="32"/>', "svg", 64),
        (png(3000, 3), "png", 256),
    ],
)
def test_a_logo_is_what_its_content_says_and_as_wide_as_it_is(picture, data, kind, width):
    logo = read_logo(picture(data))
    assert (logo.kind, logo.width) == (kind, width)


@pytest.mark.parametrize("data", [b"", b"GIF89a", b"<html><svg></svg></html>", b"<svg>", b"\x89PNG", b"RIFFxxxxWAVE"])
def test_what_is_no_picture_is_an_error(picture, data):
    with pytest.raises(SettingsError, match="is no SVG, PNG, WebP or JPEG"):
        read_logo(picture(data))


def test_a_logo_that_is_too_large_is_an_error(picture):
    with pytest.raises(SettingsError, match="the most is 524,288"):
        read_logo(picture(SVG + b" " * MOST_BYTES))


def test_a_logo_that_is_cut_short_is_shown_all_the_same(picture):
    assert read_logo(picture(jpeg(60, 30)[:9])).width == 32


def test_the_logo_stands_for_the_icon(picture):
    own = site(logo=picture(png(90, 30)))
    html = render_page(title="x", site=own)
    assert re.search(r'<img src="/static/logo\.png\?v=\w{8}" width="96" height="32" alt="">', html)
    assert 'rel="icon" href="/static/icon.svg' in html  # a wide one is no icon of a tab


def test_a_square_logo_is_the_icon_of_the_tab(picture):
    assert 'rel="icon" href="/static/logo.webp' in render_page(title="x", site=site(logo=picture(webp(64, 64))))


# --- colour -------------------------------------------------------------------------------------------------------


def test_the_grounds_are_those_of_the_page():
    light, dark = grounds()
    assert set(light) == set(dark) == {"paper", "surface", "ink"}
    assert contrast(light["paper"], light["ink"]) > 7
    assert light["paper"] > dark["paper"]


@pytest.mark.parametrize("accent", ACCENTS)
def test_an_accent_can_be_read_on_every_ground_and_text_upon_it(accent):
    for (colour, upon), scheme in zip(shades(accent), grounds(), strict=True):
        for name in ("paper", "surface"):
            assert contrast(rgb(colour), scheme[name]) >= LEAST
            assert contrast(rgb(colour), mix(rgb(colour), scheme[name], 0.15)) >= LEAST
            assert contrast(scheme["ink"], mix(rgb(colour), scheme[name], 0.08)) >= LEAST
        assert contrast(rgb(upon), rgb(colour)) >= LEAST
        assert contrast(rgb(upon), mix(scheme["ink"], rgb(colour), 0.12)) >= LEAST


def test_an_accent_that_suits_is_left_as_it_is():
    assert shades("#0b57a4")[0] == ("#0b57a4", "#fff")


def test_an_accent_keeps_its_hue():
    (light, _), (dark, _) = shades("#ff0000")
    for colour in (rgb(light), rgb(dark)):
        assert colour[0] > 2 * max(colour[1:])


def test_the_shares_are_those_of_the_page():
    css = (STATIC / "page.css").read_text(encoding="utf-8")
    assert "--chosen: color-mix(in srgb, var(--accent) 15%, transparent)" in css
    assert "--tint: color-mix(in srgb, var(--accent) 8%, transparent)" in css
    assert "background: color-mix(in srgb, var(--accent) 88%, var(--ink))" in css


def test_an_accent_is_a_stylesheet_and_colours_the_icon():
    own = site(accent="#0b57a4")
    assert theme_css("#0b57a4") == own.files["theme.css"].data.decode()
    assert b'fill="#0b57a4"' in own.files["icon.svg"].data
    assert own.files["theme.css"].url in render_page(title="x", site=own)


def test_without_an_accent_nothing_more_is_loaded():
    assert PLAIN.files == {}
    assert "theme.css" not in render_page(title="x")


def test_the_start_page_names_its_public_address():
    own = Site(public_url="https://faq.example.org")
    assert '<link rel="canonical" href="https://faq.example.org/">' in render_page(title="x", site=own)
    assert "canonical" not in render_page(title="x", site=own, query="why")
