"""The page's own files, the addresses that change with their content, and the policy that they are sent with."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

HERE = Path(__file__).parent
STATIC = HERE / "static"

CSP = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        # The script never turns a string into HTML, so nothing on the page may.
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
"""The Content-Security-Policy to send with the page, the results and the static files."""


def fingerprint(data: bytes) -> str:
    """Return a few digits that change with `data`."""
    return sha256(data).hexdigest()[:8]


_FINGERPRINTS = {path.name: fingerprint(path.read_bytes()) for path in sorted(STATIC.iterdir())}


def static_url(name: str) -> str:
    """Return the address of a static file, which changes with its content so that it can be cached for ever."""
    return f"/static/{name}?v={_FINGERPRINTS[name]}"


@dataclass(frozen=True, slots=True)
class Asset:
    """A file of the owner's, served under /static, with the policy that it is sent with."""

    name: str
    media_type: str
    data: bytes
    csp: str = CSP

    @property
    def url(self) -> str:
        """Return its address, which changes with its content."""
        return f"/static/{self.name}?v={fingerprint(self.data)}"
