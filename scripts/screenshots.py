"""Take a picture of every state of the page: builds corpus/ aside, serves it, and looks with Chromium.

Writes docs/screens/, docs/screens.md, which shows them, and docs/search.png, which the README shows.
"""

import base64
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote

from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
SCREENS = DOCS / "screens"
EXAMPLE = ROOT / "examples" / "embed.html"
EXAMPLE_ASKS = "http://127.0.0.1:8000"
QUESTION = "can I run it on my laptop without a graphics card?"
LACKING = "how do I rebuild the index on Kubernetes?"
MISSPELT = "how do I install the retreiver?"
FOREIGN = "what is the boiling point of mercury on a mountain?"
WIDTHS = (360, 768, 1280)
MOST_HEIGHT = 1500  # of a picture, in CSS pixels
QUALITY = 62  # of WebP, 0 to 100: letters are still sharp


def _as_it_is(_page: Page) -> None:
    """Look at the page as it opens."""


def _suggesting(page: Page) -> None:
    box = page.get_by_role("combobox").first
    box.press_sequentially("how do I ins", delay=20)
    page.get_by_role("option").first.wait_for()
    box.press("ArrowDown")


def _opened(page: Page) -> None:
    for closed in (".why", ".rows > li > details"):
        page.locator(f"{closed} > summary").first.click()


def _first_entry(page: Page) -> None:
    page.goto(
        page.url.partition("/browse")[0] + str(page.locator("main a[href^='/entry/']").first.get_attribute("href"))
    )


def _offline(page: Page) -> None:
    page.context.set_offline(True)
    page.locator("input[name=q]").fill(QUESTION)
    page.locator("[data-state=error]").wait_for()


def _waiting(page: Page) -> None:
    conditions = {"offline": False, "latency": 60_000, "downloadThroughput": -1, "uploadThroughput": -1}
    page.context.new_cdp_session(page).send("Network.emulateNetworkConditions", conditions)
    page.locator("input[name=q]").fill(QUESTION)
    page.locator("#results[aria-busy=true]").wait_for()


def _asked(question: str) -> Callable[[Page], None]:
    def ask(page: Page) -> None:
        page.get_by_role("combobox").first.fill(question)
        page.keyboard.press("Enter")
        page.locator('faq-search [aria-busy="false"] .panel').first.wait_for()

    return ask


@dataclass(frozen=True, slots=True)
class State:
    """A state to look at: what it is, where, what is done there first, and whether it is taken in the dark as well."""

    name: str
    caption: str
    path: str
    do: Callable[[Page], None] = _as_it_is
    dark: bool = False


def _ask(question: str, more: str = "") -> str:
    return f"/?q={quote(question)}{more}"


HOST = "host"
STATES = (
    State("start", "The start page", "/", dark=True),
    State("suggesting", "Suggestions while one types", "/", _suggesting, dark=True),
    State("answered", "An answer, with its sentence marked", _ask(QUESTION), dark=True),
    State("waiting", "While an answer is awaited", _ask(LACKING), _waiting),
    State("opened", "Why this answer, and another hit opened", _ask(QUESTION), _opened),
    State("lacking", "An answer that lacks a word of the question", _ask(LACKING)),
    State("misspelt", "A misspelt question", _ask(MISSPELT)),
    State("filtered", "Only what has a tag", _ask(QUESTION, "&tag=retriever")),
    State("nearest", "No good answer: what is missing, and what is near", _ask(FOREIGN), dark=True),
    State("nothing", "No good answer, and nothing near", _ask(QUESTION, "&tag=unheard")),
    State("browse", "All questions, by category", "/browse"),
    State("category", "One category", "/browse/First%20steps"),
    State("entry", "One question and its answer", "/browse/First%20steps", _first_entry),
    State("absent", "A question that there is not", "/entry/nothing"),
    State("error", "A question that is too long", _ask("why " * 300)),
    State("offline", "The server out of reach", "/", _offline),
    State("embedded", "The search box on another site", HOST, _asked(QUESTION), dark=True),
    State("embedded-nearest", "The search box without a good answer", HOST, _asked(FOREIGN)),
    State("embedded-suggesting", "The search box while one types", HOST, _suggesting),
)


def main() -> None:
    """Write the pictures, and the page that shows them."""
    SCREENS.mkdir(exist_ok=True)
    for old in SCREENS.iterdir():
        old.unlink()
    with tempfile.TemporaryDirectory() as index, _hosting() as host, _serving(Path(index), host.address) as address:
        host.html = EXAMPLE.read_text(encoding="utf-8").replace(EXAMPLE_ASKS, address)
        with sync_playwright() as playwright:
            chromium = playwright.chromium.launch(
                executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-background-networking"]
            )
            for state in STATES:
                _take(chromium, state, host.address if state.path == HOST else address + state.path)
            _take_for_readme(chromium, address)
            chromium.close()
    (DOCS / "screens.md").write_text(_document(), encoding="utf-8")


def _take(chromium: Browser, state: State, address: str) -> None:
    for width in WIDTHS:
        for scheme in ("light", "dark") if state.dark else ("light",):
            context = chromium.new_context(
                viewport={"width": width, "height": 800},
                color_scheme="dark" if scheme == "dark" else "light",
                device_scale_factor=2 if width < 500 else 1,
                reduced_motion="reduce",
            )
            page = context.new_page()
            page.goto(address)
            state.do(page)
            page.wait_for_timeout(300)
            _shoot(page, width, SCREENS / _file_name(state, width, scheme))
            context.close()


def _shoot(page: Page, width: int, file: Path) -> None:
    """Write what the page shows as WebP, which Playwright does not offer."""
    height = min(page.evaluate("document.documentElement.scrollHeight"), MOST_HEIGHT)
    clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
    options = {"format": "webp", "quality": QUALITY, "captureBeyondViewport": True, "clip": clip}
    taken = page.context.new_cdp_session(page).send("Page.captureScreenshot", options)
    file.write_bytes(base64.b64decode(taken["data"]))


def _take_for_readme(chromium: Browser, address: str) -> None:
    page = chromium.new_page(viewport={"width": 1000, "height": 720}, device_scale_factor=2)
    page.goto(address + _ask(QUESTION))
    page.screenshot(path=DOCS / "search.png")


def _file_name(state: State, width: int, scheme: str) -> str:
    return f"{state.name}-{width}{'-dark' if scheme == 'dark' else ''}.webp"


def _pictures(state: State, scheme: str) -> str:
    names = {width: _file_name(state, width, scheme) for width in WIDTHS}
    return "\n".join(f"![{state.caption}, {width} wide, {scheme}](screens/{name})" for width, name in names.items())


def _document() -> str:
    parts = [
        "# Every state of the page",
        "`make docs` takes these pictures, each at 360, 768 and 1280 pixels.",
    ]
    for state in STATES:
        shown = [_pictures(state, scheme) for scheme in (("light", "dark") if state.dark else ("light",))]
        parts += [f"## {state.caption}", *shown]
    return "\n\n".join(parts) + "\n"


@contextmanager
def _serving(index: Path, origin: str) -> Iterator[str]:
    """Yield the address of a server of corpus/ that pages of `origin` may ask."""
    retriever = [sys.executable, "-m", "retriever"]
    subprocess.run([*retriever, "build", "--corpus", str(ROOT / "corpus"), "--index", str(index)], check=True)
    serve = [*retriever, "serve", "--index", str(index), "--port", "0", "--origins", origin]
    with subprocess.Popen(serve, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            yield server.stdout.readline().split()[-1]
        finally:
            server.terminate()


class _Host(ThreadingHTTPServer):
    """Another site, of one page."""

    html = ""

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: _Host

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write(self.server.html.encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def _hosting() -> Iterator[_Host]:
    server = _Host(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


if __name__ == "__main__":
    main()
