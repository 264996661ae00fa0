"""Another site: a server of pages that a test writes, at an origin of its own."""

import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PAUSE_S = 0.1  # several times what Chromium takes to paint


def markup(site, attributes="", more=""):
    """A page of another site that holds the search box."""
    return (
        f'<!doctype html><html lang="en"><title>Shop</title><h1>Help</h1>'
        f'<script type="module" src="{site}/faq-search.js"></script>'
        f'<faq-search src="{site}" {attributes}><a href="{site}">Search our FAQ</a></faq-search>{more}</html>'
    )


class Host:
    """A site. `pages` are by path: what is written into them is served, with the headers beside it."""

    def __init__(self, port):
        self.address = f"http://127.0.0.1:{port}"
        self.pages = {}

    def write(self, html, path="/", **headers):
        """Put a page at a path, `content_security_policy="..."` and the like with it; return its address.

        A list of parts of a page is sent with a pause after each, as over a slow line.
        """
        self.pages[path] = (html, {name.replace("_", "-"): value for name, value in headers.items()})
        return self.address + path


@contextmanager
def hosting():
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.host = Host(server.server_port)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield server.host
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        html, headers = self.server.host.pages.get(self.path.partition("?")[0], ("", {}))
        parts = [part.encode() for part in ([html] if isinstance(html, str) else html)]
        self.send_response(200 if any(parts) else 204)  # browsers ask for an icon by themselves
        for name, value in {"Content-Type": "text/html; charset=utf-8", **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(sum(map(len, parts))))
        self.end_headers()
        for number, part in enumerate(parts):
            time.sleep(PAUSE_S if number else 0)
            self.wfile.write(part)

    def log_message(self, *_):
        """Say nothing."""
