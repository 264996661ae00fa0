"""The plain stack that the product is measured against: sentence-transformers, FAISS and FastAPI, as tutorials have it.

    python bench/plain.py DOCUMENTS FOLDER        encode the documents, and keep the index in FOLDER
    INDEX=FOLDER uvicorn --app-dir bench plain:app

Its index is made ahead and only read at the start, which is kinder to it than most tutorials are. MODEL is the folder
of the encoder.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import faiss
from fastapi import FastAPI
from pydantic import BaseModel
from sentence_transformers import SentenceTransformer

state: dict[str, Any] = {}


def build(documents: Path, folder: Path) -> None:
    """Encode question and answer of each document as one text."""
    entries = json.loads(documents.read_text(encoding="utf-8"))
    model = SentenceTransformer(os.environ["MODEL"], device="cpu")
    texts = [f"{entry['question']}\n{entry['answer']}" for entry in entries]
    vectors = model.encode(texts, normalize_embeddings=True, batch_size=64)
    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(vectors)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "documents.json").write_text(json.dumps(entries), encoding="utf-8")
    faiss.write_index(index, str(folder / "index.faiss"))


@asynccontextmanager
async def lifespan(_app: FastAPI):
    """Open the model and the index before the first request."""
    folder = Path(os.environ["INDEX"])
    state["model"] = SentenceTransformer(os.environ["MODEL"], device="cpu")
    state["index"] = faiss.read_index(str(folder / "index.faiss"))
    state["documents"] = json.loads((folder / "documents.json").read_text(encoding="utf-8"))
    yield


app = FastAPI(lifespan=lifespan)


class Question(BaseModel):
    """What is asked."""

    text: str
    limit: int = 5


@app.post("/search")
def search(question: Question) -> dict[str, Any]:
    """Return the nearest documents."""
    vector = state["model"].encode([question.text], normalize_embeddings=True)
    scores, places = state["index"].search(vector, question.limit)
    found = zip(scores[0].tolist(), places[0].tolist(), strict=True)
    return {"results": [{"score": score, **state["documents"][place]} for score, place in found]}


if __name__ == "__main__":
    build(Path(sys.argv[1]), Path(sys.argv[2]))
