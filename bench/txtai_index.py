"""Make the index that txtai's API serves. Run by the Python that txtai is installed for: DOCUMENTS MODEL FOLDER."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from txtai import Embeddings


def main(documents: str, model: str, folder: str) -> None:
    """Index question and answer of each document as one text, and write the configuration beside the index."""
    entries = json.loads(Path(documents).read_text(encoding="utf-8"))
    embeddings = Embeddings(path=model, content=True)
    embeddings.index((at, f"{entry['question']}\n{entry['answer']}", None) for at, entry in enumerate(entries))
    embeddings.save(f"{folder}/index")
    settings = {"path": f"{folder}/index", "writable": False, "embeddings": {"path": model, "content": True}}
    # JSON is YAML too.
    Path(folder, "config.yml").write_text(json.dumps(settings), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
