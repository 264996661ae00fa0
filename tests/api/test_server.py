"""The real server, the real model, and clients that are slow, rude or in the middle of something."""

import signal
import socket
import time

import httpx
import pytest

from .conftest import HOST, serving

pytestmark = pytest.mark.model

BODY = b'{"question": "When do you open?"}'
HEAD = b"POST /ask HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(BODY)


@pytest.fixture(scope="module")
def port(real_index):
    with serving(real_index) as (_, port):
        yield port


def connect(port):
    connection = socket.create_connection((HOST, port), timeout=15)
    connection.settimeout(15)
    return connection


def read_all(connection) -> bytes:
    """Return what the server says until it closes; a reset is a close too."""
    said = b""
    try:
        while part := connection.recv(65536):
            said += part
    except ConnectionResetError:
        pass
    return said


def read_head(connection) -> bytes:
    said = b""
    while b"\r\n\r\n" not in said and (part := connection.recv(65536)):
        said += part
    return said


def test_the_served_model_answers(port):
    answer = httpx.get(f"http://{HOST}:{port}/ask", params={"q": "what are your opening hours"}, timeout=30).json()
    assert answer["hits"][0]["answer"]["text"] == "At nine."


def test_a_reply_is_sent_at_once_on_a_kept_connection(port):
    with httpx.Client() as client:
        took = [client.get(f"http://{HOST}:{port}/info").elapsed.total_seconds() for _ in range(20)]
    assert min(took) < 0.03  # where the parts of a reply wait for each other, none takes less than 40 ms


def test_no_header_names_the_server(port):
    assert "server" not in httpx.get(f"http://{HOST}:{port}/healthz").headers


def test_half_a_body_is_told_off_in_time_while_others_are_served(port):
    with connect(port) as slow:
        began = time.monotonic()
        slow.sendall(HEAD + BODY[:10])
        for _ in range(5):
            reply = httpx.post(f"http://{HOST}:{port}/ask", json={"question": "When do you open?"}, timeout=5)
            assert reply.status_code == 200
        said = read_all(slow)
    assert said.startswith(b"HTTP/1.1 408 ")
    assert 4 < time.monotonic() - began < 8


def test_a_body_that_trickles_is_told_off_all_the_same(port):
    with connect(port) as slow:
        slow.sendall(HEAD)
        began = time.monotonic()
        slow.settimeout(0.5)
        said = b""
        for at in range(20):
            slow.sendall(BODY[at : at + 1])
            try:
                said = slow.recv(4096)
                break
            except TimeoutError:
                continue
    assert said.startswith(b"HTTP/1.1 408 ")
    assert time.monotonic() - began < 8


# Each is sent as it stands; after some the client then falls silent, so it also says that it is done.
ASK = b"POST /ask HTTP/1.1\r\nHost: x\r\n"
JSON = b"Content-Type: application/json\r\n"
CHUNKED = ASK + JSON + b"Transfer-Encoding: chunked\r\n\r\n"
MALFORMED = [
    b"",
    b"\r\n\r\n",
    b"\x00" * 100,
    b"\xff" * 100,
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # the beginning of TLS
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"GET\r\n\r\n",
    b"GET /\r\n\r\n",
    b"GET / HTTP/9.9\r\n\r\n",
    b"GET / HTTP/1.1\r\n\r\n",  # no Host
    b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
    b"GET  /  HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET / HTTP/1.1\nHost: x\n\n",
    b"GET / HTTP/1.1\r\nHost x\r\n\r\n",
    b"GET / HTTP/1.1\r\n Host: x\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nA\x00B: c\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nA: b\x00c\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\n: c\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"b" * 1_000_000 + b"\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 10_000 + b"\r\n",
    b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /?q=\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /%00 HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /\x00 HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET //// HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET * HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET http://[ HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET http://elsewhere/ask?q=a HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /static/../../../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /static/%2e%2e%2f%2e%2e%2fetc/passwd HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: \xff\r\n\r\n",
    b"GET /static HTTP/1.1\r\nHost: [\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: AAA\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n",
    b"GET /static/page.js HTTP/1.1\r\nHost: x\r\nRange: bytes=9-1,-,x-y\r\n\r\n",
    b"GET /static/page.js HTTP/1.1\r\nHost: x\r\nIf-Modified-Since: never\r\n\r\n",
    b"CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n",
    b"TRACE / HTTP/1.1\r\nHost: x\r\n\r\n",
    "GÉT / HTTP/1.1\r\nHost: x\r\n\r\n".encode(),
    ASK + JSON + b"Content-Length: -1\r\n\r\n{}",
    ASK + JSON + b"Content-Length: 1e3\r\n\r\n{}",
    ASK + JSON + b"Content-Length: 99999999999999999999999999\r\n\r\n{}",
    ASK + JSON + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    ASK + JSON + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ASK + JSON + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    ASK + JSON + b"Content-Length: 200000000\r\n\r\n" + b"x" * 100_000,
    ASK + b"Content-Type: \xff\xff\r\nContent-Length: 2\r\n\r\n{}",
    CHUNKED + b"zz\r\n{}\r\n0\r\n\r\n",
    CHUNKED + b"-1\r\n{}\r\n0\r\n\r\n",
    CHUNKED + b"ffffffffffffffffffff\r\n{}",
    CHUNKED + b"2;" + b"x" * 100_000 + b"\r\n{}\r\n0\r\n\r\n",
    CHUNKED + b"2\r\n{}\r\n0\r\nContent-Length: 9\r\n\r\n",
    CHUNKED + (b"1\r\nx\r\n" * 80_000) + b"0\r\n\r\n",
]


def say(port, raw: bytes) -> bytes:
    with connect(port) as connection:
        try:
            connection.sendall(raw)
            connection.shutdown(socket.SHUT_WR)
        except OSError:  # the server has hung up already, which is its right
            pass
        return read_all(connection)


def test_a_malformed_request_is_never_our_fault(port):
    replies = [say(port, raw) for raw in MALFORMED]
    assert len(replies) >= 50
    ours = [(raw[:80], reply[:200]) for raw, reply in zip(MALFORMED, replies, strict=True) if b"HTTP/1.1 5" in reply]
    assert ours == []


def test_a_malformed_request_reads_nothing_outside(port):
    assert not any(b"root:" in say(port, raw) for raw in MALFORMED if b"passwd" in raw)


def test_after_all_that_the_server_answers(port):
    for raw in MALFORMED[:20]:
        say(port, raw)
    assert httpx.get(f"http://{HOST}:{port}/ask", params={"q": "When do you open?"}, timeout=30).status_code == 200


def test_told_to_stop_the_server_answers_what_is_under_way_and_leaves(real_index):
    with (
        serving(real_index) as (server, port),
        connect(port) as under_way,
        connect(port) as stuck,
        connect(port) as idle,
    ):
        idle.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert read_head(idle).startswith(b"HTTP/1.1 200 ")  # and is kept alive
        stuck.sendall(HEAD + BODY[:10])
        under_way.sendall(HEAD + BODY[:-1])
        time.sleep(0.2)  # both must have arrived
        server.send_signal(signal.SIGTERM)
        began = time.monotonic()
        time.sleep(0.2)
        under_way.sendall(BODY[-1:])
        assert read_all(under_way).startswith(b"HTTP/1.1 200 ")
        assert server.wait(10) in {0, -signal.SIGTERM}  # by itself, or of the signal once all was done
        assert time.monotonic() - began < 10
