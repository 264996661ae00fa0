"""How BERT lies in a file: the names and shapes of the arrays that `bert` writes and `kernel` reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

NOTE = "retriever.bert"
"""The note of a file that says that it is one of these, and its shape."""

PRODUCTS, NORMS = ("attend", "project", "widen", "narrow"), ("attended", "narrowed")
"""What a layer is made of: products with weights, in order, and the norms after the second and the last."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What the arrays alone do not say. `first`: the vector of a text is that of its first token, not the mean."""

    layers: int
    hidden: int
    wide: int
    heads: int
    first: bool
    epsilon: float


def problem_of(arrays: Mapping[str, NDArray[Any]], shape: Shape) -> str | None:
    """Return what of `arrays` is not what a file of this shape holds; None if all is."""
    for name, dtype, wanted in _expected(shape):
        array = arrays.get(name)
        if array is None:
            if not name.endswith("factors"):
                return f"{name} is missing"
        elif array.dtype != dtype or array.shape[-len(wanted) :] != wanted:
            return f"{name} is {array.dtype} {array.shape}, not {np.dtype(dtype)} {wanted}"
    if len(arrays["words"]) != len(arrays["word_scales"]):
        return "word_scales are not one a word"
    return None


def _expected(shape: Shape) -> Iterator[tuple[str, type, tuple[int, ...]]]:
    """Yield the name, the type and the shape of each array; of what follows vocabulary and window, one row's shape."""
    hidden, wide = shape.hidden, shape.wide
    yield "words", np.int8, (hidden,)
    yield "word_scales", np.float32, (1,)
    yield "places", np.float32, (hidden,)
    sizes = ((hidden, 3 * hidden), (hidden, hidden), (hidden, wide), (wide, hidden))
    for number in range(shape.layers):
        for product, (inputs, outputs) in zip(PRODUCTS, sizes, strict=True):
            # int8; a scale and a bias an output; what an input is multiplied by before it is rounded, if by anything.
            yield f"{number}.{product}.weights", np.int8, (inputs, outputs)
            yield f"{number}.{product}.scales", np.float32, (outputs,)
            yield f"{number}.{product}.bias", np.float32, (outputs,)
            yield f"{number}.{product}.factors", np.float32, (inputs,)
    for norm in ("embedded", *(f"{number}.{norm}" for number in range(shape.layers) for norm in NORMS)):
        yield f"{norm}.weight", np.float32, (hidden,)
        yield f"{norm}.bias", np.float32, (hidden,)
