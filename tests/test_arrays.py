"""Arrays come back as they were written, read or mapped."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

import retriever.arrays
from retriever.arrays import open_array, open_arrays, write_arrays

DTYPES = st.sampled_from(["<f4", "<f2", "<i4", "<u8", "u1"]).map(np.dtype)
ARRAYS = st.dictionaries(
    st.text(min_size=1, max_size=5),
    DTYPES.flatmap(lambda dtype: arrays_of.arrays(dtype, arrays_of.array_shapes(max_dims=2, min_side=0, max_side=9))),
    max_size=5,
)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("arrays") / "arrays.bin"


@given(ARRAYS)
def test_what_is_opened_is_what_was_written(path, arrays):
    write_arrays(arrays, path)
    opened = open_arrays(path)
    assert list(opened) == list(arrays)
    for name, array in arrays.items():
        assert (opened[name].dtype, opened[name].shape) == (array.dtype, array.shape)
        assert opened[name].tobytes() == array.tobytes()


def test_arrays_lie_where_a_processor_reads_them_best(path):
    write_arrays({"a": np.zeros(3, np.uint8), "b": np.zeros(5), "c": np.zeros(2, np.float32)}, path)
    begin = 8 + int.from_bytes(path.read_bytes()[:8], "little")
    assert begin % 64 == 0
    assert all(array.flags.aligned for array in open_arrays(path).values())


def test_nothing_that_was_opened_can_be_changed(path):
    write_arrays({"a": np.arange(3)}, path)
    with pytest.raises(ValueError, match="read-only"):
        open_arrays(path)["a"][0] = 7


def test_a_small_file_is_read_and_survives_being_cut_short(path):
    write_arrays({"a": np.arange(100)}, path)
    opened = open_arrays(path)
    path.write_bytes(b"")
    assert opened["a"].sum() == 4950


@pytest.mark.parametrize("how", ["arrays", "npy"])
@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="only Linux tells what is mapped")
def test_a_large_file_is_mapped_and_reads_the_same(tmp_path, monkeypatch, how):
    monkeypatch.setattr(retriever.arrays, "LARGE", 100)
    array = np.arange(1000)
    if how == "npy":
        np.save(tmp_path / "a.npy", array)
        opened = open_array(tmp_path / "a.npy")
    else:
        write_arrays({"a": array}, tmp_path / "a.bin")
        opened = open_arrays(tmp_path / "a.bin")["a"]
    assert str(tmp_path) in Path("/proc/self/maps").read_text()
    assert opened.tolist() == array.tolist()
