"""Every knob once: where its value comes from, what it may be, and that each is an option and documented."""

import os
from pathlib import Path

import pytest
import typer

from retriever.cli import app
from retriever.errors import SettingsError
from retriever.settings import PREFIX, SECRET, Settings, load_settings, settings_fields, settings_table

NAMES = [knob.name for knob in settings_fields()]

# What belongs to one question and to no setting.
OF_THE_QUESTION = {("ask", name) for name in ("question", "tag", "source", "lang", "metadata", "pages", "explain")}
OF_THE_MEASURE = {("evaluate", "sets"), ("export", "form"), ("export", "output")}
OF_THE_BUILD = {("build", name) for name in ("diff", "check", "force")} | {("rollback", "snapshot")}
OF_THE_LIST = {("questions", "most")}


@pytest.fixture
def toml(tmp_path):
    def write(text: str) -> Path:
        path = tmp_path / "retriever.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.fixture
def commands():
    return typer.main.get_command(app).commands


def load(given=None, environ=None, file=None) -> Settings:
    return load_settings(given or {}, environ=environ or {}, file=file)


# --- precedence ---------------------------------------------------------------------------------------------------


def test_nothing_given_is_the_defaults(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert load() == Settings()


def test_the_file_wins_over_the_default(toml):
    assert load(file=toml("k = 7")).k == 7


def test_the_environment_wins_over_the_file(toml):
    assert load(environ={"RETRIEVER_K": "8"}, file=toml("k = 7")).k == 8


def test_the_command_line_wins_over_the_environment_and_the_file(toml):
    assert load({"k": 9}, {"RETRIEVER_K": "8"}, toml("k = 7")).k == 9


def test_an_option_that_is_not_given_leaves_the_environment_to_speak():
    assert load({"k": None}, {"RETRIEVER_K": "8"}).k == 8


def test_a_false_on_the_command_line_is_given():
    assert load({"json": False}, {"RETRIEVER_JSON": "true"}).json is False


def test_retriever_toml_in_the_working_folder_is_read(toml, monkeypatch):
    monkeypatch.chdir(toml("port = 9001").parent)
    assert load().port == 9001


def test_retriever_config_names_another_file(tmp_path, toml, monkeypatch):
    monkeypatch.chdir(toml("port = 9001").parent)
    other = tmp_path / "other.toml"
    other.write_text("port = 9002")
    assert load(environ={"RETRIEVER_CONFIG": str(other)}).port == 9002


def test_an_empty_retriever_config_names_no_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert load(environ={"RETRIEVER_CONFIG": ""}) == Settings()


# --- types --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variable", "text", "value"),
    [
        ("PORT", "9000", 9000),
        ("MIN_CONFIDENCE", "0.25", 0.25),
        ("MIN_CONFIDENCE", "1", 1.0),
        ("ALLOW_DOWNLOAD", "true", True),
        ("ALLOW_DOWNLOAD", "0", False),
        ("JSON", "Yes", True),
        ("JSON", "off", False),
        ("INDEX", "/srv/faq", Path("/srv/faq")),
        ("TITLE", "12", "12"),
        ("CORPUS", "one", (Path("one"),)),
        ("ORIGINS", "https://a.example, http://b.example:8080", ("https://a.example", "http://b.example:8080")),
        ("CORPUS", os.pathsep.join(["one", "two words"]), (Path("one"), Path("two words"))),
    ],
)
def test_a_variable_is_read_as_the_type_of_its_setting(variable, text, value):
    found = getattr(load(environ={f"RETRIEVER_{variable}": text}), variable.lower())
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("line", "name", "value"),
    [
        ('corpus = ["one", "two"]', "corpus", (Path("one"), Path("two"))),
        ('corpus = "one"', "corpus", (Path("one"),)),
        ('index = "there"', "index", Path("there")),
        ("json = true", "json", True),
        ("min_confidence = 0.3", "min_confidence", 0.3),
        ('message = "Nichts gefunden – schade."', "message", "Nichts gefunden – schade."),
    ],
)
def test_a_key_is_read_as_the_type_of_its_setting(toml, line, name, value):
    assert getattr(load(file=toml(line)), name) == value


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("RETRIEVER_K", "five"),
        ("RETRIEVER_K", ""),
        ("RETRIEVER_K", "2.5"),
        ("RETRIEVER_JSON", "perhaps"),
        ("RETRIEVER_INDEX", ""),
    ],
)
def test_a_variable_of_the_wrong_type_is_an_error_that_names_it(variable, text):
    with pytest.raises(SettingsError, match=variable):
        load(environ={variable: text})


@pytest.mark.parametrize("line", ["k = 2.5", "k = [1]", "json = 3", "title = 5", 'corpus = ["a", 1]'])
def test_a_key_of_the_wrong_type_is_an_error_that_names_file_and_key(toml, line):
    with pytest.raises(SettingsError, match=rf"retriever\.toml: {line.split()[0]}"):
        load(file=toml(line))


def test_a_file_that_is_not_toml_is_an_error_that_names_it(toml):
    with pytest.raises(SettingsError, match=r"retriever\.toml cannot be read"):
        load(file=toml("k = = 1"))


def test_a_configured_file_that_is_not_there_is_an_error_that_names_it():
    with pytest.raises(SettingsError, match=r"nowhere\.toml cannot be read"):
        load(environ={"RETRIEVER_CONFIG": "nowhere.toml"})


# --- bounds -------------------------------------------------------------------------------------------------------

BOUNDS = {
    "k": (1, 50),
    "keep": (1, 1000),
    "review_days": (1, 36_500),
    "feedback_days": (1, 36_500),
    "threads": (0, 1024),
    "port": (0, 65535),
    "workers": (0, 256),
    "queue": (1, 100_000),
    "remember": (0, 1_000_000),
    "min_confidence": (0, 1),
    "max_body": (1024, 1 << 30),
}


@pytest.mark.parametrize(("name", "least", "most"), [(name, *ends) for name, ends in BOUNDS.items()])
def test_a_number_may_be_its_least_and_its_most_and_nothing_beyond(name, least, most):
    for value in (least, most):
        assert getattr(load({name: value}), name) == value
    for value in (least - 1, most + 1):
        with pytest.raises(SettingsError, match=f"{name} is .* between {least} and {most}"):
            load({name: value})


def test_a_confidence_that_is_not_a_number_is_refused():
    with pytest.raises(SettingsError, match="min_confidence"):
        load(environ={"RETRIEVER_MIN_CONFIDENCE": "nan"})


def test_every_number_has_bounds():
    numbers = {
        knob.name for knob in settings_fields() if isinstance(knob.default, (int, float)) and knob.type != "bool"
    }
    assert numbers == set(BOUNDS)


# --- origins ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("https://shop.example", "https://shop.example"),
        ("http://localhost:8080", "http://localhost:8080"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("HTTPS://Shop.Example:443", "https://shop.example"),
        ("*", "*"),
    ],
)
def test_an_origin_is_kept_as_browsers_send_it(written, sent):
    assert load({"origins": [written]}).origins == (sent,)


WRONG_ORIGINS = ["shop.example", "https://shop.example/", "https://shop.example/faq", "https://*.shop.example", "null"]
WRONG_ORIGINS += ["https://shop.example:0", "https://shop.example:65536", "https://größe.example", "https://a@b", ""]


@pytest.mark.parametrize("wrong", WRONG_ORIGINS)
def test_what_is_no_origin_is_an_error_that_names_it(wrong):
    with pytest.raises(SettingsError, match="--origins is ") as caught:
        load({"origins": ["https://shop.example", wrong]})
    assert repr(wrong) in str(caught.value)


def test_every_site_and_some_sites_is_an_error():
    with pytest.raises(SettingsError, match="RETRIEVER_ORIGINS"):
        load(environ={"RETRIEVER_ORIGINS": "https://shop.example,*"})


# --- what the page is made with ---------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", ["blue", "#fff", "0b6bcb", "#0b6bcbff", "#0b6bcg", ""])
def test_what_is_no_colour_is_an_error_that_says_how_one_is_written(wrong):
    with pytest.raises(SettingsError, match=r"--accent is .*\n.*#rrggbb"):
        load({"accent": wrong})


def test_a_public_address_is_an_origin():
    assert load({"public_url": "HTTPS://FAQ.example.org/"}).public_url == "https://faq.example.org"


@pytest.mark.parametrize("wrong", ["faq.example.org", "ftp://faq.example.org", "https://a.example/faq", "https://a@b"])
def test_what_is_no_public_address_is_an_error_that_names_it(wrong):
    with pytest.raises(SettingsError, match="--public-url is ") as caught:
        load({"public_url": wrong})
    assert repr(wrong) in str(caught.value)


def test_a_language_that_there_is_not_is_an_error():
    with pytest.raises(SettingsError, match="RETRIEVER_LANGUAGE is 'fr'"):
        load(environ={"RETRIEVER_LANGUAGE": "fr"})


def test_a_file_of_the_owners_is_a_path(toml):
    found = load(file=toml('texts = "words.toml"\nlogo = "logo.svg"'))
    assert (found.texts, found.logo) == (Path("words.toml"), Path("logo.svg"))


# --- names --------------------------------------------------------------------------------------------------------


def test_a_misspelt_variable_is_an_error_that_knows_better():
    with pytest.raises(SettingsError, match=r"RETRIEVER_INDX is not a setting\n.*Did you mean 'index'\?"):
        load(environ={"RETRIEVER_INDX": "x"})


def test_a_misspelt_key_is_an_error_that_knows_better(toml):
    with pytest.raises(SettingsError, match=r"min_confidense is not a setting\n.*Did you mean 'min_confidence'\?"):
        load(file=toml("min_confidense = 0.5"))


def test_a_word_that_is_none_of_those_allowed_is_an_error_that_lists_them(toml):
    with pytest.raises(SettingsError, match=r"language is 'fr'.*\n  Give it one of: en, de, auto\."):
        load(file=toml('language = "fr"'))


def test_a_file_that_is_no_toml_is_an_error_that_says_what_it_should_be(toml):
    with pytest.raises(SettingsError, match=r"cannot be read.*\n  It is TOML"):
        load(file=toml("language = fr"))


def test_a_name_like_no_other_is_an_error_that_lists_what_is_known():
    with pytest.raises(SettingsError, match="Known: corpus, index, model"):
        load(environ={"RETRIEVER_ZZZZZZ": "x"})


def test_variables_of_others_are_none_of_ours(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert load(environ={"PATH": "/bin", "XRETRIEVER_K": "9", "RETRIEVERK": "9"}) == Settings()


def test_every_option_is_a_setting_or_belongs_to_the_question(commands):
    strangers = {
        (command, param.name)
        for command, spec in commands.items()
        for param in spec.params
        if param.name not in NAMES and param.name != "help"
    }
    assert strangers <= OF_THE_QUESTION | OF_THE_MEASURE | OF_THE_BUILD | OF_THE_LIST


@pytest.mark.parametrize("name", sorted(set(NAMES) - SECRET))
def test_every_setting_is_an_option_of_some_command(commands, name):
    options = {option for spec in commands.values() for param in spec.params for option in param.opts}
    assert f"--{name.replace('_', '-')}" in options


@pytest.mark.parametrize("name", sorted(SECRET))
def test_no_secret_is_an_option(commands, name):
    assert not [command for command, spec in commands.items() for param in spec.params if param.name == name]


def test_an_option_has_no_default_of_its_own_that_would_hide_the_environment(commands):
    hiding = {
        (command, param.name)
        for command, spec in commands.items()
        for param in spec.params
        if param.name in NAMES and (command, param.name) not in OF_THE_QUESTION and param.default is not None
    }
    assert hiding == set()


@pytest.mark.parametrize("name", NAMES)
def test_every_setting_is_a_row_of_the_table_with_its_option_variable_default_and_meaning(name):
    (row,) = [line for line in settings_table().splitlines() if f"`{PREFIX}{name.upper()}`" in line]
    assert row.startswith("| none |" if name in SECRET else f"| `--{name.replace('_', '-')}` |")
    _, variable, default, meaning = (cell.strip() for cell in row.strip("|").split("|"))
    assert variable == f"`RETRIEVER_{name.upper()}`"
    assert default.strip("`")
    assert meaning


# --- what is secret -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("token", ["hunter2", "with a blank in the midst", "0123456789abcde\x07f"])
def test_a_secret_that_is_none_is_refused_and_not_shown(token):
    with pytest.raises(SettingsError, match="RETRIEVER_ADMIN_TOKEN is too short") as error:
        load(environ={"RETRIEVER_ADMIN_TOKEN": token})
    assert token not in str(error.value)


def test_a_secret_that_is_no_text_is_refused_and_not_shown(toml):
    with pytest.raises(SettingsError, match="admin_token is not a text") as error:
        load(file=toml("admin_token = 1234567890123456"))
    assert "1234567890123456" not in str(error.value)


def test_a_secret_is_taken_without_the_line_end_of_its_file_and_never_shown():
    settings = load(environ={"RETRIEVER_ADMIN_TOKEN": "0123456789abcdef\n"})
    assert settings.admin_token == "0123456789abcdef"
    assert "0123456789abcdef" not in repr(settings)
