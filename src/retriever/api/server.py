"""Run the application under uvicorn, in one process or several."""

from __future__ import annotations

import logging
import os
import resource
import socket
import sys
from functools import partial

import uvicorn

from retriever.api.admin import Admin
from retriever.api.app import create_app
from retriever.api.board import Board
from retriever.api.connection import Connection
from retriever.api.listening import Listening
from retriever.api.workers import Workers
from retriever.errors import FeedbackError, RetrieverError
from retriever.feedback import Feedback
from retriever.rebuild import look, start_job
from retriever.settings import Settings
from retriever.snapshot import SharedFiles, read_manifest
from retriever.types import Encoder
from retriever.web.site import Site, load_site
from retriever.wiring import encoder_to_share, feedback_of, watched_index

_LOG = logging.getLogger(__name__)

# Long enough for an answer under way, short enough that a stop is a stop.
_GRACE_SECONDS = 5
# A worker that takes longer than this to stop, grace included, hangs.
_STOP_SECONDS = _GRACE_SECONDS + 3
# One of several workers takes no request before its index is open, since another may be ready: not for ever, though, so
# that health is told.
_PATIENCE_SECONDS = 10
_BACKLOG = 2048
# More would answer more, but each takes 40 MB and its share of the cores: who has them to spare can say so.
_MOST_WORKERS = 4
# Wrong tokens that an address may send in a minute, to whichever worker.
_MOST_FAILURES = 10
# Python runs one thread at a time; a second one works while the first is inside the encoder or FAISS. With more, the
# event loop waits for its turn.
_MOST_THREADS = 2
_MOST_FILES = 65_536


class _Server(uvicorn.Server):
    """Says where it serves once it does, if it is to."""

    def __init__(self, config: uvicorn.Config, *, announce: bool) -> None:
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for server in self.servers if self.started and self._announce else ():
            host, port = server.sockets[0].getsockname()[:2]
            sys.stdout.write(f"Serving on http://{f'[{host}]' if ':' in host else host}:{port}\n")
            sys.stdout.flush()


def run_server(settings: Settings) -> None:
    """Serve until told to stop. Raises NoSnapshot at once where there is no index."""
    read_manifest(settings.index)
    site = _site_of(settings)
    cores, count = _cores(), _workers(settings)
    board = Board(count)
    listening = Listening(_bind(settings.host, settings.port), board)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    logging.getLogger("faiss.loader").setLevel(logging.WARNING)  # it tells of each way that it tries to load itself
    _allow_files()
    # One question takes one thread, and no more are answered at once than there are cores.
    threads = min(max(cores // count, 1), _MOST_THREADS)

    # One thread for a question: an encoder that has no others can be forked.
    encoder = encoder_to_share(settings) if count > 1 else None
    shared = SharedFiles() if count > 1 else None
    config = _config(settings, site, threads, 0 if count == 1 else _PATIENCE_SECONDS, encoder, shared, board)

    def serve(number: int, first: bool) -> None:
        board.take(number)
        _Server(config, announce=first).run([listening])

    if count == 1:
        serve(0, first=True)
    else:
        Workers(serve, count, grace=_STOP_SECONDS, died=board.clear).run()


def _config(
    settings: Settings,
    site: Site,
    threads: int,
    patience: float,
    encoder: Encoder | None,
    shared: SharedFiles | None,
    board: Board,
) -> uvicorn.Config:
    """Return the application and how it is to be run, all loaded: what is made before a fork is there once for all."""
    open_next, wanted = watched_index(settings, encoder, shared, partial(board.spare, _cores()))
    app = create_app(
        open_next,
        wanted=wanted,
        site=site,
        k=settings.k,
        max_body=settings.max_body,
        queue=settings.queue,
        threads=threads,
        origins=settings.origins,
        patience=patience,
        feedback=_usable(feedback_of(settings)),
        log_questions=settings.log_questions,
        admin=_admin(settings),
        board=board,
    )
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        http=Connection,
        ws="none",
        # How many connections a worker takes before the others have a chance: one, so that each gets its share.
        backlog=1,
        log_level="warning",
        access_log=False,  # an address holds the question asked, which is the asker's
        server_header=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    config.load()
    return config


def _site_of(settings: Settings) -> Site:
    return load_site(
        title=settings.title,
        language=settings.language,
        texts=settings.texts,
        logo=settings.logo,
        accent=settings.accent,
        public_url=settings.public_url,
        indexed=settings.robots == "index",
    )


def _workers(settings: Settings) -> int:
    return settings.workers or min(_cores(), _MOST_WORKERS)


def _cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _admin(settings: Settings) -> Admin | None:
    if not settings.admin_token:
        return None
    return Admin(
        settings.admin_token,
        start=lambda force: start_job(settings, force=force),
        look=lambda: look(settings.index),
        failures=max(_MOST_FAILURES // _workers(settings), 1),
    )


def _usable(feedback: Feedback | None) -> Feedback | None:
    """Return it if something can be kept; a page must offer no button that fails."""
    try:
        if feedback is not None:
            feedback.check()
    except FeedbackError as error:
        _LOG.error("no feedback is kept: %s", error)
        return None
    return feedback


def _allow_files() -> None:
    """Have as many connections open as the system lets us: the usual 1,024 are soon taken by idle ones."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, _MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _bind(host: str, port: int) -> socket.socket:
    """Return a socket on `host` and `port`: bound by us, since uvicorn would leave with an exit code of its own."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise RetrieverError(
            f"cannot serve on {host}:{port}: {error.strerror}", mend="Try another --host or --port."
        ) from error
