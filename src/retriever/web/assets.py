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


@dataclass(frozen=True, slots=True)
class Asset:
    """A file that is served under /static, with the policy that it is sent with."""

    name: str
    media_type: str
    data: bytes
    csp: str = CSP

    @property
    def tag(self) -> str:
        """Return an entity tag, as HTTP has them."""
        return f'"{fingerprint(self.data)}"'

    @property
    def url(self) -> str:
        """Return its address, which changes with its content so that it can be cached for ever."""
        return f"/static/{self.name}?v={fingerprint(self.data)}"


_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}

OWN = {path.name: Asset(path.name, _TYPES[path.suffix], path.read_bytes()) for path in sorted(STATIC.iterdir())}
"""The page's own files, by name."""

_URLS = {name: asset.url for name, asset in OWN.items()}


def static_url(name: str) -> str:
    """Return the address of one of the page's own files."""
    return _URLS[name]
