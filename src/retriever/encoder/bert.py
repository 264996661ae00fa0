"""BERT as int8 arrays with names, and as the graph that multiplies them: what onnxruntime or `kernel` runs.

Weights are rounded by output, tokens one by one when they come: a token's scale is its own, so that its neighbours
cost it nothing. What a few channels shout is moved into the weights first (`smoothing`).
Cosine with fp32 on questions and answers of public FAQ sets: .999 and .998.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from retriever.encoder.layout import NORMS, NOTE, PRODUCTS, Shape
from retriever.encoder.smoothing import factors_of

# A layer's products and norms, and the modules of the model that hold their weights.
_MODULES: Mapping[str, Sequence[str]] = {
    "attend": ("attention.self.query", "attention.self.key", "attention.self.value"),
    "project": ("attention.output.dense",),
    "widen": ("intermediate.dense",),
    "narrow": ("output.dense",),
    "attended": ("attention.output.LayerNorm",),
    "narrowed": ("output.LayerNorm",),
}

_KINDS = {"bert", "roberta", "xlm-roberta"}
_MODELS = (["Transformer", "Pooling"], ["Transformer", "Pooling", "Normalize"])
_POOLINGS = {"mean", "cls"}
_MOST = 127  # so that int8 lies evenly around nought
_LEAST = 1e-10  # of a token, so that nought can be rounded
_OPSET = 17


def shape_of(model: Any, pooling: str) -> Shape | None:
    """Return the shape of a SentenceTransformer; None if it is no BERT, or not all of it is."""
    kinds = [type(module).__name__ for module in model]
    if kinds not in _MODELS or pooling not in _POOLINGS:
        return None
    config: Any = model[0].auto_model.config
    if config.model_type not in _KINDS or config.hidden_act != "gelu":
        return None
    if getattr(config, "position_embedding_type", "absolute") != "absolute":
        return None
    return Shape(
        config.num_hidden_layers,
        config.hidden_size,
        config.intermediate_size,
        config.num_attention_heads,
        pooling == "cls",
        config.layer_norm_eps,
    )


# --- arrays -------------------------------------------------------------------------------------------------------


def arrays_of(bert: Any, shape: Shape, window: int, sample: Sequence[Sequence[int]]) -> dict[str, NDArray[Any]]:
    """Return the arrays of a transformers model, held against what it makes of the token ids of `sample`.

    Their names and shapes are those of `layout`.
    """
    weights = {name: tensor.detach().numpy() for name, tensor in bert.state_dict().items()}
    loudest = _loudest(bert, sample)
    words, word_scales = _rounded(weights["embeddings.word_embeddings.weight"], axis=1)
    # Where padding has a position of its own, texts begin behind it.
    padding = bert.embeddings.position_embeddings.padding_idx
    begin = 0 if padding is None else padding + 1
    places = weights["embeddings.position_embeddings.weight"][begin : begin + window]
    arrays: dict[str, NDArray[Any]] = {"words": words, "word_scales": word_scales}
    arrays["places"] = places + weights["embeddings.token_type_embeddings.weight"][0]
    arrays |= _norm(weights, "embedded", "embeddings.LayerNorm")
    for number in range(shape.layers):
        prefix = f"encoder.layer.{number}."
        for name in PRODUCTS:
            modules = _MODULES[name]
            matrix = np.concatenate([weights[f"{prefix}{module}.weight"].T for module in modules], axis=1)
            # What attention puts out has no loud channels.
            if name != "project":
                factors = factors_of(matrix, loudest[prefix + modules[0]])
                matrix, arrays[f"{number}.{name}.factors"] = matrix * factors[:, None], 1 / factors
            rounded, scales = _rounded(matrix, axis=0)
            arrays[f"{number}.{name}.weights"], arrays[f"{number}.{name}.scales"] = rounded, scales[0]
            arrays[f"{number}.{name}.bias"] = np.concatenate([weights[f"{prefix}{m}.bias"] for m in modules])
        for name in NORMS:
            arrays |= _norm(weights, f"{number}.{name}", prefix + _MODULES[name][0])
    return arrays


def _norm(weights: Mapping[str, NDArray[Any]], name: str, module: str) -> dict[str, NDArray[Any]]:
    return {f"{name}.{part}": weights[f"{module}.{part}"] for part in ("weight", "bias")}


def _rounded(matrix: NDArray[np.float32], axis: int) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Return int8 numbers and the scales to multiply them by: one for all that differ in `axis` alone."""
    scales = np.maximum(np.abs(matrix).max(axis=axis, keepdims=True), _LEAST) / np.float32(_MOST)
    return np.rint(matrix / scales).astype(np.int8), scales.astype(np.float32)


def _loudest(bert: Any, sample: Sequence[Sequence[int]]) -> Mapping[str, NDArray[np.float32]]:
    """Return the largest size of each number that goes into a product, shape (inputs,), by its module."""
    import torch

    loudest: dict[str, NDArray[np.float32]] = {}

    def watch(name: str) -> Any:
        def hook(_module: Any, given: tuple[Any, ...]) -> None:
            sizes = given[0].abs().reshape(-1, given[0].shape[-1]).max(dim=0).values.numpy()
            loudest[name] = np.maximum(loudest.get(name, sizes), sizes)

        return hook

    modules = [(name, module) for name, module in bert.named_modules() if isinstance(module, torch.nn.Linear)]
    hooks = [module.register_forward_pre_hook(watch(name)) for name, module in modules]
    with torch.no_grad():
        for ids in sample:
            bert(torch.tensor([ids]))
    for hook in hooks:
        hook.remove()
    return loudest


# --- graph --------------------------------------------------------------------------------------------------------


def write_graph(arrays: Mapping[str, NDArray[Any]], shape: Shape, path: Path) -> None:
    """Write the graph: `input_ids` int64 (1, tokens) to `vectors` (1, hidden) of unit length."""
    import onnx

    graph = _Graph()
    vectors = _encode(graph, arrays, shape)
    tensors = [onnx.numpy_helper.from_array(np.ascontiguousarray(array), name) for name, array in arrays.items()]
    ids = onnx.helper.make_tensor_value_info("input_ids", onnx.TensorProto.INT64, [1, "tokens"])
    out = onnx.helper.make_tensor_value_info(vectors, onnx.TensorProto.FLOAT, [1, shape.hidden])
    made = onnx.helper.make_graph(graph.nodes, "bert", [ids], [out], tensors + graph.constants)
    opsets = [onnx.helper.make_opsetid("", _OPSET), onnx.helper.make_opsetid("com.microsoft", 1)]
    model = onnx.helper.make_model(made, opset_imports=opsets, ir_version=8)
    onnx.helper.set_model_props(model, {NOTE: msgspec.json.encode(shape).decode()})
    path.write_bytes(model.SerializeToString(deterministic=True))


class _Graph:
    """Nodes in order, each value named once."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def add(self, kind: str, *given: str, into: str = "", count: int = 1, domain: str = "", **attributes: Any) -> Any:
        """Return the name of what a new node puts out, or their names where they are more."""
        import onnx

        name = into or f"v{len(self.nodes)}"
        out = [name] if count == 1 else [f"{name}.{number}" for number in range(count)]
        self.nodes.append(onnx.helper.make_node(kind, given, out, domain=domain, **attributes))
        return name if count == 1 else out

    def constant(self, value: Any) -> str:
        import onnx

        name = f"c{len(self.constants)}"
        self.constants.append(onnx.numpy_helper.from_array(np.asarray(value), name))
        return name


def _encode(graph: _Graph, arrays: Mapping[str, NDArray[Any]], shape: Shape) -> str:
    add, epsilon = graph.add, shape.epsilon
    length = add("Slice", add("Shape", "input_ids"), *map(graph.constant, ([1], [2])))
    places = add("Slice", "places", graph.constant([0]), length)
    words = add("Cast", add("Gather", "words", "input_ids"), to=_FLOAT)
    x = add("Add", add("Mul", words, add("Gather", "word_scales", "input_ids")), places)
    x = _normed(graph, x, "embedded", epsilon)
    multiply = _Product(graph, arrays)
    for number in range(shape.layers):
        parts = add("Split", multiply(f"{number}.attend", x), count=3, axis=-1)
        attended = add("MultiHeadAttention", *parts, domain=_MORE, num_heads=shape.heads)
        x = add("Add", multiply(f"{number}.project", attended), x)
        x = _normed(graph, x, f"{number}.attended", epsilon)
        wide = add("Gelu", multiply(f"{number}.widen", x), domain=_MORE)
        x = add("Add", multiply(f"{number}.narrow", wide), x)
        x = _normed(graph, x, f"{number}.narrowed", epsilon)
    pooled = add("Gather", x, graph.constant(0), axis=1) if shape.first else add("ReduceMean", x, axes=[1], keepdims=0)
    return str(add("LpNormalization", pooled, into="vectors", axis=-1, p=2))


_FLOAT, _UINT8 = 1, 2  # onnx.TensorProto.FLOAT and UINT8
_MORE = "com.microsoft"


def _normed(graph: _Graph, x: str, name: str, epsilon: float) -> str:
    return str(graph.add("LayerNormalization", x, f"{name}.weight", f"{name}.bias", epsilon=epsilon, axis=-1))


class _Product:
    """Puts in a graph what rounds tokens, each by its own largest number, multiplies and scales back."""

    def __init__(self, graph: _Graph, arrays: Mapping[str, NDArray[Any]]) -> None:
        self._graph = graph
        self._arrays = arrays
        self._most, self._least = (graph.constant(np.float32(value)) for value in (_MOST, _LEAST))
        self._one, self._raise = (graph.constant(np.float32(value)) for value in (1, 128))
        self._nought = graph.constant(np.uint8(128))

    def __call__(self, name: str, x: str) -> str:
        add = self._graph.add
        if f"{name}.factors" in self._arrays:
            x = add("Mul", x, f"{name}.factors")
        largest = add("Max", add("ReduceMax", add("Abs", x), axes=[-1]), self._least)
        rounded = add("Round", add("Mul", x, add("Div", self._most, largest)))
        # onnxruntime is quick at unsigned times signed numbers only.
        raised = add("Cast", add("Add", rounded, self._raise), to=_UINT8)
        weights = f"{name}.weights", self._one, f"{name}.scales", self._nought
        product = add("MatMulIntegerToFloat", raised, *weights, domain=_MORE)
        scaled = add("Mul", product, add("Div", largest, self._most))
        return str(add("Add", scaled, f"{name}.bias"))
