"""An owner's accent colour as a small stylesheet, in shades that can be read on the page's own grounds.

The hue stays; the lightness moves, in OKLCH, until links and buttons have the contrast that WCAG 2 asks for.
"""

from __future__ import annotations

import re
from math import atan2, cos, hypot, sin

from retriever.web.assets import STATIC

LEAST = 4.5
"""The contrast that text must have: WCAG 2, level AA."""
_SPARE = 0.05  # for what a browser rounds
_TINT = 0.15  # --tint and --chosen of page.css: at most so much accent lies below text
_HOVER = 0.12  # so much ink is mixed into a button under the pointer
_STEP = 0.004

RGB = tuple[float, float, float]
"""Red, green and blue, 0 to 1, as they are written: sRGB."""


def theme_css(accent: str) -> str:
    """Return the stylesheet that makes `accent`, such as `#0b6bcb`, the colour of the page, light and dark."""
    light, dark = shades(accent)
    return (
        f":root {{ --accent: {light[0]}; --on-accent: {light[1]}; }}\n"
        f"@media (prefers-color-scheme: dark) {{ :root {{ --accent: {dark[0]}; --on-accent: {dark[1]}; }} }}\n"
    )


def shades(accent: str) -> tuple[tuple[str, str], tuple[str, str]]:
    """Return accent and the colour upon it, for the light scheme and for the dark one."""
    light, dark = grounds()
    return _shade(accent, light, -1), _shade(accent, dark, 1)


def grounds() -> tuple[dict[str, RGB], dict[str, RGB]]:
    """Return the colours of page.css that text stands on or is, light and dark, by name."""
    css = (STATIC / "page.css").read_text(encoding="utf-8")
    light: dict[str, RGB] = {}
    dark: dict[str, RGB] = {}
    for found in re.finditer(r"--(paper|surface|ink): (#[0-9a-f]{3,6});", css):
        scheme = dark if found[1] in light else light
        scheme.setdefault(found[1], rgb(found[2]))
    return light, dark


def _shade(accent: str, scheme: dict[str, RGB], towards: int) -> tuple[str, str]:
    """Return the shade nearest to `accent`, darker (-1) or lighter (1), that suits, and the colour upon it."""
    lightness, chroma, hue = _oklch(rgb(accent))
    upon = "#fff" if towards < 0 else "#111"
    while not _suits(found := written(_srgb(lightness, chroma, hue)), upon, scheme) and 0 <= lightness <= 1:
        lightness += towards * _STEP
    return found, upon


def _suits(accent: str, upon: str, scheme: dict[str, RGB]) -> bool:
    colour = rgb(accent)
    below = [ground for name in ("paper", "surface") for ground in (scheme[name], mix(colour, scheme[name], _TINT))]
    pairs = [(colour, ground) for ground in below]
    pairs += [(rgb(upon), colour), (rgb(upon), mix(scheme["ink"], colour, _HOVER))]
    return all(contrast(one, other) >= LEAST + _SPARE for one, other in pairs)


def rgb(text: str) -> RGB:
    """Return the colour that `#rrggbb` or `#rgb` writes."""
    digits = text.removeprefix("#")
    if len(digits) == 3:
        digits = "".join(digit * 2 for digit in digits)
    red, green, blue = (int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4))
    return red, green, blue


def written(colour: RGB) -> str:
    """Return a colour as `#rrggbb`."""
    return "#" + "".join(f"{round(min(max(part, 0.0), 1.0) * 255):02x}" for part in colour)


def mix(over: RGB, ground: RGB, share: float) -> RGB:
    """Return what is seen where so much of `over` lies upon `ground`."""
    red, green, blue = (share * one + (1 - share) * other for one, other in zip(over, ground, strict=True))
    return red, green, blue


def contrast(one: RGB, other: RGB) -> float:
    """Return the contrast of two colours as WCAG 2 defines it, 1 to 21."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: RGB) -> float:
    red, green, blue = map(_linear, colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4


def _gamma(part: float) -> float:
    return 12.92 * part if part <= 0.0031308 else 1.055 * part ** (1 / 2.4) - 0.055


# OKLab's matrices: Björn Ottosson, "A perceptual color space for image processing", 2020.
def _oklch(colour: RGB) -> tuple[float, float, float]:
    red, green, blue = map(_linear, colour)
    long = (0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue) ** (1 / 3)
    medium = (0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue) ** (1 / 3)
    short = (0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue) ** (1 / 3)
    a = 1.9779984951 * long - 2.4285922050 * medium + 0.4505937099 * short
    b = 0.0259040371 * long + 0.7827717662 * medium - 0.8086757660 * short
    return 0.2104542553 * long + 0.7936177850 * medium - 0.0040720468 * short, hypot(a, b), atan2(b, a)


def _srgb(lightness: float, chroma: float, hue: float) -> RGB:
    """Return a colour of OKLCH, with no more chroma than a screen can show."""
    for _ in range(40):
        linear = _linear_srgb(lightness, chroma * cos(hue), chroma * sin(hue))
        if all(-1e-4 <= part <= 1 + 1e-4 for part in linear):
            break
        chroma *= 0.92
    red, green, blue = (_gamma(min(max(part, 0.0), 1.0)) for part in linear)
    return red, green, blue


def _linear_srgb(lightness: float, a: float, b: float) -> RGB:
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    return (
        4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short,
    )
