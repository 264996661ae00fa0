"""The documentation cannot lie: its commands, options, settings, links and code are held against the product."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import typer

from retriever.cli import app
from retriever.settings import PREFIX, settings_fields, settings_table

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").glob("*.md"))]
# The product's own FAQ is documentation too.
TEXTS = [*PAGES, *sorted((ROOT / "corpus").glob("*.md"))]
COMMANDS = typer.main.get_command(app).commands
OPTIONS = {
    name: {option for param in spec.params for option in [*param.opts, *param.secondary_opts]} | {"--help"}
    for name, spec in COMMANDS.items()
}

FENCE = re.compile(r"^ *```(\w*)[^\n]*\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
INDENTED = re.compile(r"^(?: {4}|\t)(.+)$", re.MULTILINE)
INLINE = re.compile(r"`([^`\n]+)`")
CALL = re.compile(r"(?:^|[\s/$(;|&])retriever((?:[ \t]+[^\s|;&#)]+)*)")
LINK = re.compile(r"!?\[[^\]]*\]\(\s*<?([^)\s>]+)>?[^)]*\)")

# What may be set on the search box for other sites, in CSS.
SEARCH_BOX = (ROOT / "src" / "retriever" / "web" / "faq-search.js").read_text(encoding="utf-8")
STYLED = set(re.findall(r"var\((--faq-[a-z-]+)", SEARCH_BOX))

names = [path.relative_to(ROOT).as_posix() for path in TEXTS]


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def code_of(text: str) -> Iterator[str]:
    """Yield what a page sets as code, a line each: fenced, indented or between backticks."""
    text = text.replace("\\\n", " ")
    for _, block in FENCE.findall(text):
        yield from block.splitlines()
    text = FENCE.sub("", text)
    yield from INDENTED.findall(text)
    yield from INLINE.findall(text)


def calls_of(text: str) -> Iterator[list[str]]:
    """Yield the arguments of each `retriever ...` in a page's code."""
    for line in code_of(text):
        if not re.match(r"\s*(?:import|from|git|pip|cd)\b", line):
            yield from (arguments.split() for arguments in CALL.findall(line) if arguments)


def options_in(words: list[str]) -> set[str]:
    return {word.partition("=")[0] for word in words if re.match(r"--[a-z]|-[a-zA-Z]$", word)}


def test_these_tests_would_notice_a_call():
    page = 'See `retriever ask "x" --jsn`.\n\n    $ .venv/bin/retriever build --corpus a \\\n        --index b | cat\n'
    assert sorted(calls_of(page)) == [["ask", '"x"', "--jsn"], ["build", "--corpus", "a", "--index", "b"]]


@pytest.mark.parametrize("path", TEXTS, ids=names)
def test_every_command_exists(path):
    first = {arguments[0] for arguments in calls_of(text_of(path))}
    assert first - set(COMMANDS) - {"--help"} == set()


@pytest.mark.parametrize("path", TEXTS, ids=names)
def test_every_option_of_a_command_exists(path):
    unknown = {
        (command, option)
        for command, *words in calls_of(text_of(path))
        if command in OPTIONS
        for option in options_in(words) - OPTIONS[command]
    }
    assert unknown == set()


@pytest.mark.parametrize("path", TEXTS, ids=names)
def test_every_option_by_itself_exists(path):
    known = set().union(*OPTIONS.values()) | STYLED
    alone = {line.split()[0].partition("=")[0] for line in code_of(text_of(path)) if re.match(r"--[a-z]", line)}
    assert alone - known == set()


def test_all_that_the_search_box_can_be_styled_by_and_told_is_documented():
    parts = set(re.findall(r'part: "([a-z]+)"|small\("([a-z]+)"', SEARCH_BOX))
    attributes = set(re.findall(r"observedAttributes = \[(.*)\]", SEARCH_BOX)[0].replace('"', "").split(", "))
    events = set(re.findall(r'#tell\("([a-z-]+)"', SEARCH_BOX))
    told = {"".join(part) for part in parts} | attributes | events | STYLED
    assert len(told) > 30
    assert told - set(INLINE.findall(text_of(ROOT / "docs" / "embed.md"))) == set()


@pytest.mark.parametrize("path", TEXTS, ids=names)
def test_every_variable_exists(path):
    known = {PREFIX + knob.name.upper() for knob in settings_fields()} | {PREFIX + "CONFIG"}
    assert set(re.findall(rf"{PREFIX}[A-Z_]*[A-Z]", text_of(path))) - known == set()


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_in_the_readme_or_the_docs(command):
    assert any(arguments[0] == command for path in PAGES for arguments in calls_of(text_of(path)))


@pytest.mark.parametrize("path", TEXTS, ids=names)
def test_every_make_target_exists(path):
    targets = set(re.findall(r"^([a-z]+):", text_of(ROOT / "Makefile"), re.MULTILINE))
    called = {line.split()[1] for line in code_of(text_of(path)) if re.match(r"\s*make [a-z]", line)}
    assert called - targets == set()


def test_the_settings_in_the_readme_are_the_settings():
    _, found, _ = re.split(r"<!-- /?settings -->", text_of(README))
    assert found.strip() == settings_table().strip()


@pytest.mark.parametrize("path", TEXTS, ids=names)
def test_every_relative_link_leads_somewhere(path):
    links = [urlsplit(link) for link in LINK.findall(FENCE.sub("", text_of(path)))]
    broken = [
        link.path
        for link in links
        if link.path and not link.scheme and not link.netloc and not (path.parent / unquote(link.path)).exists()
    ]
    assert broken == []


@pytest.mark.parametrize("path", TEXTS, ids=names)
def test_every_link_to_a_heading_leads_to_one(path):
    broken = []
    for link in map(urlsplit, LINK.findall(FENCE.sub("", text_of(path)))):
        target = path.parent / unquote(link.path) if link.path else path
        if link.fragment and not link.scheme and target.suffix == ".md" and target.is_file():
            headings = re.findall(r"^#+ +(.+)$", FENCE.sub("", text_of(target)), re.MULTILINE)
            if link.fragment not in {re.sub(r"[^\w\- ]", "", h).strip().lower().replace(" ", "-") for h in headings}:
                broken.append(link.geturl())
    assert broken == []


@pytest.mark.model
def test_the_python_in_the_readme_runs(tmp_path, run_build, real_encoder):
    run_build(ROOT / "corpus", to=tmp_path / "index", encoder=real_encoder)
    blocks = [block for language, block in FENCE.findall(text_of(README)) if language == "python"]
    assert any("Searcher.open" in block for block in blocks)
    code = "\n".join(blocks)
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("True ")  # the first question is one that the product's own FAQ answers
