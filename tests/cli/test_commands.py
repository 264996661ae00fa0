"""What the command line does where no model is needed: usage, settings, and an index that is missing or damaged."""

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

RETRIEVER = Path(sys.executable).with_name("retriever")
COMMANDS = ["build", "ask", "serve", "evaluate", "info"]


@pytest.fixture
def retriever(tmp_path):
    """Return a function that runs the command in an empty folder."""

    def run(*arguments, **variables):
        environ = {name: value for name, value in os.environ.items() if not name.startswith("RETRIEVER_")}
        return subprocess.run(
            [RETRIEVER, *map(str, arguments)],
            cwd=tmp_path,
            env=environ | variables,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    return run


def assert_fails(done, code: int, *parts: str) -> None:
    """It ended with `code`, said each of `parts` on stderr and nothing on stdout, and showed no traceback."""
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    for part in parts:
        assert part in done.stderr


# --- usage --------------------------------------------------------------------------------------------------------


def test_help_names_every_command(retriever):
    done = retriever("--help")
    assert done.returncode == 0
    assert all(f"\n  {command} " in done.stdout for command in COMMANDS)


def test_the_help_of_a_command_names_the_variable_of_an_option(retriever):
    assert "[RETRIEVER_MIN_CONFIDENCE]" in " ".join(retriever("ask", "--help").stdout.split())


@pytest.mark.parametrize(
    "arguments",
    [
        ["no-such-command"],
        ["ask", "--colour", "blue", "question"],
        ["build", "--corpuss", "x"],
        ["ask"],
        ["evaluate"],
        ["ask", "question", "-k", "five"],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_2(retriever, arguments):
    assert_fails(retriever(*arguments), 2, "Usage: retriever")


def test_a_misspelt_option_is_told_the_right_one(retriever):
    assert_fails(retriever("ask", "--explan", "question"), 2, "--explan", "--explain")


# --- settings -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [["build"], ["ask", "question"], ["serve"], ["evaluate", "set"], ["info"]])
def test_a_misspelt_variable_is_2_for_every_command(retriever, command):
    assert_fails(retriever(*command, RETRIEVER_INDX="x"), 2, "error: RETRIEVER_INDX", "Did you mean 'index'?")


def test_a_misspelt_key_is_2(retriever, tmp_path):
    (tmp_path / "retriever.toml").write_text("min_confidense = 0.4\n")
    assert_fails(retriever("info"), 2, "retriever.toml: min_confidense", "Did you mean 'min_confidence'?")


def test_a_value_out_of_bounds_is_2(retriever):
    assert_fails(retriever("ask", "question", "-k", "51"), 2, "error: k is 51; it must be between 1 and 50")


def test_an_option_wins_over_the_variable_over_the_file(retriever, tmp_path):
    (tmp_path / "retriever.toml").write_text('index = "from-file"\n')
    assert "from-file" in retriever("info").stderr
    assert "from-variable" in retriever("info", RETRIEVER_INDEX="from-variable").stderr
    assert "from-option" in retriever("info", "--index", "from-option", RETRIEVER_INDEX="from-variable").stderr


# --- an index that is missing or damaged --------------------------------------------------------------------------


@pytest.mark.parametrize("command", [["ask", "question"], ["serve", "--port", "0"], ["info"], ["info", "--verify"]])
def test_without_an_index_it_is_1_and_names_the_command_that_builds_one(retriever, command):
    done = retriever(*command, "--index", "nowhere")
    assert_fails(done, 1, "error: there is no index in nowhere", "retriever build --index nowhere")


def test_a_corpus_that_is_not_there_is_1_and_named(retriever):
    assert_fails(retriever("build", "--corpus", "no-such-folder"), 1, "no-such-folder")


def test_a_corpus_without_a_question_is_1_and_says_why(retriever, tmp_path):
    (tmp_path / "bad.csv").write_text("question,answer\nWhy?,\n")
    done = retriever("build", "--corpus", "bad.csv")
    assert_fails(done, 1, "error: no question with an answer was found in bad.csv", "bad.csv:2: a question without")


def test_a_model_that_is_not_there_is_1_and_named(retriever):
    assert_fails(retriever("build", "--model", "./no-such-model"), 1, "error: model './no-such-model'")


def test_a_test_set_that_is_not_there_is_1_and_named(retriever):
    assert_fails(retriever("evaluate", "no-such-set"), 1, "error: no-such-set is not a test set")


def test_an_encoder_that_is_not_here_is_1_and_named(retriever, run_build, index):
    run_build()  # with the hashing encoder, which no command line can load
    assert_fails(retriever("ask", "question", "--index", index), 1, "error: model 'hashing'")


def test_info_says_what_is_served(retriever, run_build, index):
    snapshot = run_build().snapshot
    done = retriever("info", "--index", index)
    assert (done.returncode, done.stderr) == (0, "")
    assert snapshot in done.stdout


def test_info_verifies_a_sound_index(retriever, run_build, index):
    run_build()
    assert "every digest verified" in retriever("info", "--verify", "--index", index).stdout


@pytest.mark.parametrize("name", ["entries.jsonl", "vectors.faiss", "passages.npy", "manifest.json"])
def test_info_verify_of_a_damaged_file_is_1_and_names_it(retriever, run_build, index, name):
    run_build()
    (path,) = index.glob(f"snapshots/*/{name}")
    path.chmod(0o644)
    raw = bytearray(path.read_bytes())
    raw[-3] ^= 1
    path.write_bytes(raw)
    assert_fails(retriever("info", "--verify", "--index", index), 1, name, "retriever build")


def test_a_port_that_is_taken_is_1_and_named(retriever, run_build, index):
    run_build()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = retriever("serve", "--index", index, "--port", port)
    assert done.returncode == 1
    assert f"error: cannot serve on 127.0.0.1:{port}" in done.stderr
    assert "Traceback" not in done.stderr


# --- pipes --------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not shutil.which("sh"), reason="needs a shell to make the pipe")
def test_a_reader_that_leaves_early_gets_no_traceback(tmp_path, run_build, index):
    run_build()
    script = f"'{RETRIEVER}' info --json --index '{index}' | true"
    done = subprocess.run(["sh", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stderr == ""
