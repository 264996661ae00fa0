"""Clients that are silent, slow, endless or too many: each is let go in time, and the others are answered meanwhile."""

import asyncio
import select
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest
import uvicorn

from retriever.api import connection
from retriever.api.connection import Connection

from .conftest import HOST, serving

REQUEST = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
HALF_HEAD = b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Long: "
HALF_BODY = b"POST /ask HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{"


# --- one connection, by itself ------------------------------------------------------------------------------------


async def large(scope, _receive, send):
    """Reply with 40 MB to whoever asks, which no buffer between two sockets holds."""
    if scope["type"] == "lifespan":
        return
    body = bytes(40_000_000)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture
def port(monkeypatch):
    """A server of large replies that has little patience."""
    monkeypatch.setattr(connection, "_HEAD_SECONDS", 0.5)
    monkeypatch.setattr(connection, "_READ_SECONDS", 0.5)
    config = uvicorn.Config(large, host=HOST, port=0, http=Connection, log_level="error", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    thread.join(10)


@contextmanager
def saying(port, raw: bytes):
    with socket.create_connection((HOST, port), timeout=15) as client:
        client.sendall(raw)
        yield client


def rest(client) -> bytes:
    """Return what the server says until it closes; a reset is a close too."""
    said = b""
    try:
        while part := client.recv(1_000_000):
            said += part
    except ConnectionResetError:
        pass
    return said


def test_a_client_that_says_nothing_is_let_go_without_a_word(port):
    began = time.monotonic()
    with saying(port, b"") as client:
        assert rest(client) == b""
    assert 0.4 < time.monotonic() - began < 5


def test_a_head_that_does_not_end_in_time_is_408(port):
    with saying(port, HALF_HEAD) as client:
        assert rest(client).startswith(b"HTTP/1.1 408 Request Timeout\r\n")


def test_a_head_that_trickles_is_408_all_the_same(port):
    with saying(port, HALF_HEAD) as client:
        began = time.monotonic()
        while not select.select([client], [], [], 0.1)[0]:
            client.sendall(b"a")
        assert rest(client).startswith(b"HTTP/1.1 408 ")
        assert time.monotonic() - began < 5


def test_on_a_kept_connection_the_next_head_has_its_time_too(port):
    with saying(port, REQUEST) as client:
        left = 40_000_000
        while left > 0:
            left -= len(client.recv(1_000_000))
        client.sendall(HALF_HEAD)
        assert rest(client).rpartition(b"HTTP/1.1 ")[2].startswith(b"408 ")


def test_a_head_without_an_end_is_431(port):
    with saying(port, HALF_HEAD + b"a" * 40_000) as client:
        assert rest(client).startswith(b"HTTP/1.1 431 Request Header Fields Too Large\r\n")


def test_what_is_no_request_is_a_problem(port):
    with saying(port, b"\x16\x03\x01\r\n\r\n") as client:
        said = rest(client)
    assert said.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"application/problem+json" in said


def test_a_reply_that_nobody_reads_is_not_kept_for_ever(port):
    with saying(port, REQUEST) as client:
        time.sleep(2)  # the server gives up after half a second
        assert len(rest(client)) < 40_000_000


def test_a_reply_that_is_read_slowly_arrives(port):
    read = 0
    with saying(port, REQUEST) as client:
        for _ in range(15):  # three times as long as it takes to give up on a client that reads nothing
            read += len(client.recv(1_000_000))
            time.sleep(0.1)
        while read < 40_000_000 and (part := client.recv(1_000_000)):
            read += len(part)
    assert read > 40_000_000


# --- many, and the real server ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server(real_index):
    with serving(real_index, "--workers", "1", "--queue", "8") as (server, port):
        yield server, port


def ask(port, patience=30) -> httpx.Response:
    return httpx.get(f"http://{HOST}:{port}/ask", params={"q": "When do you open?"}, timeout=patience)


def memory(pid: int) -> int:
    """Return the kB of memory that a process has."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


@pytest.mark.model
def test_two_hundred_slow_clients_are_let_go_and_others_are_answered_meanwhile(server):
    began = time.monotonic()
    with ExitStack() as stack:
        openings = (b"", HALF_HEAD, HALF_BODY, REQUEST + HALF_HEAD)
        slow = [stack.enter_context(saying(server[1], openings[at % len(openings)])) for at in range(200)]
        while slow:
            asked = time.monotonic()
            assert ask(server[1]).status_code == 200
            assert time.monotonic() - asked < 2  # on a quiet machine some 10 ms
            ready = select.select(slow, [], [], 0.2)[0]
            slow = [client for client in slow if client not in ready or not ended(client)]
            assert time.monotonic() - began < 10


def ended(client) -> bool:
    """Tell whether the server has closed; read what it says before."""
    try:
        return not client.recv(65536)
    except ConnectionResetError:
        return True


BY_ADDRESS = b"GET /ask?q=opening+hours+0000 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
BY_BODY = (
    b"POST /ask HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n"
    b'Content-Length: 33\r\n\r\n{"question":"opening hours 0000"}'
)
by_address_or_body = pytest.mark.parametrize("asking", [BY_ADDRESS, BY_BODY], ids=["GET", "POST"])


@pytest.mark.model
@by_address_or_body
def test_far_more_than_can_be_answered_is_turned_away_at_once_and_forgotten(server, asking):
    process, port = server
    assert ask(port).status_code == 200
    before = memory(process.pid)
    replies = asyncio.run(burst(port, 1500, asking))
    assert {status for status, _ in replies} == {200, 503}
    assert all(again for status, again in replies if status == 503)
    assert ask(port, 2).status_code == 200  # at once
    assert memory(process.pid) - before < 30_000


async def burst(port, count: int, asking: bytes) -> list[tuple[int, str | None]]:
    """Ask so often at once, each over a connection of its own; return each status and when to come again."""

    async def one(at: int) -> tuple[int, str | None]:
        reader, writer = await asyncio.open_connection(HOST, port)
        writer.write(asking.replace(b"0000", b"%04d" % at))
        head, _, _ = (await reader.read()).partition(b"\r\n\r\n")
        writer.close()
        lines = head.decode().lower().split("\r\n")
        return int(lines[0].split()[1]), next((line for line in lines if line.startswith("retry-after: ")), None)

    return await asyncio.gather(*map(one, range(count)))


@pytest.mark.model
@by_address_or_body
def test_health_is_told_under_overload(server, asking):
    port = server[1]
    with ThreadPoolExecutor(1) as pool:
        busy = pool.submit(asyncio.run, burst(port, 1500, asking))
        took = []
        while not busy.done():
            took.append(httpx.get(f"http://{HOST}:{port}/healthz", timeout=10).elapsed.total_seconds())
        assert {status for status, _ in busy.result()} == {200, 503}
    assert took
    assert max(took) < 5


@pytest.mark.model
def test_clients_that_hang_up_leave_nothing_behind(server):
    process, port = server
    files = Path(f"/proc/{process.pid}/fd")
    before = len(list(files.iterdir()))
    for at in range(300):
        with saying(port, b"GET /ask?q=hours+%d HTTP/1.1\r\nHost: x\r\n\r\n" % at):
            pass
    deadline = time.monotonic() + 5
    while ask(port).status_code != 200 or len(list(files.iterdir())) > before + 3:
        assert time.monotonic() < deadline
