"""A snapshot is whole or refused, and publishing one never harms the one before."""

import json
import os
import random
import signal
import subprocess
import sys

import msgspec
import pytest

from hashing import SPEC, HashingEncoder
from retriever.confidence import PRIOR
from retriever.errors import (
    BuildBusy,
    FormatMismatch,
    NoSnapshot,
    PublishFailed,
    RetrieverError,
    SnapshotDamaged,
    SnapshotError,
)
from retriever.passages import passages_of
from retriever.readers import read_corpus
from retriever.snapshot import (
    FORMAT,
    build_lock,
    current_id,
    open_snapshot,
    publish,
    read_manifest,
    snapshot_ids,
    verified_manifest,
)
from retriever.types import Counts

FILES = ["entries.jsonl", "entries.npy", "facets.json", "facets.npy", "lexical.bin", "manifest.json"]
FILES += ["passages.npy", "suggest.bin", "vectors.faiss"]


@pytest.fixture
def folder(run_build, index):
    """The folder of a published snapshot."""
    return index / "snapshots" / run_build().snapshot


def overwrite(path, content: bytes):
    path.chmod(0o644)
    path.write_bytes(content)


def edit_manifest(folder, **changes):
    manifest = json.loads((folder / "manifest.json").read_bytes())
    overwrite(folder / "manifest.json", json.dumps(manifest | changes).encode())


def refusal(index) -> SnapshotError:
    """Return the error that opening gives, which must say how to mend it."""
    with pytest.raises(SnapshotError) as caught:
        open_snapshot(index).close()
    assert "retriever build" in caught.value.mend
    return caught.value


# --- what was published is what is opened -------------------------------------------------------------------------


@pytest.mark.usefixtures("folder")
def test_every_entry_comes_back_whole(index, corpus):
    snapshot = open_snapshot(index)
    expected = sorted(read_corpus([corpus]).entries, key=lambda entry: entry.id)
    assert [snapshot.entry(ordinal) for ordinal in range(len(expected))] == expected
    snapshot.close()


@pytest.mark.usefixtures("folder")
def test_every_row_is_the_passage_that_was_encoded(index):
    snapshot, encoder = open_snapshot(index), HashingEncoder()
    rows = []
    for ordinal in range(5):
        rows += [(ordinal, passage) for passage in passages_of(snapshot.entry(ordinal), encoder.fit)]
    owners = snapshot.owners.tolist()
    assert [(o, snapshot.passage(row, snapshot.entry(o))) for row, o in enumerate(owners)] == rows
    encoded = encoder.encode([passage.text for _, passage in rows], "passage")
    assert (snapshot.vectors.get(range(len(rows))) == encoded).all()
    snapshot.close()


def test_the_folder_holds_the_files_that_the_docstring_names(folder):
    assert sorted(path.name for path in folder.iterdir()) == FILES


def test_published_files_are_read_only(folder):
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o444}


def test_the_manifest_says_what_the_snapshot_is(folder, index):
    manifest = read_manifest(index)
    assert (manifest.id, manifest.format, manifest.encoder) == (folder.name, FORMAT, SPEC)
    assert sorted([*manifest.files, "manifest.json"]) == FILES


def test_the_manifest_holds_the_calibration_and_the_main_language(run_build, index):
    run_build()
    manifest = read_manifest(index)
    assert (manifest.calibration.scope, manifest.calibration.right) == (PRIOR.scope, PRIOR.right)
    assert 0 <= manifest.calibration.floor < 0.5
    assert manifest.lang == "en"


@pytest.mark.usefixtures("folder")
def test_an_entrys_rows_stand_together_from_its_start_to_the_next(index):
    snapshot = open_snapshot(index)
    spans = zip(snapshot.starts[:-1].tolist(), snapshot.starts[1:].tolist(), strict=True)
    owned = [set(snapshot.owners[start:end].tolist()) for start, end in spans]
    assert owned == [{ordinal} for ordinal in range(5)]
    assert snapshot.starts[-1] == len(snapshot.owners)
    snapshot.close()


def test_verify_finds_a_change_made_after_opening(folder, index):
    snapshot = open_snapshot(index)
    snapshot.verify()
    overwrite(folder / "facets.json", b"{}")
    with pytest.raises(SnapshotDamaged, match=r"facets\.json"):
        snapshot.verify()
    snapshot.close()


# --- damage -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FILES)
def test_a_flipped_bit_is_refused_and_its_file_named(folder, index, name):
    good = (folder / name).read_bytes()
    for bit in random.Random(0).sample(range(len(good) * 8), 40):
        bad = bytearray(good)
        bad[bit // 8] ^= 1 << bit % 8
        overwrite(folder / name, bytes(bad))
        error = refusal(index)
        assert isinstance(error, FormatMismatch) or error.file.endswith(name)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("share", [0, 0.5, 0.99])
def test_a_truncated_file_is_refused_and_named(folder, index, name, share):
    good = (folder / name).read_bytes()
    overwrite(folder / name, good[: int(len(good) * share)])
    assert refusal(index).file == f"{folder.name}/{name}"


@pytest.fixture
def large(monkeypatch):
    """Take every file for one that is too large to be read when an index is opened."""
    monkeypatch.setattr("retriever.snapshot.manifest.LARGE", 0)


MAPPED = ["entries.jsonl", "entries.npy", "facets.npy", "lexical.bin", "passages.npy"]


@pytest.mark.parametrize("name", MAPPED)
@pytest.mark.usefixtures("large")
def test_of_a_large_file_that_is_mapped_only_the_size_is_looked_at_until_all_is_verified(folder, index, name):
    good = (folder / name).read_bytes()
    overwrite(folder / name, good[:-1] + bytes([good[-1] ^ 1]))
    snapshot = open_snapshot(index)
    with pytest.raises(SnapshotDamaged, match=name):
        snapshot.verify()
    snapshot.close()
    with pytest.raises(SnapshotDamaged, match=name):
        verified_manifest(index)
    overwrite(folder / name, good[:-1])
    assert refusal(index).file == f"{folder.name}/{name}"


@pytest.mark.parametrize("name", ["vectors.faiss", "facets.json"])
@pytest.mark.usefixtures("large")
def test_what_is_parsed_is_digested_however_large_it_is(folder, index, name):
    good = (folder / name).read_bytes()
    overwrite(folder / name, good[:-1] + bytes([good[-1] ^ 1]))
    assert refusal(index).file == f"{folder.name}/{name}"


@pytest.mark.usefixtures("large")
def test_an_entry_of_a_large_file_that_was_changed_is_an_error_once_it_is_read(folder, index):
    good = (folder / "entries.jsonl").read_bytes()
    overwrite(folder / "entries.jsonl", good[:9] + bytes([good[9] ^ 1]) + good[10:])
    snapshot = open_snapshot(index)
    snapshot.entry(1)
    with pytest.raises(SnapshotDamaged, match=r"entries\.jsonl"):
        snapshot.entry(0)
    snapshot.close()


@pytest.mark.parametrize("name", FILES)
def test_a_zeroed_page_is_refused(folder, index, name):
    good = (folder / name).read_bytes()
    overwrite(folder / name, bytes(min(len(good), 4096)) + good[4096:])
    assert refusal(index).file == f"{folder.name}/{name}"


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_refused_and_named(folder, index, name):
    (folder / name).unlink()
    assert refusal(index).file == f"{folder.name}/{name}"


@pytest.mark.parametrize("name", FILES)
def test_a_folder_in_the_place_of_a_file_is_refused(folder, index, name):
    (folder / name).unlink()
    (folder / name).mkdir()
    assert refusal(index).file == f"{folder.name}/{name}"


def test_an_extra_file_is_refused_and_named(folder, index):
    (folder / "vectors.bak").write_bytes(b"")
    assert refusal(index).file == f"{folder.name}/vectors.bak"


def test_swapped_files_are_refused(folder, index):
    (folder / "entries.npy").rename(folder / "aside")
    (folder / "passages.npy").rename(folder / "entries.npy")
    (folder / "aside").rename(folder / "passages.npy")
    assert isinstance(refusal(index), SnapshotDamaged)


@pytest.mark.parametrize(
    "change",
    [
        {"created": "2020-01-01T00:00:00.000+00:00"},
        {"corpus": "0" * 64},
        {"id": "20200101T000000000Z-0123456789ab"},
        {"files": {}},
        {"encoder": msgspec.to_builtins(SPEC) | {"weights": "f" * 64}},
        {"counts": None},
        {"lang": "de"},
        {"calibration": msgspec.to_builtins(PRIOR) | {"floor": 0.5}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_an_edited_manifest_is_refused(folder, index, change):
    edit_manifest(folder, **change)
    assert refusal(index).file.endswith("manifest.json")


@pytest.mark.parametrize("key", ["id", "graph", "window", "slope", "labelled", "lang", "files"])
def test_a_manifest_with_a_key_renamed_is_refused(folder, index, key):
    good = (folder / "manifest.json").read_bytes()
    assert f'"{key}"'.encode() in good
    overwrite(folder / "manifest.json", good.replace(f'"{key}"'.encode(), b'"x%b"' % key[1:].encode()))
    assert refusal(index).file.endswith("manifest.json")


@pytest.mark.parametrize(
    "content",
    [b"", b"null", b"[]", b"{}", b"\xff\xfe", b'{"format": %d}' % FORMAT, b"[" * 100_000],
)
def test_a_manifest_that_is_none_is_refused(folder, index, content):
    overwrite(folder / "manifest.json", content)
    assert refusal(index).file.endswith("manifest.json")


@pytest.mark.parametrize("number", [0, 1, 999, "2"])
def test_another_format_is_refused_with_both_numbers(folder, index, number):
    edit_manifest(folder, format=number)
    error = refusal(index)
    assert isinstance(error, FormatMismatch)
    assert repr(number) in str(error)
    assert f"reads format {FORMAT}" in str(error)


@pytest.mark.parametrize(
    "content", [b"", b"nonsense", b"../../etc", b"\xff\xfe\x00", b"20200101T000000000Z-0123456789AB"]
)
@pytest.mark.usefixtures("folder")
def test_a_current_that_is_no_id_is_refused(index, content):
    (index / "CURRENT").write_bytes(content)
    assert refusal(index).file == "CURRENT"


@pytest.mark.usefixtures("folder")
def test_a_current_that_points_nowhere_names_what_is_missing(index):
    (index / "CURRENT").write_text("20200101T000000000Z-0123456789ab")
    assert refusal(index).file == "20200101T000000000Z-0123456789ab/manifest.json"


@pytest.mark.usefixtures("folder")
def test_without_current_there_is_no_snapshot(index):
    (index / "CURRENT").unlink()
    assert isinstance(refusal(index), NoSnapshot)


def test_without_a_folder_there_is_no_snapshot(tmp_path):
    assert isinstance(refusal(tmp_path / "nowhere"), NoSnapshot)


def test_a_snapshot_renamed_to_another_id_is_refused(folder, index):
    other = "20200101T000000000Z-0123456789ab"
    folder.rename(folder.with_name(other))
    (index / "CURRENT").write_text(other)
    assert isinstance(refusal(index), SnapshotDamaged)


@pytest.mark.parametrize("name", FILES)
def test_what_is_damaged_is_mended_by_the_build_that_the_error_asks_for(folder, run_build, index, name):
    overwrite(folder / name, b"damaged")
    refusal(index)
    run_build()
    open_snapshot(index).close()


# --- publishing ---------------------------------------------------------------------------------------------------

NOTHING = Counts(0, 0, 0, 0, 0, 0, 0)


def publish_one(index, corpus: str = "c", keep: int = 5, write=lambda _: None):
    index.mkdir(exist_ok=True)
    with build_lock(index):
        return publish(
            index, write, corpus=corpus, encoder=SPEC, counts=NOTHING, calibration=PRIOR, lang="en", keep=keep
        )


def test_two_snapshots_in_one_second_are_two(index):
    first, second = publish_one(index), publish_one(index)
    assert snapshot_ids(index) == sorted([first.id, second.id], reverse=True)
    assert current_id(index) == second.id


def test_the_newest_are_kept(index):
    published = [publish_one(index, str(number), keep=3).id for number in range(6)]
    assert set(snapshot_ids(index)) == set(published[-3:])


def test_what_is_served_is_kept_however_old_it_is(index):
    ids = [publish_one(index).id]
    future = index / "snapshots" / "29990101T000000000Z-0123456789ab"
    future.mkdir()
    ids.append(publish_one(index, keep=1).id)
    assert current_id(index) == ids[1]
    assert ids[1] in snapshot_ids(index)
    assert ids[0] not in snapshot_ids(index)


def test_rolling_back_is_moving_current(run_build, index, corpus):
    first = run_build().snapshot
    (corpus / "more.jsonl").write_text('{"question": "More?", "answer": "Yes."}')
    run_build()
    (index / "CURRENT").write_text(first)
    assert open_snapshot(index).manifest.id == first


@pytest.mark.usefixtures("folder")
def test_leftovers_of_a_dead_build_are_swept(index):
    (index / ".building-12345").mkdir()
    (index / ".building-12345" / "vectors.faiss").write_bytes(b"half")
    publish_one(index)
    assert not list(index.glob(".building-*"))


@pytest.mark.usefixtures("folder")
def test_leftovers_are_swept_though_nothing_changed(index, run_build):
    (index / ".building-12345").mkdir()
    assert not run_build().published
    assert not list(index.glob(".building-*"))


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), OSError(5, "Input/output error")])
def test_a_disk_that_fails_publishes_nothing(folder, index, error):
    def write(aside):
        (aside / "half").write_bytes(b"half")
        raise error

    with pytest.raises(PublishFailed, match=error.strerror):
        publish_one(index, write=write)
    assert current_id(index) == folder.name
    assert not list(index.glob(".building-*"))


def test_an_index_that_is_a_file_cannot_be_built_in(tmp_path, run_build):
    (tmp_path / "file").write_text("")
    with pytest.raises(PublishFailed, match="file"):
        run_build(to=tmp_path / "file")


# --- the lock -----------------------------------------------------------------------------------------------------

HOLD = "import sys, time, pathlib; from retriever.snapshot import build_lock\n"
HOLD += "with build_lock(pathlib.Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"


def test_a_lock_that_is_held_is_busy_and_free_once_its_holder_is_killed(index):
    with subprocess.Popen([sys.executable, "-c", HOLD, index], stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(BuildBusy, match="another build"), build_lock(index):
            pass
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait()
        with build_lock(index):
            pass


def test_the_lock_is_free_after_a_build_that_failed(index):
    with pytest.raises(RetrieverError), build_lock(index):
        raise RetrieverError("failed")
    with build_lock(index):
        pass
