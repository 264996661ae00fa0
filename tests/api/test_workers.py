"""Several processes behind one socket: the dead are replaced, all stop when told to, and none outlives the parent."""

import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

import httpx
import pytest

from hashing import HashingEncoder
from retriever import Searcher

from .conftest import HOST, children, running, serving, shared_memory, wait_for

# Two workers that say who they are and then sleep, or whatever else is said.
SCRIPT = """
import logging, os, signal, sys, time
from retriever.api.workers import Workers
def work(first):
    {before}
    sys.stdout.write(f"born {{os.getpid()}} {{first}}\\n"); sys.stdout.flush()  # at once: two processes write here
    time.sleep(60)
logging.basicConfig(level=logging.INFO)
Workers(work, 2, grace=0.5).run()
print("done", flush=True)
"""


@contextmanager
def sleeping_workers(before: str = "pass"):
    """Run the script; yield the parent, and the pids of its first two workers with which of them is the first."""
    command = [sys.executable, "-c", SCRIPT.format(before=before)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as parent:
        try:
            born = [parent.stdout.readline().split() for _ in range(2)]
            yield parent, [(int(pid), first == "True") for _, pid, first in born]
        finally:
            parent.kill()


def gone(pid: int) -> bool:
    """Tell whether a process has ended; one that nobody has waited for is as good as gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at processes in /proc")


# --- the parent ---------------------------------------------------------------------------------------------------


def test_one_worker_is_the_first():
    with sleeping_workers() as (_, born):
        assert sorted(first for _, first in born) == [False, True]


def test_a_worker_that_dies_is_replaced_by_one_that_is_not_the_first():
    with sleeping_workers() as (parent, born):
        os.kill(born[0][0], signal.SIGKILL)
        _, pid, first = parent.stdout.readline().split()
        assert int(pid) not in {one for one, _ in born}
        assert first == "False"


def test_told_to_stop_the_parent_stops_its_workers_and_leaves():
    with sleeping_workers() as (parent, born):
        parent.send_signal(signal.SIGTERM)
        assert parent.wait(10) == 0
        assert parent.stdout.read() == "done\n"
        assert all(gone(pid) for pid, _ in born)


def test_a_worker_that_will_not_stop_is_killed():
    with sleeping_workers("signal.signal(signal.SIGTERM, signal.SIG_IGN)") as (parent, born):
        parent.send_signal(signal.SIGTERM)
        assert parent.wait(10) == 0
        assert all(gone(pid) for pid, _ in born)


def test_workers_do_not_outlive_a_parent_that_is_killed():
    with sleeping_workers() as (parent, born):
        parent.kill()
        wait_for(lambda: all(gone(pid) for pid, _ in born))


def test_a_worker_that_fails_says_why_and_none_of_its_parents_work_is_done_twice():
    failing = "if not first: sys.stdout.write('born 0 False\\n'); sys.stdout.flush(); raise ValueError('no luck')"
    with sleeping_workers(failing) as (parent, _):
        parent.stdout.readline()  # another has been born, so the one before it is dead
        parent.send_signal(signal.SIGTERM)
        out, err = parent.communicate(timeout=10)
        assert out.count("done") == 1
        assert "no luck" in err


# --- the server ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server(real_index):
    with serving(real_index, "--workers", "2") as (server, port):
        wait_for(lambda: len(children(server.pid)) == 2)
        yield server, port


def ask(port) -> int:
    return httpx.get(f"http://{HOST}:{port}/ask", params={"q": "When do you open?"}, timeout=30).status_code


@pytest.mark.model
def test_many_clients_are_answered_by_both_workers(server):
    parent, port = server

    def cpu(pid: int) -> int:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11])

    before = {pid: cpu(pid) for pid in children(parent.pid)}
    connections = [HTTPConnection(HOST, port, timeout=30) for _ in range(16)]

    def use(connection) -> set[int]:
        statuses = set()
        for _ in range(20):
            connection.request("GET", "/ask?q=When+do+you+open")
            reply = connection.getresponse()
            statuses.add(reply.status)
            reply.read()
        return statuses

    with ThreadPoolExecutor(16) as pool:
        assert set().union(*pool.map(use, connections)) == {200}
    for connection in connections:
        connection.close()
    assert all(cpu(pid) > before[pid] for pid in before)


@pytest.mark.model
def test_while_a_dead_worker_is_replaced_the_other_answers(server):
    parent, port = server
    old = children(parent.pid)
    os.kill(old[0], signal.SIGKILL)
    assert [ask(port) for _ in range(20)] == [200] * 20
    wait_for(lambda: len(children(parent.pid)) == 2 and old[0] not in children(parent.pid))


@pytest.mark.model
def test_workers_share_what_they_have_read_of_a_snapshot_and_one_that_is_forked_later_does(server):
    parent, _ = server

    def held():
        return [shared_memory(pid) for pid in children(parent.pid)]

    wait_for(lambda: len(held()) == 2 and len(held()[0]) == 1 and held()[0] == held()[1])
    before = held()
    os.kill(children(parent.pid)[0], signal.SIGKILL)
    wait_for(lambda: len(held()) == 2 and held() == before)
    assert shared_memory(parent.pid) == set()


@pytest.mark.model
def test_told_to_stop_all_of_it_leaves(server):
    parent, port = server
    wait_for(lambda: ask(port) == 200)
    workers = children(parent.pid)
    parent.send_signal(signal.SIGTERM)
    assert parent.wait(10) == 0
    assert all(gone(pid) for pid in workers)


# --- more than can be answered ------------------------------------------------------------------------------------


class SlowEncoder(HashingEncoder):
    """Encodes once it may; `waiting` counts who waits for that."""

    def __init__(self):
        super().__init__()
        self.may_encode, self.waiting = threading.Event(), threading.Semaphore(0)

    def encode(self, texts, role):
        if texts[0] == "slow":
            self.waiting.release()
            assert self.may_encode.wait(30)
        return super().encode(texts, role)


@pytest.fixture
def full(small_index):
    """A client of an application that takes two questions at once and has two under way, and these; and its encoder."""
    encoder = SlowEncoder()
    with running(lambda: Searcher.open(small_index, encoder), queue=2) as client, ThreadPoolExecutor(2) as pool:
        wait_for(lambda: client.get("/readyz").status_code == 200)
        asked = [pool.submit(client.get, "/ask?q=slow") for _ in range(2)]
        for _ in asked:
            assert encoder.waiting.acquire(timeout=20)
        yield client, asked, encoder
        encoder.may_encode.set()


@pytest.mark.parametrize("path", ["/ask?q=blue", "/?q=blue", "/results?q=blue", "/suggest?q=blue"])
def test_a_question_too_many_is_told_to_come_again(full, path):
    reply = full[0].get(path)
    assert reply.status_code == 503
    assert int(reply.headers["retry-after"]) > 0
    assert reply.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/info", "/docs", "/openapi.json", "/static/page.js"])
def test_health_is_told_however_much_is_asked(full, path):
    assert full[0].get(path).status_code == 200


def test_what_was_taken_is_answered_and_makes_room(full):
    client, asked, encoder = full
    encoder.may_encode.set()
    assert [one.result().status_code for one in asked] == [200, 200]
    assert client.get("/ask?q=blue").status_code == 200
