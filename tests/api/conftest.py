"""The application over a small index whose every score can be worked out, and a wait until it is ready."""

import json
import re
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest
from starlette.testclient import TestClient

from hashing import HashingEncoder
from retriever import Searcher
from retriever.api import create_app
from retriever.build import build
from retriever.web.site import Site

ACCOUNT = [
    {
        "_id": "reset",
        "question": "how do I reset my password",
        "answer": "<p>open the settings</p><p>press the <b>reset</b> button</p>",
        "alternates": ["forgot passphrase"],
        "tags": ["account", "security"],
        "url": "https://example.org/account#reset",
        "category": "Help",
    },
    # Both hold the same words, so that only their ids tell them apart; the file has them the other way round.
    {"_id": "tie-b", "question": "green blue", "answer": "second", "tags": ["colour"], "category": "Paint"},
    {"_id": "tie-a", "question": "blue green", "answer": "first", "tags": ["colour"], "category": "Paint"},
]
GERMAN = [
    {"_id": "farbe", "question": "blue farbe", "answer": "eine antwort", "lang": "de", "tags": ["colour"]},
    {"_id": "rot", "question": "red blue farbe", "answer": "noch eine", "lang": "de"},
]
PAGE = "All about lighthouses and their keepers.\n\n-\nwho keeps the lamp\nThe keeper does.\n"
RETRIEVER = Path(sys.executable).with_name("retriever")
HOST = "127.0.0.1"
READY_S = 120  # loading the encoder takes most of it, on a cold disk and a busy machine
OPTIONS = {"site": Site("Little FAQ"), "k": 5, "max_body": 65536}


def build_small(index, folder):
    folder.mkdir()
    for name, rows in (("account.jsonl", ACCOUNT), ("german.jsonl", GERMAN)):
        (folder / name).write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    (folder / "lamp.txt").write_text(PAGE, encoding="utf-8")
    return build([folder], index, HashingEncoder(), lang="en", keep=2, progress=lambda *_: None)


@pytest.fixture(scope="session")
def small_index(tmp_path_factory):
    """The folder of an index that no test may change."""
    home = tmp_path_factory.mktemp("small")
    build_small(home / "index", home / "corpus")
    return home / "index"


@pytest.fixture
def own_index(tmp_path):
    """The folder of an index of the test's own, to be damaged."""
    build_small(tmp_path / "index", tmp_path / "corpus")
    return tmp_path / "index"


@contextmanager
def running(open_searcher, **options):
    """Run the application in process; what goes wrong in it is a reply, as it would be on the wire."""
    app = create_app(open_searcher, **(OPTIONS | options))
    with TestClient(app, raise_server_exceptions=False, follow_redirects=False) as client:
        yield client


def wait_for(condition, seconds=20):
    """Return as soon as `condition()` holds; fail after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


@contextmanager
def serving(index, *options):
    """Serve `index` on a free port; yield the process and the port once it is ready."""
    command = [RETRIEVER, "serve", "--index", index, "--host", HOST, "--port", "0", *options]
    log = index.with_name("serve.log")
    with log.open("w+") as err, subprocess.Popen(command, stdout=subprocess.PIPE, stderr=err, text=True) as server:
        try:
            port = int(server.stdout.readline().rpartition(":")[2])
            wait_for(lambda: httpx.get(f"http://{HOST}:{port}/readyz").status_code == 200, READY_S)
            yield server, port
        finally:
            server.kill()


@pytest.fixture(scope="session")
def real_index(tmp_path_factory, real_encoder):
    home = tmp_path_factory.mktemp("real")
    (home / "faq.jsonl").write_text(json.dumps({"question": "When do you open?", "answer": "At nine."}))
    build([home / "faq.jsonl"], home / "index", real_encoder, lang="en", keep=2, progress=lambda *_: None)
    return home / "index"


def children(pid):
    """Return the pids of the processes that a process has started and not yet waited for."""
    return sorted(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))


def holders(pid, connections):
    """Return the pid of the child of `pid`, a server, that has accepted each of the HTTP connections; None if none."""
    inodes = {}
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, remote, *_, inode = line.split()[:10]
        inodes[local, remote] = f"socket:[{inode}]"
    having = {link: child for child in children(pid) for link in sockets(child)}
    return [having.get(inodes.get(_ends(connection.sock))) for connection in connections]


def sockets(pid):
    """Return the names of the sockets that a process has open."""
    links = []
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed since
            links.append(str(descriptor.readlink()))
    return [link for link in links if link.startswith("socket:")]


def _ends(client):
    """Return the ends of a connection as /proc/net/tcp has them for the server, which is on this machine."""
    (host, port), (_, mine) = client.getpeername(), client.getsockname()
    address = f"{int.from_bytes(socket.inet_aton(host), sys.byteorder):08X}"
    return f"{address}:{port:04X}", f"{address}:{mine:04X}"


def shared_memory(pid):
    """Return the snapshot and the inode of each piece of memory that a worker shares with others."""
    found = re.findall(r" (\d+) +/memfd:retriever-(\d\S+) ", Path(f"/proc/{pid}/maps").read_text())
    return {(snapshot, inode) for inode, snapshot in found}


@pytest.fixture(scope="session")
def client(small_index):
    """A client of the application, ready."""
    with running(lambda: Searcher.open(small_index, HashingEncoder())) as client:
        wait_for(lambda: client.get("/readyz").status_code == 200)
        yield client


@pytest.fixture(scope="session")
def searcher(small_index):
    searcher = Searcher.open(small_index, HashingEncoder())
    yield searcher
    searcher.close()


@pytest.fixture(scope="session")
def ask(client):
    """Return a function that posts a question and returns the answer."""

    def ask_(question, **more):
        reply = client.post("/ask", json={"question": question, **more})
        assert reply.status_code == 200, reply.text
        return reply.json()

    return ask_
