"""What runs BERT in C gives the vectors that onnxruntime gives for the same graph, and takes no other."""

import os
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from functools import partial

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from retriever.encoder import OnnxEncoder, find_model, kernel, load_encoder, read_export, why_not
from retriever.encoder.bert import write_graph
from retriever.encoder.kernel import Kernel, open_kernel
from retriever.encoder.layout import NOTE, Shape
from retriever.encoder.onnx import Session
from retriever.encoder.tensors import notes_of, tensors_of
from retriever.errors import EncoderError

pytestmark = pytest.mark.model
TEXTS = ["How do I reset my password?", "", "E-1042", "返品はできますか", "word " * 300, "Two days. " * 30]
IDS = [101, *range(2000, 2252), 102]

needs_kernel = pytest.mark.skipif(why_not() is not None, reason=f"the kernel does not run here: {why_not()}")


def layers_of(encoder, count, folder):
    """Return the graph of the model's first layers."""
    graph = encoder.files["encoder.onnx"]
    shape = replace(msgspec.json.decode(notes_of(graph.read_bytes())[NOTE], type=Shape), layers=count)
    arrays = {
        name: array
        for name, array in tensors_of(graph.read_bytes()).items()
        if not name.startswith("c") and not (name[0].isdigit() and int(name.partition(".")[0]) >= count)
    }
    write_graph(arrays, shape, folder / "encoder.onnx")
    return folder / "encoder.onnx"


@needs_kernel
def test_the_default_model_is_run_by_the_kernel(real_encoder):
    real_encoder.encode(["text"], "query")
    assert isinstance(real_encoder._load(), Kernel)


@needs_kernel
@pytest.mark.parametrize("count", [0, 1])
def test_it_is_the_graphs_own_arithmetic_for_every_length(real_encoder, tmp_path, count):
    graph = layers_of(real_encoder, count, tmp_path)
    fast, slow = open_kernel(graph), Session(graph, "mean")
    assert fast is not None
    for length in [*range(1, 40), 63, 64, 65, 128, 200, 254]:
        assert fast.run(IDS[:length]) == pytest.approx(slow.run(IDS[:length]), abs=1e-3 if count else 1e-6)


@needs_kernel
def test_the_whole_model_stays_with_onnxruntime(real_encoder):
    folder = real_encoder.files["encoder.onnx"].parent
    slow = OnnxEncoder(folder, read_export(folder), kernel=False)
    assert isinstance(slow._load(), Session)
    cosines = np.sum(real_encoder.encode(TEXTS, "passage") * slow.encode(TEXTS, "passage"), axis=1)
    # What rounds to the other whole number once moves all that comes after it, as far as rounding itself does.
    assert cosines.min() > 0.999


@needs_kernel
def test_threads_side_by_side_get_what_each_would_alone(real_encoder):
    run = real_encoder._load().run
    texts = [IDS[: 3 + 7 * at % 90] for at in range(200)]
    alone = [run(ids) for ids in texts]
    with ThreadPoolExecutor(4) as pool:
        assert np.array_equal(list(pool.map(run, texts)), alone)


# --- with a helper ------------------------------------------------------------------------------------------------


@needs_kernel
@pytest.mark.parametrize("pause", [0, 0.0005, 0.005])
def test_a_text_has_the_same_vector_whatever_the_helper_did_of_it(real_encoder, pause):
    engine = real_encoder._load()
    for length in [*range(1, 80), 128, 254] if not pause else [1, 7, 20, 100]:
        vector, made = engine.run_beside(IDS[:length], lambda length=length: time.sleep(pause) or length)
        assert made == length
        assert np.array_equal(vector, engine.run(IDS[:length]))


@needs_kernel
def test_the_helper_does_the_work_while_there_is_other_work(real_encoder):
    engine = real_encoder._load()
    engine.run_beside(IDS, lambda: None)  # starts it

    def spent(work):
        began = time.thread_time()
        engine.run_beside(IDS, work)
        return time.thread_time() - began

    own = min(spent(partial(time.sleep, 0.5)) for _ in range(3))
    assert own < 0.3 * min(timed(engine.run, IDS) for _ in range(3))


@needs_kernel
@pytest.mark.parametrize("pause", [0, 0.0001, 0.002])
def test_a_helper_that_was_told_of_a_text_has_the_same_vector(real_encoder, pause):
    engine = real_encoder._load()
    for _ in range(20):
        engine.expect()
        time.sleep(pause)
        assert np.array_equal(engine.run_beside(IDS[:20], list)[0], engine.run(IDS[:20]))


@needs_kernel
def test_a_text_that_does_not_come_is_awaited_for_a_moment_only(real_encoder):
    engine = real_encoder._load()
    engine.run_beside(IDS, list)  # starts it
    spent = []
    for _ in range(20):
        began = time.process_time()
        engine.expect()
        time.sleep(0.01)
        spent.append(time.process_time() - began)
    # Woken it was, each time or nearly; and not for long.
    assert 0.00005 < sorted(spent)[10] < 0.002


def timed(call, *args):
    began = time.thread_time()
    call(*args)
    return time.thread_time() - began


@needs_kernel
def test_texts_side_by_side_share_one_helper(real_encoder):
    engine = real_encoder._load()
    texts = [IDS[: 3 + 7 * at % 90] for at in range(400)]
    alone = [engine.run(ids) for ids in texts]
    with ThreadPoolExecutor(4) as pool:
        pairs = list(pool.map(lambda ids: engine.run_beside(ids, lambda: engine.run(ids)), texts))
    assert np.array_equal([vector for vector, _ in pairs], alone)
    assert np.array_equal([made for _, made in pairs], alone)


@needs_kernel
def test_work_that_fails_leaves_the_helper_free(real_encoder):
    engine = real_encoder._load()
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            engine.run_beside(IDS, lambda: 1 / 0)
    with pytest.raises(EncoderError, match="vocabulary and window"):
        engine.run_beside([], list)
    vector, made = engine.run_beside(IDS[:20], lambda: engine.run_beside(IDS[:9], list)[0])
    assert np.array_equal(vector, engine.run(IDS[:20]))
    assert np.array_equal(made, engine.run(IDS[:9]))


@needs_kernel
def test_a_fork_encodes_though_the_helper_stayed_behind(real_encoder):
    engine = real_encoder._load()
    vector, _ = engine.run_beside(IDS[:20], list)
    pid = os.fork()
    if pid == 0:
        same = np.array_equal(engine.run_beside(IDS[:20], list)[0], vector)
        os._exit(0 if same else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_without_the_kernel_the_one_follows_the_other(real_encoder):
    folder = real_encoder.files["encoder.onnx"].parent
    slow = OnnxEncoder(folder, read_export(folder), kernel=False)
    vector, made = slow.encode_beside("text", "query", lambda: 7)
    assert made == 7
    assert np.array_equal(vector, slow.encode(["text"], "query")[0])


@needs_kernel
@pytest.mark.parametrize("ids", [[], [101, 30522, 102], [101, -1, 102], [101] * 257])
def test_ids_that_the_model_has_not_are_refused(real_encoder, ids):
    with pytest.raises(EncoderError, match="vocabulary and window"):
        real_encoder._load().run(ids)


@needs_kernel
def test_a_graph_whose_arrays_are_not_those_of_its_note_is_refused(real_encoder, tmp_path):
    graph = layers_of(real_encoder, 1, tmp_path)
    content = graph.read_bytes()
    graph.write_bytes(content.replace(b'"layers":1', b'"layers":2'))
    with pytest.raises(EncoderError, match=r"1\.attend\.weights is missing"):
        open_kernel(graph)
    graph.write_bytes(content.replace(b'"wide":1536', b'"wide":1024'))
    with pytest.raises(EncoderError, match=r"0\.widen\.weights is int8 \(384, 1536\), not int8 \(384, 1024\)"):
        open_kernel(graph)


@needs_kernel
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=200))
def test_a_file_that_is_no_graph_is_refused_or_left_to_onnxruntime(tmp_path, content):
    (tmp_path / "any.onnx").write_bytes(content)
    with suppress(EncoderError):
        assert open_kernel(tmp_path / "any.onnx") is None


def test_without_a_compiled_kernel_onnxruntime_encodes_and_doctor_says_why(real_encoder, monkeypatch):
    folder = real_encoder.files["encoder.onnx"].parent
    monkeypatch.setattr(kernel, "EXTENSION_SUFFIXES", [".none"])
    kernel._library.cache_clear()
    try:
        encoder = OnnxEncoder(folder, read_export(folder))
        assert np.linalg.norm(encoder.encode(["text"], "query")) == pytest.approx(1, abs=1e-5)
        assert isinstance(encoder._load(), Session)
        assert why_not() == "no C compiler was found when retriever was installed"
    finally:
        kernel._library.cache_clear()


# --- other models -------------------------------------------------------------------------------------------------


def made(folder, config, model_of, *, pooling="mean"):
    """Save a small model with random weights, and the default model's tokenizer, as sentence-transformers does."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import Pooling, Transformer

    torch.manual_seed(0)
    bare = folder / "bare"
    model_of(config).eval().save_pretrained(bare, safe_serialization=True)
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt"):
        path = find_model("all-MiniLM-L6-v2") / name
        if path.is_file():
            shutil.copy(path, bare / name)
    words = Transformer(str(bare), max_seq_length=64)
    SentenceTransformer(modules=[words, Pooling(64, pooling_mode=pooling)], device="cpu").save(str(folder / "model"))
    return str(folder / "model")


SMALL = {"vocab_size": 30522, "hidden_size": 64, "num_hidden_layers": 2, "max_position_embeddings": 80}
SIZES = {"num_attention_heads": 4, "intermediate_size": 128}


@pytest.mark.parametrize("pooling", ["mean", "cls"])
@pytest.mark.parametrize("kind", ["Bert", "Roberta", "XLMRoberta"])
def test_other_models_of_the_kind_are_run_too(tmp_path, kind, pooling):
    import transformers

    config = getattr(transformers, f"{kind}Config")(**SMALL, **SIZES)
    name = made(tmp_path, config, getattr(transformers, f"{kind}Model"), pooling=pooling)
    encoder = load_encoder(name, exports=tmp_path / "exports")
    reference = load_encoder(name, precision="fp32")
    cosines = np.sum(encoder.encode(TEXTS, "query") * reference.encode(TEXTS, "query"), axis=1)
    assert cosines.min() > 0.995
    assert NOTE in notes_of(encoder.files["encoder.onnx"].read_bytes())
    assert isinstance(encoder._load(), Kernel) is (why_not() is None)


def test_sizes_that_the_kernel_does_not_take_are_run_by_onnxruntime(tmp_path):
    import transformers

    config = transformers.BertConfig(**SMALL, num_attention_heads=8, intermediate_size=128)
    name = made(tmp_path, config, transformers.BertModel)
    encoder = load_encoder(name, exports=tmp_path / "exports")
    reference = load_encoder(name, precision="fp32")
    cosines = np.sum(encoder.encode(TEXTS, "query") * reference.encode(TEXTS, "query"), axis=1)
    assert cosines.min() > 0.995
    assert isinstance(encoder._load(), Session)


def test_a_model_of_another_kind_is_exported_as_it_is(tmp_path):
    import transformers

    config = transformers.MPNetConfig(**SMALL, **SIZES)
    name = made(tmp_path, config, transformers.MPNetModel)
    encoder = load_encoder(name, exports=tmp_path / "exports")
    reference = load_encoder(name, precision="fp32")
    cosines = np.sum(encoder.encode(TEXTS, "query") * reference.encode(TEXTS, "query"), axis=1)
    assert cosines.min() > 0.98
    assert NOTE not in notes_of(encoder.files["encoder.onnx"].read_bytes())
    assert isinstance(encoder._load(), Session)
