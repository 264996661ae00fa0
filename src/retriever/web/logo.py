"""An owner's logo: what its bytes say it is, whatever its name says, and how large it is to be drawn."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from retriever.errors import SettingsError

MOST_BYTES = 512 * 1024
"""A page should not wait for its logo."""
HEIGHT = 32
"""Pixels that it is drawn high, as CSS counts them."""
_WIDEST = 8  # times its height

CSP = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
"""What to send with it: a script in an SVG never runs, also where its address is opened by itself."""


@dataclass(frozen=True, slots=True)
class Logo:
    """A picture. `kind` is its file suffix, `width` the pixels that it is drawn wide."""

    kind: str
    media_type: str
    data: bytes
    width: int

    @property
    def square(self) -> bool:
        """Whether it will do as the icon of a tab."""
        return abs(self.width - HEIGHT) <= HEIGHT // 4


def read_logo(path: Path) -> Logo:
    """Return the logo in a file. Raises SettingsError if it is too large, or no SVG, PNG, WebP or JPEG."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SettingsError(f"logo {path} cannot be read: {error.strerror}") from error
    if len(data) > MOST_BYTES:
        raise SettingsError(
            f"logo {path} has {len(data):,} bytes; the most is {MOST_BYTES:,}", mend="Save it smaller, or as SVG."
        )
    for kind, media_type, size_of in _KINDS:
        size = size_of(data)
        if size is not None:
            return Logo(kind, media_type, data, _width(*size))
    raise SettingsError(f"logo {path} is no SVG, PNG, WebP or JPEG", mend="Its content counts, not its name.")


def _width(width: float, height: float) -> int:
    share = width / height if width > 0 and height > 0 else 1.0
    return max(1, round(HEIGHT * min(share, _WIDEST)))


_Size = tuple[float, float] | None

_BEFORE_SVG = re.compile(r"\ufeff?(?:\s|<\?xml[^>]*\?>|<!--.*?-->|<!DOCTYPE[^>\[]*>)*", re.DOTALL | re.IGNORECASE)
_SVG = re.compile(r"<svg\b[^>]*>")


def _svg(data: bytes) -> _Size:
    text = data.decode("utf-8", errors="replace")
    found = _SVG.match(text, _BEFORE_SVG.match(text).end())  # type: ignore[union-attr]  # it matches nothing, too
    if found is None or "http://www.w3.org/2000/svg" not in found[0]:
        return None
    box = re.search(r"""\bviewBox\s*=\s*["']\s*\S+[\s,]+\S+[\s,]+([\d.]+)[\s,]+([\d.]+)""", found[0])
    sides = [re.search(rf"""\s{side}\s*=\s*["']([\d.]+)(?:px)?["']""", found[0]) for side in ("width", "height")]
    if box:
        return float(box[1]), float(box[2])
    return (float(sides[0][1]), float(sides[1][1])) if sides[0] and sides[1] else (1, 1)


def _png(data: bytes) -> _Size:
    if not data.startswith(b"\x89PNG\r\n\x1a\n") or data[12:16] != b"IHDR":
        return None
    return int.from_bytes(data[16:20]), int.from_bytes(data[20:24])


def _webp(data: bytes) -> _Size:
    if data[:4] != b"RIFF" or data[8:12] != b"WEBP":
        return None
    if data[12:16] == b"VP8X":
        return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
    if data[12:16] == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    return int.from_bytes(data[26:28], "little") & 0x3FFF, int.from_bytes(data[28:30], "little") & 0x3FFF


# Frames hold the size; C4, C8 and CC are tables among their numbers.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def _jpeg(data: bytes) -> _Size:
    if not data.startswith(b"\xff\xd8\xff"):
        return None
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        if data[at + 1] in _FRAMES:
            return int.from_bytes(data[at + 7 : at + 9]), int.from_bytes(data[at + 5 : at + 7])
        at += 2 + int.from_bytes(data[at + 2 : at + 4])
    return 1, 1


_KINDS = (
    ("svg", "image/svg+xml", _svg),
    ("png", "image/png", _png),
    ("webp", "image/webp", _webp),
    ("jpg", "image/jpeg", _jpeg),
)
