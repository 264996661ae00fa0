"""The three servers that `bench/speed.py` compares: how each is made, started, asked, and what it costs. Linux only."""

from __future__ import annotations

import json
import os
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from load import Client
from material import Material
from retriever.encoder import find_model

BENCH = Path(__file__).parent
TXTAI = "9.14.0"
_START_SECONDS, _STOP_SECONDS = 180, 20
_HITS = 5
# No peer may look for anything outside this machine, and none needs to.
_OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}


@dataclass(frozen=True, slots=True)
class System:
    """A server: its command for a port, what a question is to it, and how its replies are read.

    `found` is what stands in the body of every reply that holds a hit; `first` gives the text of the first one.
    """

    name: str
    command: Callable[[int], Sequence[str]]
    request: Callable[[str], bytes]
    found: bytes
    first: Callable[[Any], str]
    environment: Mapping[str, str] = field(default_factory=dict)

    def is_answer(self, body: bytes) -> bool:
        return self.found in body


def _post(path: str, body: Mapping[str, Any]) -> bytes:
    content = json.dumps(body).encode()
    lines = (
        f"POST {path} HTTP/1.1",
        "Host: localhost",
        "Content-Type: application/json",
        f"Content-Length: {len(content)}",
    )
    return "\r\n".join((*lines, "", "")).encode() + content


def _get(address: str) -> bytes:
    return f"GET {address} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


# --- making -------------------------------------------------------------------------------------------------------


def three(material: Material, work: Path, options: str) -> list[System]:
    """Return the three servers, each with its index of the same entries, made in `work` where it is not there yet.

    `options` are those of `retriever serve`, as on a command line.
    """
    return [product(material, options), _plain(material), _txtai(material, work)]


def product(material: Material, options: str) -> System:
    """Return the product, with its index made."""
    retriever = [sys.executable, "-m", "retriever"]
    index = ["--index", str(material.folder / "retriever")]
    paths = [word for path in material.corpus for word in ("--corpus", str(path))]
    done = subprocess.run([*retriever, "build", *paths, *index], stdout=subprocess.DEVNULL, check=False)
    if done.returncode not in {0, 3}:  # 3: something in the corpus was refused, for every system alike
        raise SystemExit(f"retriever build failed: {done.returncode}")
    return System(
        name="retriever",
        command=lambda port: [*retriever, "serve", *index, "--port", str(port), *shlex.split(options)],
        request=lambda question: _post("/ask", {"question": question, "k": _HITS}),
        found=b'"hits":[{',
        first=lambda reply: str(reply["hits"][0]["question"]),
    )


def _plain(material: Material) -> System:
    folder = material.folder
    environment = {**_OFFLINE, "MODEL": str(find_model("all-MiniLM-L6-v2")), "INDEX": str(folder / "plain")}
    if not (folder / "plain" / "index.faiss").exists():
        command = [sys.executable, str(BENCH / "plain.py"), str(material.documents), str(folder / "plain")]
        subprocess.run(command, env={**os.environ, **environment}, check=True)
    return System(
        name="plain stack",
        command=lambda port: [sys.executable, *_uvicorn("plain:app", port), "--app-dir", str(BENCH)],
        request=lambda question: _post("/search", {"text": question, "limit": _HITS}),
        found=b'"results":[{',
        first=lambda reply: str(reply["results"][0]["question"]),
        environment=environment,
    )


def _txtai(material: Material, work: Path) -> System:
    python, home = _txtai_python(work / "txtai"), material.folder / "txtai"
    if not (home / "config.yml").exists():
        home.mkdir(exist_ok=True)
        model = str(find_model("all-MiniLM-L6-v2"))
        command = [python, str(BENCH / "txtai_index.py"), str(material.documents), model, str(home)]
        subprocess.run(command, env={**_clean(), **_OFFLINE}, check=True)
    return System(
        name=f"txtai {TXTAI}",
        command=lambda port: [python, *_uvicorn("txtai.api:app", port)],
        request=lambda question: _get(f"/search?limit={_HITS}&query={quote(question, safe='')}"),
        found=b'"text":',
        first=lambda reply: str(reply[0]["text"]),
        environment={**_OFFLINE, "CONFIG": str(home / "config.yml")},
    )


def _uvicorn(app: str, port: int) -> list[str]:
    # Their log of requests is off: the product writes none either.
    return ["-m", "uvicorn", app, "--port", str(port), "--no-access-log", "--log-level", "warning"]


def _txtai_python(home: Path) -> str:
    """Return the Python of a venv that has txtai, made on first use.

    It sees this venv's packages behind its own: torch, transformers and FAISS are then the same builds for all.
    """
    python, made = home / "bin" / "python", home / f".installed-{TXTAI}"
    if not made.exists():
        print(f"Installing txtai {TXTAI} into {home}", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(home)], check=True)
        ours = next(path for path in map(Path, sys.path) if path.name == "site-packages")
        (next((home / "lib").glob("python3*")) / "site-packages" / "ours.pth").write_text(f"{ours}\n", encoding="utf-8")
        install = [str(python), "-m", "pip", "install", "-qq", "--disable-pip-version-check", f"txtai[api]=={TXTAI}"]
        subprocess.run(install, env=_clean(), check=True)
        made.touch()
    return str(python)


def _clean() -> dict[str, str]:
    """Return this environment less what would put our own modules before txtai's."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


# --- running ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Running:
    """A server that has given its first correct answer, `start_s` after its process was started."""

    process: subprocess.Popen[bytes]
    port: int
    start_s: float

    def memory(self) -> dict[str, float]:
        """Return megabytes of all its processes.

        `pss`: pages that several processes map are shared out among them; `anonymous`: less the pages of mapped files,
        which the kernel can drop and any other process may use; `rss`: shared pages counted in full by each process.
        """
        keys = {"Pss": "pss", "Pss_Anon": "anonymous", "Pss_Shmem": "anonymous", "Rss": "rss"}
        total = dict.fromkeys(keys.values(), 0.0)
        for process in _tree(self.process.pid):
            lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()[1:]
            for name, _, rest in (line.partition(":") for line in lines):
                if name in keys:
                    total[keys[name]] += int(rest.split()[0]) / 1000
        return {name: round(value, 1) for name, value in total.items()}

    def cpu_seconds(self) -> float:
        """Return the processor time that all its processes have used."""
        stats = (Path(f"/proc/{process}/stat").read_text() for process in _tree(self.process.pid))
        fields = (stat.rpartition(")")[2].split() for stat in stats)
        return sum(int(values[11]) + int(values[12]) for values in fields) / os.sysconf("SC_CLK_TCK")


def _tree(process: int) -> list[int]:
    """Return `process` and all that it started."""
    children = " ".join(path.read_text() for path in Path(f"/proc/{process}/task").glob("*/children")).split()
    return [process, *(one for child in children for one in _tree(int(child)))]


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


@contextmanager
def running(system: System, probe: str, log: Path) -> Iterator[Running]:
    """Start `system` and wait until the first hit of its answer to `probe`, an entry's own question, is that entry."""
    port = free_port()
    environment = {**_clean(), **system.environment} if "txtai" in system.name else {**os.environ, **system.environment}
    with log.open("wb") as out:
        began = time.perf_counter()
        process = subprocess.Popen(system.command(port), env=environment, stdout=out, stderr=out)
        try:
            while not _answers(system, port, probe):
                if process.poll() is not None or time.perf_counter() - began > _START_SECONDS:
                    raise SystemExit(f"{system.name} does not answer {probe!r}:\n{log.read_text()[-2000:]}")
                time.sleep(0.005)
            yield Running(process, port, round(time.perf_counter() - began, 3))
        finally:
            process.terminate()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _answers(system: System, port: int, probe: str) -> bool:
    try:
        client = Client(port)
    except OSError:
        return False
    try:
        status, body = client.ask(system.request(probe))
        return status == 200 and system.is_answer(body) and system.first(json.loads(body)).startswith(probe)
    except OSError:
        return False
    finally:
        client.close()
