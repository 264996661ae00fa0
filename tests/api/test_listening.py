"""Workers share a socket: a connection goes to the one that has the fewest, and nobody waits for one that hangs."""

import copy
import gc
import os
import socket

import pytest

from retriever.api.board import Board
from retriever.api.listening import Listening

from .conftest import HOST, wait_for

FOR_EVER = 60.0


def two(board):
    """Return the board as each of two workers has it: they share what they say, not who they are."""
    other = copy.copy(board)
    other.take(1)
    return board, other


@pytest.fixture
def share():
    """Return a function that makes the sockets of two workers, both listening, and their boards."""
    opened = []

    def share_(patience=FOR_EVER):
        bound = socket.create_server((HOST, 0), backlog=64)
        boards = two(Board(2))
        listening = [Listening(bound.dup(), board, patience=patience) for board in boards]
        bound.close()
        for one in listening:
            one.setblocking(False)
            one.listen(1)  # as asyncio does
        opened.extend(listening)
        return (*listening, *boards)

    yield share_
    for one in opened:
        one.close()


@pytest.fixture
def connect():
    """Return a function that opens so many connections to a socket."""
    clients = []

    def connect_(to, count=1):
        clients.extend(socket.create_connection(to.getsockname(), timeout=5) for _ in range(count))

    yield connect_
    for client in clients:
        client.close()


def take(listening):
    """Return what a worker takes if it looks once."""
    try:
        return listening.accept()[0]
    except BlockingIOError:
        return None


# --- whose a connection is ----------------------------------------------------------------------------------------


def test_however_often_one_looks_both_get_as_many(share, connect):
    a, b, *_ = share()
    connect(a, 16)  # more than asyncio lets wait: the queue is as long as it was
    of_a, of_b = [], []
    for _ in range(8):
        of_a += [taken for _ in range(5) if (taken := take(a))]
        of_b += [taken for _ in range(5) if (taken := take(b))]
    assert (len(of_a), len(of_b)) == (8, 8)
    for taken in of_a + of_b:
        taken.close()


def test_who_has_closed_some_is_the_next(share, connect):
    a, b, *_ = share()
    connect(a, 7)
    of_a, of_b = [], []
    for _ in range(3):
        of_a.append(take(a))
        of_b.append(take(b))
    of_a.pop().close()
    assert take(b) is None
    of_a.append(take(a))
    assert all(of_a + of_b)
    for taken in of_a + of_b:
        taken.close()


def test_where_nobody_waits_nothing_is_taken(share):
    a, b, *_ = share()
    assert take(a) is None
    assert take(b) is None


def test_one_that_does_not_look_is_waited_for_once_until_it_looks_again(share, connect):
    a, b, *_ = share(patience=0.005)
    connect(a, 6)
    taken = [take(b)]
    assert take(b) is None
    wait_for(lambda: taken.append(take(b)) or taken[-1])
    taken += [take(b), take(b)]  # at once
    taken.append(take(a))
    assert take(b) is None
    wait_for(lambda: taken.append(take(b)) or taken[-1])
    for one in filter(None, taken):
        one.close()


@pytest.mark.parametrize("leave", [lambda a, _: a.close(), lambda _, parent: parent.clear(0)], ids=["closed", "dead"])
def test_one_that_takes_no_connections_is_not_waited_for(share, connect, leave):
    a, b, _, parent = share()
    connect(b, 2)
    first = take(b)
    assert take(b) is None
    leave(a, parent)
    second = take(b)
    assert second is not None
    first.close()
    second.close()


def test_one_that_has_not_begun_is_not_waited_for(connect):
    alone = Listening(socket.create_server((HOST, 0)), Board(2), patience=FOR_EVER)
    alone.listen()
    connect(alone, 3)
    for _ in range(3):
        alone.accept()[0].close()
    alone.close()


def test_a_connection_says_that_it_is_tcp(share, connect):
    a, *_ = share()
    connect(a)
    taken = take(a)
    assert taken.proto == socket.IPPROTO_TCP  # else asyncio would not send at once
    assert not taken.get_inheritable()
    taken.close()


# --- what is counted ----------------------------------------------------------------------------------------------


def close_twice(taken):
    taken.close()
    taken.close()


def detach(taken):
    os.close(taken.detach())
    taken.close()


def drop(_taken):
    """Forget it, as asyncio does where a connection cannot be made use of."""


@pytest.mark.parametrize("end", [close_twice, detach, drop])
def test_a_connection_is_counted_until_it_ends_and_once(share, connect, end):
    a, _, _, other = share()
    other.connections(1)
    connect(a)
    taken = take(a)
    descriptor = taken.fileno()
    assert other.emptier() == []  # one each
    end(taken)
    del taken
    gc.collect()
    assert [number for number, _ in other.emptier()] == [0]
    other.connections(-1)
    assert other.emptier() == []  # none each
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


def test_a_worker_with_much_to_do_leaves_nothing_to_others(share, connect):
    a, b, board, _ = share()
    connect(a, 3)
    taken = [take(a)]
    assert take(a) is None  # it is for the other, which has none
    board.asking(+17)
    taken.append(take(a))
    board.asking(-1)
    assert take(a) is None
    taken.append(take(b))
    assert None not in taken
    for one in taken:
        one.close()


# --- questions ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("cores", "most"), [(1, 0), (2, 1), (3, 1), (8, 4)])
def test_cores_are_to_spare_while_each_question_could_have_two(cores, most):
    a, b = two(Board(2))
    assert (a.asked, b.asked) == (0, 0)
    for under_way in range(6):
        assert a.spare(cores) == b.spare(cores) == (under_way <= most)
        (a, b)[under_way % 2].asking(+1)
    assert (a.asked, b.asked) == (3, 3)
    a.asking(-3)
    b.asking(-3)
    assert b.spare(2)


def test_what_a_dead_worker_asked_does_not_count():
    a, b = two(Board(2))
    a.asking(+2)
    assert not b.spare(2)
    b.clear(0)
    assert b.spare(2)


def test_a_single_worker_has_a_board_too():
    board = Board()
    board.listening(True)
    board.connections(+1)
    assert board.emptier() == []
    board.asking(+2)
    assert board.asked == 2
