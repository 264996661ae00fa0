"""`serve --watch` builds when the corpus changes; what cannot be built is told, and the old page stays usable."""

import json
import subprocess

import httpx
import pytest

from retriever.settings import load_settings, variables_of

from .conftest import HOST, serving, wait_for

pytestmark = pytest.mark.model

HOURS = {"_id": "hours", "question": "When do you open?", "answer": "At nine."}
GOLDEN = {"question": "what are your opening hours", "ids": ["hours"]}
BUILD_S = 120


class Watched:
    """A server that watches its corpus."""

    def __init__(self, home, server, port):
        self.home, self.server, self.url = home, server, f"http://{HOST}:{port}/ask"

    def write(self, name: str, *rows: dict) -> None:
        (self.home / "corpus" / name).write_text("".join(json.dumps(row) + "\n" for row in rows))

    def answers(self, text: str) -> bool:
        """Tell whether that is answered, again and again, whichever worker is asked."""
        asked = {"q": "what are your opening hours"}
        replies = [httpx.get(self.url, params=asked, timeout=30).json() for _ in range(12)]
        return {reply["hits"][0]["answer"]["text"] for reply in replies} == {text}

    def said(self) -> str:
        return (self.home / "serve.log").read_text()


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    home = tmp_path_factory.mktemp("watched")
    (home / "corpus").mkdir()
    (home / "corpus" / "faq.jsonl").write_text(json.dumps(HOURS))
    (home / "corpus" / "golden.jsonl").write_text(json.dumps(GOLDEN))
    with serving(home / "index", "--watch", "--corpus", home / "corpus") as (server, port):
        yield Watched(home, server, port)


def test_it_builds_the_first_index_itself_and_a_change_of_the_corpus_is_served(watched):
    assert watched.answers("At nine.")
    watched.write("faq.jsonl", HOURS | {"answer": "At ten."})
    wait_for(lambda: watched.answers("At ten."), BUILD_S)


def test_a_build_that_fails_is_told_and_the_page_serves_on_until_it_is_mended(watched):
    watched.write("golden.jsonl", {"question": "No ids?"})
    wait_for(lambda: "watch: the build failed" in watched.said(), BUILD_S)
    assert "golden.jsonl:1: ids: should be a list" in watched.said()
    assert watched.answers("At ten.")
    watched.write("golden.jsonl", GOLDEN)
    watched.write("faq.jsonl", HOURS | {"answer": "At eleven."})
    wait_for(lambda: watched.answers("At eleven."), BUILD_S)


def test_a_build_that_the_gate_refuses_is_told_and_not_served(watched):
    watched.write("more.jsonl", {"question": "What are your opening hours?", "answer": "None."})
    wait_for(lambda: "NOT PUBLISHED" in watched.said(), BUILD_S)
    assert watched.answers("At eleven.")


def test_the_watcher_ends_with_the_server_however_it_ends(watched):
    def children() -> str:
        ps = ["ps", "-o", "pid=", "--ppid", str(watched.server.pid)]
        return subprocess.run(ps, capture_output=True, text=True, check=False).stdout

    started = [int(pid) for pid in children().split()]
    assert started
    watched.server.kill()
    watched.server.wait()

    def alive(pid: int) -> bool:
        state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
        return state.stdout.strip()[:1] not in {"", "Z"}

    wait_for(lambda: not any(map(alive, started)), BUILD_S)


def test_a_build_is_given_the_very_settings_of_the_server(tmp_path):
    given = {"corpus": [tmp_path / "a", tmp_path / "b"], "keep": 7, "allow_download": True, "min_confidence": 0.4}
    given |= {"encoders": tmp_path, "origins": ["https://a.example", "https://b.example"]}
    settings = load_settings(given, environ={})
    assert load_settings({}, environ=variables_of(settings)) == settings


def test_a_server_without_choices_gives_a_build_none(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = load_settings({"encoders": tmp_path}, environ={})
    assert load_settings({}, environ=variables_of(settings)) == settings


def test_a_build_is_given_no_secret():
    settings = load_settings({}, environ={"RETRIEVER_ADMIN_TOKEN": "0123456789abcdef"})
    assert "0123456789abcdef" not in str(variables_of(settings))
