"""`retriever doctor` as an owner runs it: what is well, what is not, and the command that mends it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from retriever.doctor import admits, examine
from retriever.settings import Settings

RETRIEVER = Path(sys.executable).with_name("retriever")


@pytest.fixture
def home(tmp_path, run_build):
    """A folder with a corpus and its index."""
    run_build()
    return tmp_path


@pytest.fixture
def doctor(tmp_path):
    """Return a function that runs the command, and gives its exit code and its checks."""

    def run(**variables):
        environ = {name: value for name, value in os.environ.items() if not name.startswith(("RETRIEVER_", "OMP_"))}
        environ |= {"RETRIEVER_ENCODERS": str(tmp_path / "encoders")} | variables
        done = subprocess.run(
            [RETRIEVER, "doctor", "--json"],
            cwd=tmp_path,
            env=environ,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert "Traceback" not in done.stderr
        return done.returncode, json.loads(done.stdout)["checks"]

    return run


def failures(checks):
    return {check["name"]: check for check in checks if check["mend"]}


@pytest.mark.usefixtures("home")
def test_all_is_well_where_all_is(doctor):
    code, checks = doctor()
    assert failures(checks) == {}
    assert code == 0


def test_an_index_that_is_absent_is_told_with_the_build(tmp_path, doctor):
    (tmp_path / "corpus").mkdir()
    code, checks = doctor()
    assert code == 3
    assert failures(checks)["index"]["mend"] == "retriever build --index index"


@pytest.mark.usefixtures("home")
def test_a_damaged_file_is_named(index, doctor):
    (path,) = index.glob("snapshots/*/entries.jsonl")
    path.chmod(0o644)
    path.write_bytes(b"{}\n")
    code, checks = doctor()
    assert code == 3
    assert "entries.jsonl" in failures(checks)["index"]["found"]
    assert "retriever build" in failures(checks)["index"]["mend"]


@pytest.mark.parametrize("text", [b"", b"\xff\xfe", b"no-such-snapshot\n", b"20260101T000000000Z-000000000000\n"])
@pytest.mark.usefixtures("home")
def test_whatever_current_holds_nothing_crashes(index, doctor, text):
    (index / "CURRENT").write_bytes(text)
    code, checks = doctor()
    assert code == 3
    assert "index" in failures(checks)


def test_an_index_that_is_a_file_is_told(tmp_path, doctor):
    (tmp_path / "index").write_text("no folder")
    code, checks = doctor()
    assert code == 3
    assert failures(checks)["permissions"]["mend"] == "mv index index.old"


def test_misspelt_names_are_told_the_nearest_all_at_once(home, doctor):
    (home / "retriever.toml").write_text('tittle = "Help"\nk = 500\n')
    code, checks = doctor(RETRIEVER_INDX="other")
    assert code == 3
    told = [(check["found"], check["mend"]) for check in checks if check["name"] == "settings"]
    assert ("RETRIEVER_INDX is not a setting", "Did you mean 'index'?") in told
    assert ("retriever.toml: tittle is not a setting", "Did you mean 'title'?") in told
    assert len(told) == 3


def test_a_file_of_settings_that_cannot_be_read_is_told(home, doctor):
    (home / "retriever.toml").write_text("k = = 1\n")
    code, checks = doctor()
    assert code == 3
    assert "retriever.toml" in failures(checks)["settings"]["found"]


@pytest.mark.usefixtures("home")
def test_a_corpus_that_is_not_there_is_told(doctor):
    code, checks = doctor(RETRIEVER_CORPUS="nowhere")
    assert code == 3
    assert failures(checks)["corpus"]["found"] == "nowhere does not exist"


@pytest.mark.usefixtures("home")
def test_threads_that_there_are_not_are_told(doctor):
    code, checks = doctor(OMP_NUM_THREADS="100000")
    assert (code, failures(checks)["threads"]["mend"]) == (3, "unset OMP_NUM_THREADS")


@pytest.mark.usefixtures("home")
def test_what_a_dead_build_left_is_told(index, doctor):
    (index / ".building-1").mkdir()
    code, checks = doctor()
    assert code == 3
    assert ".building-1" in failures(checks)["leftovers"]["found"]


def test_a_model_that_is_not_there_is_told(home, doctor):  # the index of these tests carries no encoder
    code, checks = doctor(RETRIEVER_MODEL=str(home / "nowhere"))
    assert code == 3
    assert "nowhere" in failures(checks)["model"]["found"]


@pytest.mark.model
def test_a_model_that_is_not_there_is_no_failure_where_the_index_carries_its_encoder(
    home, run_build, real_encoder, doctor
):
    run_build(encoder=real_encoder)
    code, checks = doctor(RETRIEVER_MODEL=str(home / "nowhere"))
    assert (code, failures(checks)) == (0, {})


@pytest.mark.model
@pytest.mark.usefixtures("real_encoder")
def test_an_exported_encoder_that_was_changed_is_told(home, encoders, doctor):
    shutil.copytree(next(path for path in encoders.iterdir() if path.is_dir()), home / "encoders" / "one")
    graph = home / "encoders" / "one" / "encoder.onnx"
    graph.chmod(0o644)
    graph.write_bytes(b"another" + graph.read_bytes()[7:])
    code, checks = doctor()
    assert code == 3
    assert "rm -r" in failures(checks)["encoders"]["mend"]


def test_it_is_shown_a_line_a_check_and_what_mends_it_below(tmp_path):
    environ = os.environ | {"RETRIEVER_CORPUS": "nowhere"}
    done = subprocess.run([RETRIEVER, "doctor"], cwd=tmp_path, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 3
    lines = done.stdout.splitlines()
    at = lines.index("FAILED  corpus       nowhere does not exist")
    assert lines[at + 1].strip().startswith("mkdir nowhere")


def test_neither_torch_nor_a_model_is_loaded(home):
    code = (
        "import sys; from pathlib import Path; from retriever.doctor import examine;"
        "from retriever.settings import Settings; examine(Settings(index=Path('index')), []);"
        "sys.exit(bool({'torch', 'onnxruntime', 'sentence_transformers', 'transformers'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=home, check=False).returncode == 0


@pytest.mark.usefixtures("home")
def test_a_check_that_cannot_be_made_is_a_failure_and_the_others_are_made(index, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda _: 1 / 0)
    found = {check.name: check for check in examine(Settings(index=index, corpus=()), [])}
    assert "ZeroDivisionError" in found["disk"].found
    assert found["index"].well


@pytest.mark.parametrize(
    ("wanted", "installed", "holds"),
    [
        (">=1.15,<1.16", "1.15.1", True),
        (">=1.15,<1.16", "1.16.0", False),
        ("==2.13.0", "2.13.0+cpu", True),
        ("<3,>=2", "1.9", False),
        ("", "7", True),
    ],
)
def test_a_version_is_within_its_bounds_or_not(wanted, installed, holds):
    assert admits(wanted, installed) is holds
