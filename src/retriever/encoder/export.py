"""Export a model once: pooling and unit length inside the graph, attention fused, weights int8 per channel."""

from __future__ import annotations

import contextlib
import hashlib
import io
import logging
import shutil
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from retriever.defaults import off_topic_questions
from retriever.encoder.bert import arrays_of, shape_of, write_graph
from retriever.encoder.models import SHIPPED_GRAPH
from retriever.encoder.onnx import GRAPH, SPEC, TOKENIZER, OnnxEncoder, digest_of, read_export
from retriever.encoder.sentence import SentenceEncoder
from retriever.encoder.smoothing import smooth
from retriever.encoder.tokens import load_tokenizer
from retriever.encoder.trimming import trim
from retriever.errors import EncoderError
from retriever.types import EncoderSpec

# Counts up when an export of the same weights would give other vectors.
_RECIPE = 4
_OPSET = 17
# Held against the model itself: short, long, without words, and in another script.
_PROBES = (
    "How do I reset my password?",
    "The invoice is sent by e-mail on the first working day of the month, to the address that your account holds. " * 4,
    "E-1042",
    "返品はできますか",
)
# int8 MiniLM stands at 0.98 to 0.99 here; a graph that was exported wrongly is far below.
_LEAST_COSINE = 0.95


def exported(folder: Path, spec: EncoderSpec, exports: Path | None) -> Path:
    """Return the folder that holds the export of the model in `folder`, made now if it is not there yet.

    Raises EncoderError if this model cannot be exported; fp32 then still works.
    """
    if exports is None:
        exports = Path(tempfile.mkdtemp(prefix="retriever-encoder-"))
    key = hashlib.sha256(f"{_RECIPE}\n".encode() + msgspec.json.encode({**msgspec.to_builtins(spec), "model": ""}))
    home = exports / key.hexdigest()[:16]
    if not _is_whole(home):
        try:
            _make(folder, spec, home)
        except OSError as error:
            raise EncoderError(
                f"cannot keep the exported encoder in {exports}: {error.strerror}",
                mend="Name a folder that can be written: RETRIEVER_ENCODERS=...",
            ) from error
    return home


def _make(folder: Path, spec: EncoderSpec, home: Path) -> None:
    home.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home.parent, prefix=".making-") as making:
        aside = Path(making) / "made"
        aside.mkdir()
        if spec.graph:
            _take(folder, spec, aside)
        else:
            _export(folder, spec, aside)
        if _is_whole(home):  # another process made it meanwhile, and one is as good as the other
            return
        shutil.rmtree(home, ignore_errors=True)
        try:
            aside.rename(home)
        except OSError:
            if not _is_whole(home):
                raise


def _is_whole(home: Path) -> bool:
    try:
        read_export(home)
    except EncoderError:
        return False
    return (home / TOKENIZER).is_file()


def _take(folder: Path, spec: EncoderSpec, aside: Path) -> None:
    """Keep the graph that a package ships as if it had been exported here."""
    shutil.copyfile(folder / SHIPPED_GRAPH, aside / GRAPH)
    shutil.copyfile(folder / "tokenizer.json", aside / TOKENIZER)
    (aside / SPEC).write_bytes(msgspec.json.encode(spec))
    OnnxEncoder(aside, spec).encode(_PROBES[:1], "passage")


def _export(folder: Path, spec: EncoderSpec, aside: Path) -> None:
    reference = SentenceEncoder(folder, spec)
    try:
        with _quietly():
            sample = _sample(folder, spec)
            if not _export_bert(reference, aside / GRAPH, sample):
                _write_graph(reference, aside, sample)
    except EncoderError:
        raise
    except Exception as error:
        raise EncoderError(
            f"model {spec.model!r} cannot be exported: {type(error).__name__}: {error}", mend="Use --precision fp32."
        ) from error
    shutil.copyfile(folder / "tokenizer.json", aside / TOKENIZER)
    made = replace(spec, graph=digest_of(aside / GRAPH))
    (aside / SPEC).write_bytes(msgspec.json.encode(made))
    _compare(reference, OnnxEncoder(aside, made))


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """The exporters warn of what does not matter here: the outcome is compared with the model itself."""
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)


def _export_bert(reference: SentenceEncoder, path: Path, sample: Sequence[Sequence[int]]) -> bool:
    """Write the graph of a model whose every part is known, for which there is a faster form; tell whether it is."""
    model: Any = reference.load().eval()
    shape = shape_of(model, reference.spec.pooling)
    if shape is None:
        return False
    write_graph(arrays_of(model[0].auto_model, shape, reference.spec.window, sample), shape, path)
    return True


def _write_graph(reference: SentenceEncoder, aside: Path, sample: Sequence[Sequence[int]]) -> None:
    import onnx
    import torch
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.transformers.optimizer import optimize_model

    model: Any = reference.load().eval()
    for module in model.modules():
        if hasattr(module, "set_attn_implementation"):
            module.set_attn_implementation("eager")  # the form that the optimizer knows how to fuse
    kinds = [type(module).__name__ for module in model]
    means = reference.spec.pooling == "mean" and kinds in (_MEAN, [*_MEAN, "Normalize"])

    class Pooled(torch.nn.Module):
        """The whole model, from token ids to unit vectors."""

        def __init__(self) -> None:
            super().__init__()
            self.model: Any = model

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
            features = {"input_ids": input_ids, "attention_mask": attention_mask}
            # The mean over all tokens of a text alone, without a mask.
            pooled = (
                model[0](features)["token_embeddings"].mean(dim=1) if means else model(features)["sentence_embedding"]
            )
            return torch.nn.functional.normalize(pooled, dim=-1)

    example = torch.ones(2, 8, dtype=torch.long)
    axes = {name: {0: "texts", 1: "tokens"} for name in ("input_ids", "attention_mask")} | {"vectors": {0: "texts"}}
    raw, fused = aside / "raw.onnx", aside / "fused.onnx"
    torch.onnx.export(
        Pooled(),
        (example, example),
        str(raw),
        input_names=["input_ids", "attention_mask"],
        output_names=["vectors"],
        dynamic_axes=axes,
        opset_version=_OPSET,
        dynamo=False,
    )
    config = model[0].auto_model.config
    optimized = optimize_model(
        str(raw), "bert", num_heads=config.num_attention_heads, hidden_size=config.hidden_size, opt_level=0
    )
    trim(optimized.model.graph)
    optimized.prune_graph()  # what led to masks alone
    optimized.save_model_to_file(str(fused))
    smooth(fused, sample)
    quantize_dynamic(
        str(fused),
        str(aside / GRAPH),
        per_channel=True,
        weight_type=QuantType.QInt8,
        extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
    )
    raw.unlink()
    fused.unlink()


_MEAN = ["Transformer", "Pooling"]


def _sample(folder: Path, spec: EncoderSpec) -> list[list[int]]:
    """Return the token ids of what layers are held against: the shipped questions, alone and as longer texts."""
    questions = off_topic_questions()
    texts = questions + [" ".join(questions[at : at + 16]) for at in range(0, len(questions), 8)]
    tokenizer = load_tokenizer(folder / "tokenizer.json")
    return [list(tokenizer.encode(text).ids)[: spec.window] for text in texts]


def _compare(reference: SentenceEncoder, made: OnnxEncoder) -> None:
    cosines = np.sum(reference.encode(_PROBES, "passage") * made.encode(_PROBES, "passage"), axis=1)
    if cosines.min() < _LEAST_COSINE:
        raise EncoderError(
            f"model {made.spec.model!r} exported as int8 is too far from itself (cosine {cosines.min():.3f})",
            mend="Use --precision fp32.",
        )
