"""Take the README's screenshot of the search page: builds corpus/ aside, serves it, and looks with Chromium."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parent.parent
QUESTION = "can I run it on my laptop without a graphics card?"


def main() -> None:
    """Write docs/search.png."""
    with tempfile.TemporaryDirectory() as index:
        build = [sys.executable, "-m", "retriever", "build", "--corpus", str(ROOT / "corpus"), "--index", index]
        subprocess.run(build, check=True)
        serve = [sys.executable, "-m", "retriever", "serve", "--index", index, "--port", "0"]
        with subprocess.Popen(serve, stdout=subprocess.PIPE, text=True) as server:
            try:
                assert server.stdout is not None
                _take(server.stdout.readline().split()[-1])
            finally:
                server.terminate()


def _take(address: str) -> None:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-background-networking"]
        )
        page = chromium.new_page(viewport={"width": 1000, "height": 720}, device_scale_factor=2)
        page.goto(address)
        page.locator("input[name=q]").fill(QUESTION)
        page.wait_for_selector("mark")
        page.screenshot(path=ROOT / "docs" / "search.png")
        chromium.close()


if __name__ == "__main__":
    main()
