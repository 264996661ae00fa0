"""The bench counts what it says it counts: a comparison that flatters anyone is worse than none."""

import importlib
import json
import re
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parents[2]
QUESTIONS = ["How do I build the index?", "What does it cost, and who pays for it?", "Can I use my own files here?"]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the bench reads /proc and uses epoll")


@pytest.fixture(scope="module")
def bench():
    """Return a function that imports a module of bench/."""
    sys.path.insert(0, str(ROOT / "bench"))
    yield importlib.import_module
    sys.path.remove(str(ROOT / "bench"))


class Replies(BaseHTTPRequestHandler):
    """Answers each path in a way of its own."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        status, body = {"/good": (200, b"[1]"), "/empty": (200, b"[]"), "/bad": (503, b"[1]")}[self.path]
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def port():
    with ThreadingHTTPServer(("127.0.0.1", 0), Replies) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def driven(bench, port, path, clients=2):
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    return bench("load").drive(
        port, iter(lambda: request, b""), lambda body: b"1" in body, clients=clients, seconds=0.2, warm=0.05
    )


def test_good_replies_are_answers(bench, port):
    load = driven(bench, port, "/good")
    assert load.answers > 0
    assert load.errors == 0
    assert load.summary()["p50_ms"] > 0


@pytest.mark.parametrize("path", ["/empty", "/bad"])
def test_a_reply_without_a_hit_or_not_200_is_an_error(bench, port, path):
    load = driven(bench, port, path)
    assert load.errors > 0
    assert (load.answers, list(load.latencies)) == (0, [])


def test_every_client_asks(bench, port):
    load = driven(bench, port, "/good", clients=8)
    assert load.clients == 8
    assert load.errors == 0


def test_questions_are_distinct(bench):
    asked = list(islice(bench("load").distinct_questions(QUESTIONS), 500))
    assert len(asked) == len(set(asked))


def test_questions_have_only_the_words_of_those_asked(bench):
    words = {word for question in QUESTIONS for word in question.split()}
    asked = islice(bench("load").distinct_questions(QUESTIONS), 500)
    assert {word for question in asked for word in question.split()} <= words


def test_questions_are_the_same_in_every_run(bench):
    of = bench("load").distinct_questions
    assert list(islice(of(QUESTIONS, 0.5), 50)) == list(islice(of(QUESTIONS, 0.5), 50))


def test_every_stage_is_a_function_of_the_product(bench):
    for stage, owner, name in bench("stages").STAGES:
        assert callable(getattr(owner, name)), f"{stage}: {owner} has no {name}; say in bench/stages.py what it is now"


def test_a_stage_inside_another_is_taken_off_it(bench):
    class Work:
        def outer(self):
            self.inner()

        def inner(self):
            sum(range(200_000))

    stages = bench("stages").Stages()
    for name in ("outer", "inner"):
        stages.time(name, Work, name)
    Work().outer()
    assert stages.spent["inner"] > 10 * stages.spent["outer"] > 0


@pytest.fixture
def results():
    path = ROOT / "bench" / "results" / "speed.json"
    return json.loads(path.read_text(encoding="utf-8"))


def test_the_tables_shown_are_those_of_the_results(bench, results):
    report = bench("speed_report")
    for page, table in (("README.md", report.readme_table(results)), ("docs/speed.md", report.whole_table(results))):
        _, shown, _ = re.split(r"<!-- /?speed -->", (ROOT / page).read_text(encoding="utf-8"))
        assert shown.strip() == table


def test_the_plot_shown_is_that_of_the_results(bench, results):
    plot = (ROOT / "docs" / "speed.svg").read_text(encoding="utf-8")
    assert plot == bench("speed_report").plot(results)
    assert ElementTree.fromstring(plot).tag.endswith("svg")
