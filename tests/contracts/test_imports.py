"""What is imported when: heavy libraries only where they are needed, and `__all__` is what is visible."""

import subprocess
import sys

import pytest

import retriever
from retriever.encoder import why_not

HEAVY = ["numpy", "faiss", "torch", "sentence_transformers", "transformers", "onnxruntime"]
HEAVY += ["fastapi", "pydantic", "uvicorn", "nh3", "markdown_it", "jinja2", "yaml", "rich", "ir_measures", "sqlite3"]
HELP = """
import sys
from retriever.cli import main
sys.argv = ["retriever", *{arguments}]
try:
    main()
except SystemExit:
    pass
"""


def loaded_by(code: str) -> set[str]:
    """Return which heavy libraries a fresh Python has loaded once it has run `code`."""
    code += f"\nimport sys; print('\\n', *[name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


def test_this_test_would_notice():
    assert loaded_by("import retriever.api") >= {"numpy", "fastapi", "pydantic", "jinja2"}


def test_importing_retriever_loads_nothing_heavy():
    assert loaded_by("import retriever") == set()


def test_help_loads_nothing_heavy():
    assert loaded_by(HELP.format(arguments=["--help"])) == set()


# Typer itself loads pydantic to convert the options of a command.


@pytest.mark.parametrize("command", ["build", "ask", "serve", "evaluate", "export", "lint", "doctor", "info"])
def test_the_help_of_a_command_loads_nothing_heavy_of_ours(command):
    assert loaded_by(HELP.format(arguments=[command, "--help"])) <= {"pydantic"}


def test_a_misspelt_setting_is_told_before_anything_heavy_is_loaded():
    code = "import os; os.environ['RETRIEVER_INDX'] = 'x'\n" + HELP.format(arguments=["ask", "question"])
    assert loaded_by(code) <= {"pydantic"}


def test_asking_from_python_loads_neither_a_web_framework_nor_readers():
    assert loaded_by("from retriever import Searcher") & {"fastapi", "pydantic", "uvicorn", "nh3", "jinja2"} == set()


def test_the_model_is_loaded_by_nothing_but_encoding():
    code = "from retriever.encoder import load_encoder; load_encoder(precision='fp32').spec"
    assert loaded_by(code) & {"torch", "sentence_transformers", "transformers"} == set()


@pytest.mark.usefixtures("real_encoder")
def test_a_build_that_finds_nothing_changed_loads_no_engine_and_no_parser(corpus, index):
    code = HELP.format(arguments=["build", "--corpus", str(corpus), "--index", str(index)])
    heavy = {"faiss", "onnxruntime", "torch", "sentence_transformers", "nh3", "markdown_it"}
    assert loaded_by(code) & heavy == ({"faiss", "onnxruntime"} if why_not() else {"faiss"})
    assert loaded_by(code) & heavy == set()


def test_all_is_what_is_visible():
    assert dir(retriever) == sorted(retriever.__all__)


@pytest.mark.parametrize("name", retriever.__all__)
def test_what_is_visible_is_there_and_says_what_it_is(name):
    found = getattr(retriever, name)
    assert name == "__version__" or found.__doc__


def test_what_is_not_visible_is_not_there():
    with pytest.raises(AttributeError, match="Nonesuch"):
        _ = retriever.Nonesuch


def test_a_star_brings_all_and_nothing_else():
    found: dict = {}
    exec("from retriever import *", found)
    assert set(found) - {"__builtins__"} == set(retriever.__all__)
