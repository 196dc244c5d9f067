"""Write a trained network as one ONNX graph with int8 weights.

The graph reads one prompt, without padding or mask, so that a prompt's score does not depend on its
neighbours: dynamic quantisation scales the activations by the largest of all that it is given.
Weights of products have 7 bits (``reduce_range``), because CPUs without VNNI add two products in
16 bits, which 8 bits would overflow. Word vectors have 8 bits and a scale each. Standard operators
alone.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...optional import require

OPSET = 17
_IR_VERSION = 8

Array = NDArray[Any]


def int8_model(weights: Mapping[str, Array], heads: int, head: Array, bias: Array) -> bytes:
    """Return the serialised model: ``token_ids`` (tokens,) to ``told`` (2,).

    Args:
        weights: of an ``ItemNetwork``, by name.
        heads: of the encoder's attention.
        head: what both outputs take of the mean state scaled to length 1, shape (2, dim).
        bias: added to them, shape (2,).

    Raises:
        MissingExtraError: onnx or onnxruntime is not installed.
    """
    onnx = require("onnx", "train", "writing a bert checkpoint")
    quantization = require("onnxruntime.quantization", "train", "writing a bert checkpoint")
    model = _float_model(onnx, weights, heads, head, bias)
    with tempfile.TemporaryDirectory() as folder:
        whole, small = Path(folder, "float.onnx"), Path(folder, "int8.onnx")
        onnx.save(model, whole)
        quantization.quantize_dynamic(
            whole,
            small,
            op_types_to_quantize=["MatMul"],
            per_channel=True,
            reduce_range=True,
            weight_type=quantization.QuantType.QInt8,
        )
        return small.read_bytes()


class _Graph:
    """Collects nodes and weights."""

    def __init__(self, onnx: Any) -> None:
        self._onnx = onnx
        self.nodes: list[Any] = []
        self.weights: list[Any] = []

    def weight(self, name: str, values: Array) -> str:
        self.weights.append(self._onnx.numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def add(self, kind: str, *inputs: str, name: str = "", **attributes: Any) -> str:
        return self.several(kind, 1, *inputs, names=[name] if name else [], **attributes)[0]

    def several(
        self, kind: str, outputs: int, *inputs: str, names: list[str] | None = None, **given: Any
    ) -> list[str]:
        number = len(self.nodes)
        made = names or [f"{kind}_{number}_{output}" for output in range(outputs)]
        node = self._onnx.helper.make_node(
            kind, list(inputs), made, name=f"{kind}_{number}", **given
        )
        self.nodes.append(node)
        return made

    def linear(self, x: str, name: str, weight: Array, bias: Array) -> str:
        product = self.add("MatMul", x, self.weight(f"{name}.weight", weight.T))
        return self.add("Add", product, self.weight(f"{name}.bias", bias))

    def norm(self, x: str, name: str, weights: Mapping[str, Array]) -> str:
        return self.add(
            "LayerNormalization",
            x,
            self.weight(f"{name}.weight", weights[f"{name}.weight"]),
            self.weight(f"{name}.bias", weights[f"{name}.bias"]),
            axis=-1,
            epsilon=1e-12,
        )


def _float_model(
    onnx: Any, weights: Mapping[str, Array], heads: int, head: Array, bias: Array
) -> Any:
    graph = _Graph(onnx)
    x = _embedded(graph, onnx, weights)
    dim = weights["encoder.embeddings.LayerNorm.weight"].shape[0]
    shapes = {
        "heads": graph.weight("heads", np.array([-1, heads, dim // heads], np.int64)),
        "flat": graph.weight("flat", np.array([-1, dim], np.int64)),
    }
    numbers = {
        name: graph.weight(name, np.array(value, np.float32))
        for name, value in (("half", 0.5), ("one", 1.0), ("root", np.sqrt(2.0)))
    }
    layers = 1 + max(int(name.split(".")[3]) for name in weights if ".layer." in name)
    for layer in range(layers):
        x = _layer(graph, x, f"encoder.encoder.layer.{layer}", weights, shapes, numbers, heads)
    pooled = graph.add("ReduceMean", x, axes=[0], keepdims=1)
    last = graph.weight("last", np.array([1], np.int64))
    squares = graph.add("ReduceSum", graph.add("Mul", pooled, pooled), last, keepdims=1)
    unit = graph.add("Div", pooled, graph.add("Sqrt", squares))
    # As a sum and not as a product, so that it is not quantised.
    of_each = graph.add("Mul", unit, graph.weight("head", head.astype(np.float32)))
    sums = graph.add("ReduceSum", of_each, last, keepdims=0)
    graph.add("Add", sums, graph.weight("head.bias", bias.astype(np.float32)), name="told")
    helper, proto = onnx.helper, onnx.TensorProto
    made = helper.make_graph(
        graph.nodes,
        "bert",
        [helper.make_tensor_value_info("token_ids", proto.INT64, ["tokens"])],
        [helper.make_tensor_value_info("told", proto.FLOAT, [2])],
        graph.weights,
    )
    model = helper.make_model(
        made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=_IR_VERSION
    )
    # There is nothing to prepare before quantisation, which warns unless this says so.
    helper.set_model_props(model, {"onnx.quant.pre_process": "onnxruntime.quant"})
    onnx.checker.check_model(model)
    return model


def _embedded(graph: _Graph, onnx: Any, weights: Mapping[str, Array]) -> str:
    name = "encoder.embeddings"
    words = weights[f"{name}.word_embeddings.weight"]
    scale = np.abs(words).max(axis=1, keepdims=True) / 127
    scale = np.where(scale > 0, scale, 1.0).astype(np.float32)
    table = graph.weight("words", np.round(words / scale).astype(np.int8))
    steps = graph.add("Gather", table, "token_ids")
    steps = graph.add("Cast", steps, to=onnx.TensorProto.FLOAT)
    sizes = graph.add("Gather", graph.weight("word_scale", scale), "token_ids")
    places = weights[f"{name}.position_embeddings.weight"]
    places = places + weights[f"{name}.token_type_embeddings.weight"][0]
    zero = graph.weight("zero", np.array([0], np.int64))
    table = graph.weight("positions", places.astype(np.float32))
    place = graph.add("Slice", table, zero, graph.add("Shape", "token_ids"), zero)
    x = graph.add("Add", graph.add("Mul", steps, sizes), place)
    return graph.norm(x, f"{name}.LayerNorm", weights)


def _layer(
    graph: _Graph,
    x: str,
    name: str,
    weights: Mapping[str, Array],
    shapes: Mapping[str, str],
    numbers: Mapping[str, str],
    heads: int,
) -> str:
    """Add one layer: attention, then gelu between two linear functions."""

    def of(part: str) -> tuple[Array, Array]:
        return weights[f"{name}.{part}.weight"], weights[f"{name}.{part}.bias"]

    parts = [of(f"attention.self.{part}") for part in ("query", "key", "value")]
    # The scale of attention goes into the queries.
    root = np.float32(np.sqrt(len(parts[0][1]) // heads))
    parts[0] = (parts[0][0] / root, parts[0][1] / root)
    matrices, biases = (np.concatenate(each) for each in zip(*parts, strict=True))
    together = graph.linear(x, f"{name}.attention.self", matrices, biases)
    query, key, value = (
        graph.add("Reshape", part, shapes["heads"])
        for part in graph.several("Split", 3, together, axis=1)
    )
    scores = graph.add(
        "MatMul",
        graph.add("Transpose", query, perm=[1, 0, 2]),
        graph.add("Transpose", key, perm=[1, 2, 0]),
    )
    mixed = graph.add(
        "MatMul",
        graph.add("Softmax", scores, axis=-1),
        graph.add("Transpose", value, perm=[1, 0, 2]),
    )
    mixed = graph.add("Transpose", mixed, perm=[1, 0, 2])
    mixed = graph.add("Reshape", mixed, shapes["flat"])
    own = f"{name}.attention.output"
    mixed = graph.linear(mixed, f"{own}.dense", *of("attention.output.dense"))
    x = graph.norm(graph.add("Add", mixed, x), f"{own}.LayerNorm", weights)
    wide = graph.linear(x, f"{name}.intermediate", *of("intermediate.dense"))
    erf = graph.add("Erf", graph.add("Div", wide, numbers["root"]))
    wide = graph.add("Mul", wide, graph.add("Add", erf, numbers["one"]))
    wide = graph.add("Mul", wide, numbers["half"])
    narrow = graph.linear(wide, f"{name}.output", *of("output.dense"))
    return graph.norm(graph.add("Add", narrow, x), f"{name}.output.LayerNorm", weights)
