"""/admin/rebuild: for who has the token, beside the server, and told by every worker to its end."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import httpx
import pytest

from hashing import HashingEncoder
from retriever import Searcher
from retriever.api import admin as module
from retriever.api.admin import Admin
from retriever.rebuild import Job, look, start_job
from retriever.settings import load_settings

from .conftest import HOST, RETRIEVER, children, running, serving, wait_for

TOKEN = "correct horse battery staple".replace(" ", "-")
BEARER = {"Authorization": f"Bearer {TOKEN}"}
PATH = "/admin/rebuild"

# --- who may ------------------------------------------------------------------------------------------------------


@pytest.fixture
def started():
    return []


@pytest.fixture
def client(small_index, started):
    """A client of an application whose builds are only counted; there is one at a time."""

    def start(force: bool) -> Job | None:
        started.append(force)
        return Job("running", "1", force) if len(started) == 1 else None

    admin = Admin(TOKEN, start, lambda: Job("running" if started else "none"))
    with running(lambda: Searcher.open(small_index, HashingEncoder()), admin=admin) as client:
        yield client


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("headers", [{}, {"Authorization": TOKEN}, {"Authorization": f"Basic {TOKEN}"}])
def test_without_a_token_it_is_401_and_says_which_kind(client, started, method, headers):
    reply = client.request(method, PATH, headers=headers)
    assert (reply.status_code, reply.headers["www-authenticate"]) == (401, "Bearer")
    assert reply.headers["content-type"] == "application/problem+json"
    assert started == []


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("token", [TOKEN[:-1], TOKEN + "x", TOKEN.upper(), "é"])
def test_with_another_token_it_is_403_and_neither_is_shown(client, started, method, token):
    reply = client.request(method, PATH, headers={"Authorization": f"Bearer {token}".encode("latin-1")})
    assert reply.status_code == 403
    assert TOKEN not in reply.text
    assert started == []


def test_a_token_that_is_sent_twice_or_in_the_address_is_none(client, started):
    twice = [("Authorization", BEARER["Authorization"]), ("Authorization", BEARER["Authorization"])]
    assert client.post(PATH, headers=twice).status_code == 401
    assert client.post(PATH, params={"token": TOKEN, "access_token": TOKEN}).status_code == 401
    assert started == []


def test_who_sends_ten_wrong_tokens_in_a_minute_is_heard_no_more(client, started, monkeypatch):
    statuses = [client.post(PATH, headers={"Authorization": "Bearer no"}).status_code for _ in range(11)]
    assert statuses == [403] * 10 + [429]
    assert client.post(PATH, headers=BEARER).status_code == 429
    assert started == []
    monkeypatch.setattr(module, "_MINUTE", 0.0)
    assert client.post(PATH, headers=BEARER).status_code == 202


def test_other_methods_are_405(client):
    assert [client.request(method, PATH, headers=BEARER).status_code for method in ("PUT", "DELETE", "PATCH")] == [
        405
    ] * 3


def test_with_the_token_a_build_is_started_and_a_second_is_not_until_it_has_ended(client, started):
    reply = client.post(PATH, headers=BEARER)
    assert (reply.status_code, reply.json()["state"]) == (202, "running")
    assert client.post(PATH, headers=BEARER).status_code == 409
    assert client.get(PATH, headers=BEARER).json()["state"] == "running"
    assert started == [False, False]


def test_it_can_be_forced(client, started):
    assert client.post(PATH, params={"force": "true"}, headers=BEARER).json()["forced"] is True
    assert started == [True]


def test_what_is_told_is_kept_by_no_cache(client):
    assert client.get(PATH, headers=BEARER).headers["cache-control"] == "no-store"


def test_where_no_token_is_set_there_is_no_such_page(small_index):
    with running(lambda: Searcher.open(small_index, HashingEncoder())) as client:
        assert [client.get(PATH, headers=BEARER).status_code, client.post(PATH, headers=BEARER).status_code] == [
            404,
            404,
        ]
        assert PATH not in client.get("/openapi.json").json()["paths"]


# --- through the real server --------------------------------------------------------------------------------------

HOURS = {"_id": "hours", "question": "When do you open?", "answer": "At nine."}
CARDS = {"_id": "cards", "question": "Which cards do you take?", "answer": "All of them."}
GOLDEN = {"question": "what are your opening hours", "ids": ["hours"]}


class Owned:
    """A server whose owner may rebuild."""

    def __init__(self, home: Path, server, port: int) -> None:
        self.home, self.server, self.url = home, server, f"http://{HOST}:{port}"

    def write(self, name: str, *rows: dict) -> None:
        (self.home / "corpus" / name).write_text("".join(json.dumps(row) + "\n" for row in rows))

    def start(self, **params) -> httpx.Response:
        return httpx.post(self.url + PATH, params=params, headers=BEARER, timeout=30)

    def look(self) -> dict:
        return httpx.get(self.url + PATH, headers=BEARER, timeout=30).json()

    def ended(self) -> dict:
        """Wait for the job's end, and return it; meanwhile questions are answered."""
        states = []

        def over() -> bool:
            assert httpx.get(f"{self.url}/ask?q=hours", timeout=30).status_code == 200
            states.append(self.look())
            return states[-1]["state"] != "running"

        wait_for(over, 120)
        return states[-1]

    def answer(self) -> str:
        """Return what every worker answers, or fail."""
        replies = [httpx.get(f"{self.url}/ask?q=what+are+your+opening+hours", timeout=30).json() for _ in range(12)]
        (text,) = {reply["hits"][0]["answer"]["text"] for reply in replies}
        return text


@pytest.fixture(scope="module")
def owned(tmp_path_factory, real_encoder):
    from retriever.build import build

    home = tmp_path_factory.mktemp("owned")
    (home / "corpus").mkdir()
    (home / "corpus" / "faq.jsonl").write_text(json.dumps(HOURS))
    build([home / "corpus"], home / "index", real_encoder, lang="en", keep=2, progress=lambda *_: None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RETRIEVER_ADMIN_TOKEN", TOKEN)
        patch.setenv("RETRIEVER_CORPUS", str(home / "corpus"))
        with serving(home / "index", "--workers", "2") as (server, port):
            yield Owned(home, server, port)


pytestmark = pytest.mark.model


def test_a_rebuild_is_told_to_its_end_and_what_it_published_is_served(owned):
    assert owned.look()["state"] == "none"
    owned.write("faq.jsonl", HOURS | {"answer": "At ten."}, CARDS)
    owned.write("golden.jsonl", GOLDEN)
    job = owned.start().json()
    assert owned.start().status_code == 409
    ended = owned.ended()
    assert (ended["id"], ended["state"], ended["error"]) == (job["id"], "done", None)
    assert (ended["report"]["published"], ended["report"]["counts"]["entries"]) == (True, 2)
    assert ended["started"] <= ended["ended"]
    wait_for(lambda: httpx.get(f"{owned.url}/readyz").json()["snapshot"] == ended["report"]["snapshot"], 2)
    time.sleep(0.5)  # the other worker looks as often
    assert owned.answer() == "At ten."


def test_one_that_the_gate_refuses_says_by_which_question_and_can_be_forced(owned):
    owned.write("more.jsonl", {"question": "What are your opening hours?", "answer": "None."})
    owned.start()
    ended = owned.ended()
    assert (ended["state"], ended["report"]["published"]) == ("refused", False)
    assert [one["question"] for one in ended["report"]["gate"]["differences"] if one["regression"]] == [
        GOLDEN["question"]
    ]
    assert owned.answer() == "At ten."
    owned.start(force=True)
    ended = owned.ended()
    assert (ended["state"], ended["forced"], ended["report"]["published"]) == ("done", True, True)
    wait_for(lambda: httpx.get(f"{owned.url}/ask?q=opening+hours").json()["hits"][0]["answer"]["text"] == "None.", 4)


def test_one_that_fails_says_why_and_the_next_may_be_started(owned):
    owned.write("golden.jsonl", {"question": "No ids?"})
    owned.start()
    ended = owned.ended()
    assert ended["state"] == "failed"
    assert "golden.jsonl:1: ids: should be a list" in ended["error"]
    owned.write("golden.jsonl", GOLDEN)
    assert owned.start().status_code == 202
    assert owned.ended()["state"] == "done"


def test_one_that_is_killed_is_known_to_be_dead(owned):
    owned.start()
    # A worker's thread has started it, so the worker's own list of children does not name it.
    parents = ",".join(map(str, children(owned.server.pid)))
    ps = subprocess.run(["ps", "-o", "pid=", "--ppid", parents], capture_output=True, text=True, check=True)
    job = max(map(int, ps.stdout.split()))  # the one before it may still be on its way out
    os.kill(job, signal.SIGKILL)
    wait_for(lambda: owned.look()["state"] == "failed", 5)
    assert "killed" in owned.look()["error"]
    assert owned.start().status_code == 202
    assert owned.ended()["state"] == "done"


def test_a_rollback_by_command_is_served_within_two_seconds(owned):
    now = httpx.get(f"{owned.url}/readyz").json()["snapshot"]
    command = [RETRIEVER, "rollback", "--index", owned.home / "index", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    before = json.loads(done.stdout)["id"]
    assert before < now
    wait_for(lambda: httpx.get(f"{owned.url}/ask?q=opening+hours").json()["snapshot"] == before, 2)


def test_the_log_tells_how_each_ended_and_not_the_token(owned):
    log = (owned.home / "serve.log").read_text()
    assert [word for word in ("done", "refused", "failed") if f"rebuild: {word}: " not in log] == []
    assert TOKEN not in log


def test_where_the_index_cannot_be_written_no_build_is_started(tmp_path):
    from retriever.errors import PublishFailed

    settings = load_settings({"index": tmp_path / "gone"}, environ={})
    with pytest.raises(PublishFailed, match="cannot start a build"):
        start_job(settings, force=False)
    assert look(tmp_path / "gone") == Job()
