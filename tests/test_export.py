"""The exported encoder is the model itself, faster: close to it, repeatable, whole, and free of torch."""

import os
import subprocess
import sys

import numpy as np
import onnxruntime
import pytest

from retriever.encoder import load_encoder, open_export
from retriever.errors import EncoderError

pytestmark = pytest.mark.model
TEXTS = [
    "How do I reset my password?",
    "word " * 600,
    "E-1042",
    "返品はできますか",
    "The kitchen is open until nine. " * 30,
]


def test_an_export_points_the_same_way_as_the_model(real_encoder):
    reference = load_encoder(precision="fp32")
    cosines = np.sum(real_encoder.encode(TEXTS, "passage") * reference.encode(TEXTS, "passage"), axis=1)
    assert cosines.min() > 0.98


def test_an_exported_graph_takes_the_tokens_of_a_text_and_no_mask(real_encoder):
    session = onnxruntime.InferenceSession(str(real_encoder.files["encoder.onnx"]), providers=["CPUExecutionProvider"])
    assert [given.name for given in session.get_inputs()] == ["input_ids"]


def test_vectors_have_unit_length(real_encoder):
    assert np.linalg.norm(real_encoder.encode(TEXTS, "passage"), axis=1) == pytest.approx(1, abs=1e-5)


def test_a_texts_vector_does_not_depend_on_its_neighbours(real_encoder):
    together = real_encoder.encode(TEXTS, "passage")
    alone = np.concatenate([real_encoder.encode([text], "passage") for text in TEXTS])
    assert np.array_equal(together, alone)


def test_no_texts_are_no_vectors(real_encoder):
    assert real_encoder.encode([], "query").shape == (0, 384)


def test_what_fits_is_encoded_whole(real_encoder):
    text = TEXTS[1]
    held = real_encoder.fit(text)
    assert held < len(text)
    assert np.array_equal(real_encoder.encode([text[:held]], "passage"), real_encoder.encode([text], "passage"))


def test_a_model_is_exported_once(real_encoder, encoders):
    kept = sorted(encoders.iterdir())
    assert load_encoder(exports=encoders).spec == real_encoder.spec
    assert sorted(encoders.iterdir()) == kept


def test_a_changed_graph_is_refused_and_named(real_encoder, tmp_path):
    for name, path in real_encoder.files.items():
        (tmp_path / name).write_bytes(path.read_bytes()[:-1] + b"?" if name.endswith("onnx") else path.read_bytes())
    with pytest.raises(EncoderError, match=r"encoder\.onnx is not what was exported"):
        open_export(tmp_path)


def test_an_export_is_opened_and_asked_without_torch(real_encoder):
    folder = real_encoder.files["encoder.onnx"].parent
    code = f"""
import sys
from pathlib import Path
from retriever.encoder import open_export
open_export(Path({str(folder)!r})).encode(["question"], "query")
print([m for m in ("torch", "transformers", "sentence_transformers") if m in sys.modules])
"""
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout == "[]\n"


def test_an_exported_encoder_leaves_no_trace_at_home(real_encoder, tmp_path):
    code = "import sys; from pathlib import Path; from retriever.encoder import open_export;"
    code += "open_export(Path(sys.argv[1])).encode(['who is told of this?'], 'query')"
    folder = next(iter(real_encoder.files.values())).parent
    home = {"HOME": str(tmp_path), "PATH": "", "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", code, str(folder)], env=home, check=True, timeout=60)
    assert list(tmp_path.rglob("*")) == []
