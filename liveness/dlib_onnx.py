"""The dlib face net, read from its own file and written as ONNX: the same values 15 to 20 times faster, without dlib or torch.

Owns:    the layout of `dlib_face_recognition_resnet_model_v1.dat` and the graph. Leaves fetching to `model_building`.
Rules:   byte for byte reproducible: only element-wise float32 arithmetic, a fixed IR version, no producer version
Spec:    dlib serialization (control byte with length and sign, little-endian); ONNX IR 8, opset 17
"""

import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from liveness.errors import ModelsRefused

Array = NDArray[np.float32]

# dlib's input layer subtracts these and divides by 256 (input_rgb_image_sized, defaults of the published net).
MEAN_RGB = (122.782, 117.001, 104.298)
SIDE = 150
CONVOLUTIONS = 29
# Residual blocks from input to output; True halves the picture (dlib's ares_down).
BLOCKS = (False,) * 3 + (True,) + (False,) * 3 + (True,) + (False,) * 2 + (True,) + (False,) * 2 + (True,)

_TAGS = re.compile(
    rb"(?:con_\d|affine_\d?|bn_con\d?|bn_fc\d?|fc_\d|max_pool_\d?|avg_pool_\d?|relu_|add_prev_|loss_metric_\d?"
    rb"|input_rgb_image_sized)"
)


@dataclass(frozen=True, slots=True)
class Convolution:
    """One convolution with its affine layer folded in: weights F x K x H x W."""

    weights: Array
    bias: Array
    stride: int
    padding: int


@dataclass(slots=True)
class _Reader:
    """Reads dlib's serialized integers and tensors from one position onwards."""

    data: bytes
    at: int

    def integer(self) -> int:
        control = self.data[self.at]
        length = control & 0x0F
        value = int.from_bytes(self.data[self.at + 1 : self.at + 1 + length], "little")
        self.at += 1 + length
        return -value if control & 0x80 else value

    def tensor(self) -> Array:
        if self.integer() != 2:
            raise ModelsRefused("the dlib net has another tensor version")
        shape = [self.integer() for _ in range(4)]
        count = int(np.prod(shape))
        values = np.frombuffer(self.data, "<f4", count, self.at).copy()
        self.at += 4 * count
        return values.reshape(shape)


def read_net(data: bytes) -> tuple[list[Convolution], Array]:
    """Return the convolutions from input to output, affine layers folded in, and the final 256 x 128 matrix.

    Raises:
        ModelsRefused: the bytes are not that net.
    """
    raw: list[tuple[Array, Array, int, int]] = []
    affine: list[tuple[Array, Array]] = []
    matrix: Array | None = None
    for match in _TAGS.finditer(data):
        reader = _Reader(data, match.end())
        tag = match.group()
        if tag == b"con_4":
            raw.append(_read_convolution(reader))
        elif tag == b"affine_":
            flat = reader.tensor().ravel()
            affine.append((flat[: flat.size // 2], flat[flat.size // 2 :]))
        elif tag == b"fc_2":
            outputs, inputs = reader.integer(), reader.integer()
            matrix = reader.tensor().reshape(-1, outputs)[:inputs]
    if len(raw) != CONVOLUTIONS or len(affine) != CONVOLUTIONS or matrix is None or matrix.shape != (256, 128):
        raise ModelsRefused("the dlib net has other layers than expected")
    folded = [
        Convolution(w * gamma[:, None, None, None], b * gamma + beta, stride, padding)
        for (w, b, stride, padding), (gamma, beta) in zip(raw, affine, strict=True)
    ]
    return folded, matrix


def _read_convolution(reader: _Reader) -> tuple[Array, Array, int, int]:
    flat = reader.tensor().ravel()
    filters, rows, columns, stride, _, padding, _ = (reader.integer() for _ in range(7))
    count = flat.size - filters
    channels = count // (filters * rows * columns)
    return flat[:count].reshape(filters, channels, rows, columns), flat[count:], stride, padding


@dataclass(slots=True)
class _Graph:
    """Collects nodes and constants and knows the running picture's side and channels."""

    nodes: list[Any] = field(default_factory=list)
    constants: list[Any] = field(default_factory=list)

    def constant(self, name: str, value: NDArray[Any]) -> str:
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def node(self, operator: str, inputs: list[str], output: str, **attributes: object) -> str:
        self.nodes.append(helper.make_node(operator, inputs, [output], name=output, **attributes))
        return output

    def convolution(self, source: str, layer: Convolution, name: str) -> str:
        weights = self.constant(f"{name}.w", layer.weights)
        bias = self.constant(f"{name}.b", layer.bias)
        return self.node(
            "Conv", [source, weights, bias], name, kernel_shape=list(layer.weights.shape[2:]),
            strides=[layer.stride] * 2, pads=[layer.padding] * 4,
        )  # fmt: skip

    def zero_pad(self, source: str, name: str, *, channels: int = 0, side: int = 0) -> str:
        """Append zero channels, rows and columns: dlib's add_prev adds tensors of unlike sizes so."""
        pads = self.constant(f"{name}.pads", np.array([0, 0, 0, 0, 0, channels, side, side], np.int64))
        return self.node("Pad", [source, pads], name, mode="constant")


def _side_after(side: int, layer: Convolution) -> int:
    return int(side + 2 * layer.padding - layer.weights.shape[2]) // layer.stride + 1


def _add_block(
    graph: _Graph, source: str, pair: tuple[Convolution, Convolution], number: int, side: int
) -> tuple[str, int]:
    """Add one residual block; return its output's name and side."""
    first, second = pair
    name = f"block{number}"
    inner = graph.node("Relu", [graph.convolution(source, first, f"{name}.conv1")], f"{name}.relu1")
    inner = graph.convolution(inner, second, f"{name}.conv2")
    inner_side = _side_after(_side_after(side, first), second)
    skip, skip_side = source, side
    if BLOCKS[number]:
        skip = graph.node("AveragePool", [source], f"{name}.pool", kernel_shape=[2, 2], strides=[2, 2])
        skip_side = side // 2
    grown = second.weights.shape[0] - first.weights.shape[1]
    if grown:
        skip = graph.zero_pad(skip, f"{name}.widened", channels=grown)
    if skip_side > inner_side:
        inner = graph.zero_pad(inner, f"{name}.enlarged", side=skip_side - inner_side)
    total = graph.node("Add", [inner, skip], f"{name}.sum")
    return graph.node("Relu", [total], f"{name}.out"), max(skip_side, inner_side)


def convert(data: bytes) -> bytes:
    """Return the ONNX form of the dlib net: input `rgb` N,150,150,3 float32 0..255, output `embedding` N,128.

    Raises:
        ModelsRefused: the bytes are not that net.
    """
    layers, matrix = read_net(data)
    graph = _Graph()
    mean = graph.constant("mean", np.array(MEAN_RGB, np.float32).reshape(1, 3, 1, 1))
    scale = graph.constant("scale", np.array(256.0, np.float32))
    picture = graph.node("Transpose", ["rgb"], "planes", perm=[0, 3, 1, 2])
    picture = graph.node("Div", [graph.node("Sub", [picture, mean], "centred"), scale], "scaled")
    picture = graph.node("Relu", [graph.convolution(picture, layers[0], "stem.conv")], "stem.relu")
    picture = graph.node("MaxPool", [picture], "stem.pool", kernel_shape=[3, 3], strides=[2, 2])
    side = (_side_after(SIDE, layers[0]) - 3) // 2 + 1
    for number in range(len(BLOCKS)):
        pair = (layers[1 + 2 * number], layers[2 + 2 * number])
        picture, side = _add_block(graph, picture, pair, number, side)
    pooled = graph.node("ReduceMean", [picture], "pooled", axes=[2, 3], keepdims=0)
    graph.node("MatMul", [pooled, graph.constant("fc", matrix)], "embedding")
    model = helper.make_model(
        helper.make_graph(
            graph.nodes, "dlib_face_recognition_resnet_model_v1",
            [helper.make_tensor_value_info("rgb", TensorProto.FLOAT, ["n", SIDE, SIDE, 3])],
            [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["n", 128])],
            graph.constants,
        ),
        producer_name="gba-trust", ir_version=8, opset_imports=[helper.make_opsetid("", 17)],
    )  # fmt: skip
    return bytes(model.SerializeToString(deterministic=True))
