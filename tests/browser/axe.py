"""axe-core, which knows what keeps people out of a page, run beside the page's own scripts and under its own policy."""

import json

from axe_playwright_python.base import AXE_SCRIPT

RUN = """axe.run(document, {resultTypes: ["violations"]}).then(({violations}) => JSON.stringify(violations.map(
    ({id, help, nodes}) => `${id}: ${help}: ${nodes.slice(0, 3).map(({target}) => target.flat().join(" ")).join(", ")}`
)))"""


class Axe:
    """axe in a world of its own: it sees the document, and the page neither sees nor forbids it."""

    def __init__(self, page):
        self._session = page.context.new_cdp_session(page)
        frame = self._session.send("Page.getFrameTree")["frameTree"]["frame"]["id"]
        world = self._session.send("Page.createIsolatedWorld", {"frameId": frame, "worldName": "axe"})
        self._world = world["executionContextId"]
        self._evaluate(AXE_SCRIPT)

    def findings(self):
        """Return what axe holds against the page as it is now."""
        return json.loads(self._evaluate(RUN)["value"])

    def _evaluate(self, expression):
        options = {"contextId": self._world, "awaitPromise": True, "returnByValue": True}
        done = self._session.send("Runtime.evaluate", {"expression": expression, **options})
        assert "exceptionDetails" not in done, done
        return done["result"]
