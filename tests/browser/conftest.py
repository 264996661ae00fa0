"""The real product, built and served from `corpus/`, and a real Chromium to look at it with."""

import os
import shutil
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import sync_playwright

from browser.hosts import hosting, markup

CORPUS = Path(__file__).parents[2] / "corpus"
READY_S = 60  # loading the encoder takes most of it, on a cold disk
ARGUMENTS = [
    "--no-sandbox",  # tests may run as root, and see only this machine
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def site(tmp_path_factory, serve_corpus, shop):
    """The address of a server that serves this repository's own FAQ, and lets the shop's pages ask."""
    with serve_corpus(tmp_path_factory.mktemp("site"), CORPUS, "--origins", shop.address) as address:
        yield address


@pytest.fixture(scope="session")
def shop():
    """Another site, whose pages a test writes."""
    with hosting() as host:
        yield host


@pytest.fixture(scope="session")
def serve_corpus():
    """Return a context manager that builds a corpus and serves it, in a folder of its own, at the address it gives."""
    return built_and_served


@contextmanager
def built_and_served(home, corpus, *options):
    index = home / "index"
    retriever(home, "build", "--corpus", corpus, "--index", index)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with served(home, index, port, *options) as address:
        yield address


def retriever(home, *arguments):
    done = subprocess.run(command(*arguments), cwd=home, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def command(*arguments):
    return [sys.executable, "-m", "retriever", *map(str, arguments)]


@contextmanager
def served(home, index, port, *options):
    address, log = f"http://127.0.0.1:{port}", home / "serve.log"
    serve = command("serve", "--index", index, "--host", "127.0.0.1", "--port", port, *options)
    with log.open("wb") as out, subprocess.Popen(serve, cwd=home, stdout=out, stderr=out) as server:
        try:
            wait_until_ready(address, server, log)
            yield address
        finally:
            server.terminate()


def wait_until_ready(address, server, log):
    deadline = time.monotonic() + READY_S
    while server.poll() is None and time.monotonic() < deadline:
        try:
            if httpx.get(f"{address}/readyz", timeout=2).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    pytest.fail(f"the server did not become ready:\n{log.read_text(errors='replace')}")


@pytest.fixture(scope="session")
def chromium():
    path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if not path:
        pytest.fail("no Chromium: run `make chromium`, or set CHROMIUM to the path of one")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def faults():
    """What pages opened in this test complained of: console errors, broken policies, exceptions, dialogs."""
    return []


@pytest.fixture
def open_page(chromium, site, faults):
    """Return a function that opens a path of a site in a window of its own; no page may complain of anything."""
    contexts = []

    def open_(path="/", site=site, **options):
        context = chromium.new_context(base_url=site, **{"viewport": {"width": 1100, "height": 800}, **options})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("console", lambda said: faults.append(said.text) if said.type in {"error", "warning"} else None)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("dialog", lambda dialog: (faults.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on("request", lambda asked: None if asked.url.startswith(site) else faults.append(f"asked {asked.url}"))
        page.goto(path)
        return page

    yield open_
    for context in contexts:
        context.close()
    assert faults == []


@pytest.fixture
def open_host(chromium, site, shop, faults):
    """Return a function that opens a page of another site; no page may complain, nor ask anybody but the two."""
    contexts = []

    def open_(attributes="", *, more="", host=shop, also=site, script="", headers=None, html=None, **options):
        context = chromium.new_context(**{"viewport": {"width": 700, "height": 800}, **options})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("console", lambda said: faults.append(said.text) if said.type in {"error", "warning"} else None)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("dialog", lambda dialog: (faults.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        allowed = (site, host.address, also)
        page.on("request", lambda asked: None if asked.url.startswith(allowed) else faults.append(f"asked {asked.url}"))
        if script:
            page.add_init_script(script)
        page.goto(host.write(html or markup(site, attributes, more), **(headers or {})))
        return page

    yield open_
    for context in contexts:
        context.close()
    assert faults == []
