"""Text to unit vectors.

The default is the model's own weights as an int8 ONNX graph, exported once: it loads in a tenth of a second, needs no
torch, and travels with the snapshot. BERT is run by a kernel of our own where that can, all else by onnxruntime.
`fp32` runs sentence-transformers itself, and is what the export is held against.
"""

from __future__ import annotations

import os

# From 1.29 on, onnxruntime reports its use to its maker, and keeps a file at home to do so, unless this is said before
# it is imported. Nothing here talks to anyone.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

from dataclasses import replace
from pathlib import Path

from retriever.defaults import DEFAULT_MODEL
from retriever.encoder.joint import JointEncoder, open_export
from retriever.encoder.kernel import why_not
from retriever.encoder.models import find_model, names_of, read_spec
from retriever.encoder.onnx import GRAPH, OnnxEncoder, read_export
from retriever.encoder.sentence import SentenceEncoder
from retriever.errors import EncoderError
from retriever.types import EncoderSpec

__all__ = [
    "GRAPH",
    "JointEncoder",
    "OnnxEncoder",
    "SentenceEncoder",
    "find_model",
    "load_encoder",
    "names_of",
    "open_export",
    "read_export",
    "read_spec",
    "why_not",
]


def load_encoder(
    name: str = DEFAULT_MODEL,
    *,
    precision: str = "int8",
    exports: Path | None = None,
    allow_download: bool = False,
    threads: int = 1,
) -> OnnxEncoder | SentenceEncoder | JointEncoder:
    """Return the encoder of model `name` (see `find_model`), to run on `threads` threads.

    Names joined by `+` are one encoder of several models; `best` is two that are known to go well together.
    An int8 export is kept in the folder `exports`, by digest, and made if it is not there; without a folder it is made
    for this process alone. Raises EncoderError if there is no such model or it cannot be used.
    """
    names = names_of(name)
    if precision == "fp32" and len(names) > 1:
        raise EncoderError(f"{'+'.join(names)} runs as int8 only: it is several models", mend="Use --precision int8.")
    parts = []
    for part in names:
        folder = find_model(part, allow_download=allow_download)
        # A folder is found again from wherever the index is opened.
        known_as = str(folder) if Path(part).expanduser().resolve() == folder else part
        spec = read_spec(known_as, folder, precision)
        if precision == "fp32":
            return SentenceEncoder(folder, spec, threads=threads)
        parts.append(_exported(folder, spec, exports, threads))
    return JointEncoder(parts) if len(parts) > 1 else parts[0]


def _exported(folder: Path, spec: EncoderSpec, exports: Path | None, threads: int) -> OnnxEncoder:
    from retriever.encoder.export import exported

    home = exported(folder, spec, exports)
    # The export is kept by digest: it may have been made under another name of the same model.
    return OnnxEncoder(home, replace(read_export(home), model=spec.model), threads=threads)
