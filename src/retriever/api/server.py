"""Run the application under uvicorn."""

from __future__ import annotations

import logging
import socket
import sys

import uvicorn

from retriever.api.app import create_app
from retriever.errors import RetrieverError
from retriever.settings import Settings
from retriever.snapshot import read_manifest
from retriever.wiring import watched_index

# Long enough for an answer under way, short enough that a stop is a stop.
_GRACE_SECONDS = 5


class _Server(uvicorn.Server):
    """Says where it serves once it does."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for server in self.servers if self.started else ():
            host, port = server.sockets[0].getsockname()[:2]
            sys.stdout.write(f"Serving on http://{f'[{host}]' if ':' in host else host}:{port}\n")
            sys.stdout.flush()


def run_server(settings: Settings) -> None:
    """Serve until told to stop. Raises NoSnapshot at once where there is no index."""
    read_manifest(settings.index)
    listening = _listen(settings.host, settings.port)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    open_next, wanted = watched_index(settings)
    app = create_app(open_next, wanted=wanted, title=settings.title, k=settings.k, max_body=settings.max_body)
    server = _Server(
        uvicorn.Config(
            app,
            host=settings.host,
            port=settings.port,
            log_level="warning",
            access_log=False,  # an address holds the question asked, which is the asker's
            server_header=False,
            timeout_graceful_shutdown=_GRACE_SECONDS,
        )
    )
    server.run([listening])


def _listen(host: str, port: int) -> socket.socket:
    """Return a socket on `host` and `port`: bound by us, since uvicorn would leave with an exit code of its own."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise RetrieverError(
            f"cannot serve on {host}:{port}: {error.strerror}", mend="Try another --host or --port."
        ) from error
