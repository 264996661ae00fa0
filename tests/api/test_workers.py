"""Several processes behind one socket: the dead are replaced, all stop when told to, and none outlives the parent."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

import httpx
import pytest

from hashing import HashingEncoder
from retriever import Searcher
from retriever.api.workers import _unchanged

from .conftest import HOST, children, holders, running, serving, shared_memory, sockets, wait_for

# Two workers that say who they are and then sleep, or whatever else is said; and a parent that says who died.
SCRIPT = """
import logging, os, signal, sys, time
from retriever.api.workers import Workers
def say(*words):
    sys.stdout.write(" ".join(map(str, words)) + "\\n"); sys.stdout.flush()  # at once: several processes write here
def work(number, first):
    {before}
    say("born", os.getpid(), number, first)
    time.sleep(60)
logging.basicConfig(level=logging.INFO)
Workers(work, 2, grace=0.5, died=lambda number: say("died", number)).run()
say("done")
"""


@contextmanager
def sleeping_workers(before: str = "pass"):
    """Run the script; yield the parent; and of its first two workers pid, number, whether it is the first."""
    command = [sys.executable, "-c", SCRIPT.format(before=before)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as parent:
        try:
            born = [parent.stdout.readline().split() for _ in range(2)]
            yield parent, [(int(pid), int(number), first == "True") for _, pid, number, first in born]
        finally:
            parent.kill()


def gone(pid: int) -> bool:
    """Tell whether a process has ended; one that nobody has waited for is as good as gone."""
    try:
        return state(pid) == "Z"
    except FileNotFoundError:
        return True


def state(pid: int) -> str:
    """Return the letter that the system has for what a process does."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at processes in /proc")


# --- the parent ---------------------------------------------------------------------------------------------------


def test_workers_are_numbered_and_one_is_the_first():
    with sleeping_workers() as (_, born):
        assert sorted((number, first) for _, number, first in born) == [(0, True), (1, False)]


@pytest.mark.parametrize("which", [0, 1])
def test_a_worker_that_dies_is_replaced_by_one_that_has_its_number_and_is_not_the_first(which):
    with sleeping_workers() as (parent, born):
        os.kill(next(pid for pid, number, _ in born if number == which), signal.SIGKILL)
        assert parent.stdout.readline() == f"died {which}\n"
        _, pid, number, first = parent.stdout.readline().split()
        assert int(pid) not in {one for one, *_ in born}
        assert (int(number), first) == (which, "False")


def test_told_to_stop_the_parent_stops_its_workers_and_leaves():
    with sleeping_workers() as (parent, born):
        parent.send_signal(signal.SIGTERM)
        assert parent.wait(10) == 0
        *died, done = parent.stdout.read().splitlines()
        assert sorted(died) == ["died 0", "died 1"]
        assert done == "done"
        assert all(gone(pid) for pid, *_ in born)


def test_a_worker_that_will_not_stop_is_killed():
    with sleeping_workers("signal.signal(signal.SIGTERM, signal.SIG_IGN)") as (parent, born):
        parent.send_signal(signal.SIGTERM)
        assert parent.wait(10) == 0
        assert all(gone(pid) for pid, *_ in born)


def test_workers_do_not_outlive_a_parent_that_is_killed():
    with sleeping_workers() as (parent, born):
        parent.kill()
        wait_for(lambda: all(gone(pid) for pid, *_ in born))


def test_a_worker_that_fails_says_why_and_none_of_its_parents_work_is_done_twice():
    failing = "if not first: say('born', 0, number, first); raise ValueError('no luck')"
    with sleeping_workers(failing) as (parent, _):
        assert parent.stdout.readline().startswith("died")
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


@contextmanager
def kept():
    """Yield a function that opens so many connections, one after another, and asks something on each."""
    connections = []

    def keep(port, count):
        new = [HTTPConnection(HOST, port, timeout=10) for _ in range(count)]
        connections.extend(new)
        for connection in new:
            connection.request("GET", "/healthz")
            reply = connection.getresponse()
            reply.read()
            assert reply.status == 200
        return new

    try:
        yield keep
    finally:
        for connection in connections:
            connection.close()


def count(parent, connections) -> dict[int, int]:
    """Return how many of the connections each worker has, by pid."""
    having = holders(parent.pid, connections)
    return {pid: having.count(pid) for pid in children(parent.pid)}


@pytest.mark.model
def test_a_connection_goes_to_the_worker_that_has_the_fewest(server):
    parent, port = server
    with kept() as keep:
        connections = keep(port, 16)
        had = count(parent, connections)
        # One may have gone astray where a worker had no core for so long that it was not waited for.
        assert sorted(had.values()) in ([8, 8], [7, 9])
        emptied = min(had)
        left = len(sockets(emptied)) - had[emptied]
        for connection, pid in zip(connections, holders(parent.pid, connections), strict=True):
            if pid == emptied:
                connection.close()
        wait_for(lambda: len(sockets(emptied)) <= left)
        assert count(parent, keep(port, 7))[emptied] >= 6


@pytest.mark.model
def test_a_worker_that_hangs_keeps_nobody_waiting(server):
    parent, port = server
    hanging, other = children(parent.pid)
    os.kill(hanging, signal.SIGSTOP)
    try:
        wait_for(lambda: state(hanging) == "T")
        with kept() as keep:
            began = time.monotonic()
            assert count(parent, keep(port, 20)) == {hanging: 0, other: 20}
            assert time.monotonic() - began < 5
    finally:
        os.kill(hanging, signal.SIGCONT)


@pytest.mark.model
def test_one_that_takes_a_dead_workers_place_takes_connections(server):
    parent, port = server
    with kept() as keep:
        keep(port, 16)
        killed, other = children(parent.pid)
        os.kill(killed, signal.SIGKILL)
        wait_for(lambda: len(children(parent.pid)) == 2 and killed not in children(parent.pid))

    def taken_by_another() -> bool:
        with kept() as keep:
            return holders(parent.pid, keep(port, 1)) != [other]

    # What the dead one had must not be laid to its successor's charge, who would seem the fuller for ever.
    wait_for(taken_by_another)


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
def mapped_files(pid: int) -> int:
    """Return kilobytes of files that a process maps and has in memory."""
    return int(re.search(r"RssFile:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1])


@pytest.mark.model
def test_the_parent_keeps_little_of_the_files_that_it_has_read(server):
    parent, port = server
    ask(port)
    assert mapped_files(parent.pid) < min(map(mapped_files, children(parent.pid)))


def test_what_nobody_may_write_to_or_has_written_to_can_be_left():
    smaps = """\
1000-3000 r-xp 00000000 fe:00 7    /usr/lib/lib one.so
Size:                  8 kB
Anonymous:             0 kB
VmFlags: rd ex
3000-4000 r--p 00002000 fe:00 7    /usr/lib/lib one.so
Anonymous:             4 kB
3800-4000 r--p 00002800 fe:00 7    /usr/lib/lib one.so
Anonymous:             0 kB
Swap:                  4 kB
4000-5000 rw-p 00003000 fe:00 7    /usr/lib/lib one.so
Anonymous:             0 kB
5000-6000 r--p 00000000 00:00 0
Anonymous:             0 kB
7ffe0000-7fff0000 r-xp 00000000 00:00 0    [vdso]
Anonymous:             0 kB
a000-c000 r--s 00000000 fe:00 9    /usr/lib/locale/archive
Anonymous:             0 kB
"""
    assert list(_unchanged(smaps)) == [(0x1000, 0x3000), (0xA000, 0xC000)]
    assert list(_unchanged("")) == []


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


ALWAYS = ["/healthz", "/readyz", "/info", "/docs", "/openapi.json", "/static/page.js", "/faq-search.js"]


@pytest.mark.parametrize("path", ALWAYS)
def test_health_and_files_are_told_however_much_is_asked(full, path):
    client, asked, _ = full
    assert client.get(path).status_code == 200
    assert not any(one.done() for one in asked)  # it has not waited for them


def test_what_was_taken_is_answered_and_makes_room(full):
    client, asked, encoder = full
    encoder.may_encode.set()
    assert [one.result().status_code for one in asked] == [200, 200]
    assert client.get("/ask?q=blue").status_code == 200
