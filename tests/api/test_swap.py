"""A new snapshot under a running server: taken up within 2 s, no request failed, none mixed, nothing in use removed."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path

import pytest

from hashing import HashingEncoder
from retriever import Searcher
from retriever.api.service import NotReadyError, Service
from retriever.build import build
from retriever.errors import EncoderError
from retriever.snapshot import current_id, snapshot_ids

from .conftest import HOST, children, running, serving, shared_memory, wait_for

QUESTION = "when do you open"


def publish(home, answer: str, *, keep: int = 1, encoder=None) -> str:
    """Publish an index of one entry, whose answer is `answer`, and return the snapshot's id."""
    home.mkdir(exist_ok=True)
    (home / "faq.jsonl").write_text(json.dumps({"_id": "open", "question": QUESTION, "answer": answer}))
    encoder = encoder or HashingEncoder()
    return build([home / "faq.jsonl"], home / "index", encoder, lang="en", keep=keep, progress=lambda *_: None).snapshot


def publish_damaged(home, encoder=None) -> str:
    """Publish a snapshot of which one byte is not what was published, and return its id."""
    bad = publish(home.with_name("aside"), "never", encoder=encoder)
    index, aside = home / "index", home.with_name("aside") / "index" / "snapshots" / bad
    path = aside / "vectors.faiss"
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 1
    path.chmod(0o644)
    path.write_bytes(raw)
    aside.rename(index / "snapshots" / bad)
    point(index, bad)
    return bad


def point(index, snapshot: str) -> None:
    """Have `snapshot` served, as a rollback does."""
    (index / ".CURRENT").write_text(snapshot)
    (index / ".CURRENT").replace(index / "CURRENT")


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home"


@pytest.fixture
def service(home):
    """A service over an index of one entry, which watches it."""
    publish(home, "at one")
    index = home / "index"
    service = Service(lambda: Searcher.open(index, HashingEncoder()), lambda: current_id(index))
    service.start()
    wait_for(lambda: service.problem is None)
    yield service
    service.stop()


def answer_of(service) -> tuple[str, str]:
    """Return the snapshot's id and the text of the answer that is served."""
    with service.lease() as served:
        answer = served.searcher.ask(QUESTION)
        return answer.snapshot, answer.hits[0].answer.text


# --- the service --------------------------------------------------------------------------------------------------


def test_what_is_published_is_served_within_two_seconds(service, home):
    new = publish(home, "at two")
    wait_for(lambda: answer_of(service) == (new, "at two"), 2)


def test_a_lease_outlives_the_exchange_of_what_it_holds(service, home):
    with service.lease() as old:
        new = publish(home, "at two")
        wait_for(lambda: answer_of(service)[0] == new)
        assert old.searcher.ask(QUESTION).hits[0].answer.text == "at one"


def test_what_is_no_longer_served_is_closed_once_its_last_lease_ends(service, home):
    with service.lease() as old:
        publish(home, "at two")
        wait_for(lambda: answer_of(service)[1] == "at two")
    with pytest.raises(ValueError, match="closed"):
        old.searcher.ask(QUESTION)


def test_a_snapshot_in_use_is_not_removed_and_is_by_the_next_build_once_it_is_not(service, home):
    index = home / "index"
    with service.lease() as old:
        new = publish(home, "at two", keep=1)
        wait_for(lambda: answer_of(service)[0] == new)
        assert set(snapshot_ids(index)) == {old.manifest.id, new}
    publish(home, "at two", keep=1)
    assert snapshot_ids(index) == [new]


def test_a_damaged_snapshot_leaves_the_old_one_serving_and_the_file_is_named(service, home):
    old = answer_of(service)
    publish_damaged(home)
    wait_for(lambda: service.problem is not None)
    assert "vectors.faiss" in service.problem
    assert answer_of(service) == old


def test_the_problem_is_over_once_what_is_served_is_wanted_again(service, home):
    index = home / "index"
    old = current_id(index)
    point(index, "29990101T000000000Z-0123456789ab")
    wait_for(lambda: service.problem is not None)
    point(index, old)
    wait_for(lambda: service.problem is None)
    assert answer_of(service)[0] == old


def test_a_service_that_had_nothing_to_open_takes_up_what_is_built_later(home):
    index = home / "index"
    built = threading.Event()
    service = Service(lambda: Searcher.open(index, HashingEncoder()), lambda: (built.is_set() and "built") or None)
    service.start()
    wait_for(lambda: "retriever build" in (service.problem or ""))
    publish(home, "at one")
    built.set()
    wait_for(lambda: service.problem is None)
    assert answer_of(service)[1] == "at one"
    service.stop()


def test_a_service_that_is_stopped_serves_nothing(service):
    service.stop()
    with pytest.raises(NotReadyError), service.lease():
        pass


def test_an_encoder_that_is_loaded_is_used_again_where_the_snapshot_was_made_with_it(home):
    publish(home, "at one")
    encoder = HashingEncoder()
    searcher = Searcher.open(home / "index", spare=encoder)
    assert searcher.encoder is encoder
    searcher.close()


def test_an_encoder_that_is_loaded_is_not_used_where_the_snapshot_was_made_with_another(home):
    publish(home, "at one")
    with pytest.raises(EncoderError, match="hashing"):
        Searcher.open(home / "index", spare=HashingEncoder(weights="f" * 64))


# --- over HTTP ----------------------------------------------------------------------------------------------------


def test_ready_tells_of_a_snapshot_that_cannot_be_opened_and_of_the_one_that_serves(home):
    old, index = publish(home, "at one"), home / "index"
    with running(lambda: Searcher.open(index, HashingEncoder()), wanted=lambda: current_id(index)) as client:
        wait_for(lambda: client.get("/readyz").status_code == 200)
        assert client.get("/readyz").json() == {"status": "ready", "snapshot": old}
        publish_damaged(home)
        wait_for(lambda: "problem" in client.get("/readyz").json())
        ready = client.get("/readyz").json()
        assert (ready["status"], ready["snapshot"]) == ("ready", old)
        assert "vectors.faiss: is not what was published" in ready["problem"]


CLIENTS, REQUESTS, REBUILDS, SECONDS_APART = 8, 5000, 5, 1.5
PATIENCE = 300


class Load:
    """Clients that ask over and over until they are told to stop; what they were told, and when."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.stopping = threading.Event()
        self.replies: list[tuple[float, int, str, str]] = []

    def ask(self) -> None:
        connection = HTTPConnection(HOST, self.port, timeout=30)
        while not self.stopping.is_set() or len(self.replies) < REQUESTS:
            connection.request("POST", "/ask", json.dumps({"question": QUESTION}), {"Content-Type": "application/json"})
            reply = connection.getresponse()
            answer = json.loads(reply.read())
            text = answer["hits"][0]["answer"]["text"] if reply.status == 200 else answer["detail"]
            self.replies.append((time.monotonic(), reply.status, answer.get("snapshot"), text))
        connection.close()


def rss(pid: int) -> int:
    """Return the bytes of memory that a server's processes hold."""
    return sum(int(Path(f"/proc/{one}/statm").read_text().split()[1]) * 4096 for one in (pid, *children(pid)))


@pytest.fixture(scope="module")
def rebuilt(tmp_path_factory, real_encoder):
    """Five rebuilds under load, the third of them damaged: what was published when, and what clients were told."""
    home = tmp_path_factory.mktemp("swap") / "home"
    published = {publish(home, "answer 0", encoder=real_encoder): ("answer 0", 0.0)}
    with serving(home / "index", "--workers", "2") as (server, port), ThreadPoolExecutor(CLIENTS) as pool:
        load = Load(port)
        clients = [pool.submit(load.ask) for _ in range(CLIENTS)]
        time.sleep(SECONDS_APART)
        before = rss(server.pid)
        for number in range(1, REBUILDS + 1):
            # Spread over the whole load, with time for each to be served.
            wait_for(lambda: len(load.replies) >= number * REQUESTS // (REBUILDS + 1), PATIENCE)  # noqa: B023
            if number == 3:
                publish_damaged(home, real_encoder)
            else:
                snapshot = publish(home, f"answer {number}", encoder=real_encoder)
                published[snapshot] = (f"answer {number}", time.monotonic())
            time.sleep(SECONDS_APART)
        time.sleep(1)
        load.stopping.set()
        for client in clients:
            client.result()
        memory = [shared_memory(pid) for pid in children(server.pid)]
        yield load.replies, published, before, rss(server.pid), memory, home / "index"


@pytest.mark.model
def test_rebuilding_under_load_fails_no_request(rebuilt):
    replies, *_ = rebuilt
    assert len(replies) >= REQUESTS
    assert [reply for reply in replies if reply[1] != 200] == []


@pytest.mark.model
def test_no_answer_mixes_two_snapshots(rebuilt):
    replies, published, *_ = rebuilt
    assert [reply for reply in replies if published[reply[2]][0] != reply[3]] == []


@pytest.mark.model
def test_each_good_rebuild_was_served_and_the_damaged_one_never(rebuilt):
    replies, published, *_ = rebuilt
    assert {snapshot for _, _, snapshot, _ in replies} == set(published)


@pytest.mark.model
def test_new_content_is_served_within_two_seconds(rebuilt):
    replies, published, *_ = rebuilt
    delays = {
        answer: min(when for when, _, snapshot, _ in replies if snapshot == new) - since
        for new, (answer, since) in published.items()
    }
    assert {answer: delay for answer, delay in delays.items() if answer != "answer 0" and delay > 2} == {}


@pytest.mark.model
def test_memory_returns_after_rebuilds(rebuilt):
    _, _, before, after, _, _ = rebuilt
    assert after < 1.1 * before


@pytest.mark.model
def test_after_rebuilds_workers_share_the_memory_of_what_is_served_and_no_other(rebuilt):
    *_, memory, index = rebuilt
    assert len(memory) == 2
    assert memory[0] == memory[1]
    assert [snapshot for snapshot, _ in memory[0]] == [current_id(index)]


@pytest.mark.model
def test_rebuilding_keeps_no_more_than_what_is_served(rebuilt):
    *_, index = rebuilt
    assert len(snapshot_ids(index)) <= 2  # the one served, and one that was still in use when the next was built
