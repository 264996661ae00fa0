"""Text to unit vectors.

The default is the model's own weights as an int8 ONNX graph, exported once: it loads in a tenth of a second, needs no
torch, and travels with the snapshot. `fp32` runs sentence-transformers itself, and is what the export is held against.
"""

from __future__ import annotations

from pathlib import Path

from retriever.defaults import DEFAULT_MODEL
from retriever.encoder.models import find_model, read_spec
from retriever.encoder.onnx import GRAPH, OnnxEncoder, open_export
from retriever.encoder.sentence import SentenceEncoder

__all__ = ["GRAPH", "OnnxEncoder", "SentenceEncoder", "find_model", "load_encoder", "open_export", "read_spec"]


def load_encoder(
    name: str = DEFAULT_MODEL,
    *,
    precision: str = "int8",
    exports: Path | None = None,
    allow_download: bool = False,
    threads: int = 1,
) -> OnnxEncoder | SentenceEncoder:
    """Return the encoder of model `name` (see `find_model`), to run on `threads` threads.

    An int8 export is kept in the folder `exports`, by digest, and made if it is not there; without a folder it is made
    for this process alone. Raises EncoderError if there is no such model or it cannot be used.
    """
    folder = find_model(name, allow_download=allow_download)
    # A folder is found again from wherever the index is opened.
    known_as = str(folder) if Path(name).expanduser().resolve() == folder else name
    spec = read_spec(known_as, folder, precision)
    if precision == "fp32":
        return SentenceEncoder(folder, spec, threads=threads)
    from retriever.encoder.export import exported

    return open_export(exported(folder, spec, exports), threads=threads)
