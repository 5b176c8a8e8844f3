"""Random networks with their gradients by hand, and every mistake of the diagnosis planted into them."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

Arrays = tuple[np.ndarray, ...]


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


ACTIVATIONS: dict[str, tuple[Callable, Callable]] = {
    "softplus": (lambda a: np.log(1 + np.exp(a)), sigmoid),
    "tanh": (np.tanh, lambda a: 1 - np.tanh(a) ** 2),
    "cos": (np.cos, lambda a: -np.sin(a)),
    "relu": (lambda a: np.maximum(a, 0), lambda a: (a > 0) * np.ones_like(a)),
    "sigmoid": (sigmoid, lambda a: sigmoid(a) * (1 - sigmoid(a))),
}
OTHER = {"softplus": "tanh", "tanh": "sigmoid", "cos": "tanh", "relu": "sigmoid", "sigmoid": "tanh"}

SINGLE = (
    "sign",
    "scale",
    "batch-mean",
    "transposed",
    "transposed at the end",
    "regulariser-missing",
    "regulariser-scale",
    "regulariser-on-bias",
    "activation-derivative-missing",
    "activation-derivative-wrong",
    "activation-derivative-wrong at the output",
    "softmax-diagonal-only",
    "wrong-axis",
    "bias-column",
)
PAIRS = (
    "sign+batch-mean",
    "regulariser-missing+batch-mean",
    "transposed at the end+scale",
    "activation-derivative-missing+regulariser-missing",
    "activation-derivative-wrong+sign",
)


class Network(NamedTuple):
    """A network with a softmax output, its data, and the way in which it is written down."""

    sizes: tuple[int, ...]
    activation: str
    m: int
    reduction: str
    l2: float
    by_columns: bool
    bias_columns: bool
    x: np.ndarray
    t: np.ndarray
    parameters: Arrays

    @property
    def layers(self) -> int:
        return len(self.sizes) - 1

    @property
    def names(self) -> list[str]:
        if self.bias_columns:
            return [f"w{k + 1}" for k in range(self.layers)]
        return [f"{kind}{k + 1}" for k in range(self.layers) for kind in "wb"]

    def objective(self, *parameters):
        h, _ = ACTIVATIONS[self.activation]
        z = self.x
        for k in range(self.layers):
            z = self._affine(z, k, parameters)
            z = h(z) if k < self.layers - 1 else z
        axis = 0 if self.by_columns else 1
        z = z - np.max(z, axis=axis, keepdims=True)
        loss = np.sum(np.log(np.sum(np.exp(z), axis=axis))) - np.sum(self.t * z)
        weights = parameters if self.bias_columns else parameters[::2]
        return (loss / self.m if self.reduction == "mean" else loss) + self.l2 / 2 * sum(np.sum(w**2) for w in weights)

    def _affine(self, z, k, parameters):
        if self.bias_columns:
            return np.concatenate([np.ones((self.m, 1)), z], axis=1) @ parameters[k].T
        w, b = parameters[2 * k], parameters[2 * k + 1]
        return w @ z + b if self.by_columns else z @ w.T + b

    def derivation(self, fault: str, layer: int) -> Callable[..., Arrays]:
        """Return the gradient by hand with `fault`, where it has a place made in `layer`; "" is right."""
        return lambda *parameters: self._backwards(fault.split("+"), layer, parameters)

    def _backwards(self, faults: list[str], layer: int, parameters: Arrays) -> Arrays:
        """Go back through the layers in rows; the column convention is turned at its doors."""
        h, derivative = ACTIVATIONS[self.activation]
        x, t = (self.x.T, self.t.T) if self.by_columns else (self.x, self.t)
        if self.bias_columns:
            ws, bs = [w[:, 1:] for w in parameters], [w[:, 0] for w in parameters]
        else:
            ws, bs = list(parameters[::2]), [b.reshape(-1) for b in parameters[1::2]]
        inputs, affines = [x.astype(ws[0].dtype)], []
        for w, b in zip(ws, bs, strict=True):
            affines.append(inputs[-1] @ w.T + b)
            inputs.append(h(affines[-1]))
        s = affines[-1]
        p = np.exp(s - s.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        delta = t * (p - 1) if "softmax-diagonal-only" in faults else p - t
        if (self.reduction == "mean") != ("batch-mean" in faults):
            delta = delta / self.m
        if "sign" in faults:
            delta = -delta
        gradients = []
        for k in reversed(range(self.layers)):
            gradients.append(self._of_layer(faults, k == layer, k, delta, inputs[k], ws[k], bs[k]))
            if k:
                is_square = ws[k].shape[0] == ws[k].shape[1]  # elsewhere the shapes say it already
                delta = delta @ (ws[k].T if "transposed" in faults and k == layer and is_square else ws[k])
                delta = delta * self._slope(faults, k == layer, affines[k - 1], inputs[k], derivative)
        arrays = tuple(array for pair in reversed(gradients) for array in pair)
        return arrays if len(arrays) > 1 else arrays[0]

    def _slope(self, faults, is_here, a, z, derivative):
        if is_here and "activation-derivative-missing" in faults:
            return np.ones_like(a)
        if is_here and "activation-derivative-wrong" in faults:
            return ACTIVATIONS[OTHER[self.activation]][1](a)
        if is_here and "activation-derivative-wrong at the output" in faults:
            return derivative(z)
        return derivative(a)

    def _of_layer(self, faults, is_here, k, delta, z, w, b):
        l2 = 0.0 if "regulariser-missing" in faults else self.l2
        if "regulariser-scale" in faults:
            l2 *= 2
        gw = delta.T @ z
        gb = delta.sum(axis=0)
        if is_here and "wrong-axis" in faults:
            gb = delta.sum(axis=1) if len(delta) == delta.shape[1] else np.full_like(gb, delta.sum())
        gw = gw + l2 * w
        if self.bias_columns:
            gb = gb + l2 * b
            if is_here and "bias-column" in faults:
                gb = np.zeros_like(gb)
            gw = np.column_stack([gb, gw])
        elif "regulariser-on-bias" in faults:
            gb = gb + self.l2 * b
        if is_here and "transposed at the end" in faults:
            gw = gw.T
        if is_here and "scale" in faults:
            gw, gb = 1.7 * gw, 1.7 * gb
        if self.bias_columns:
            return (gw,)
        return gw, gb.reshape(-1, 1) if self.by_columns else gb


def network(seed: int) -> Network:
    """Return a random network of 1 to 4 layers, some of them square, so that transposes go unnoticed."""
    rng = np.random.default_rng(seed)
    depth = int(rng.integers(1, 5))
    size = int(rng.integers(3, 7))
    sizes = tuple(size if rng.random() < 0.6 else int(rng.integers(3, 7)) for _ in range(depth + 1))
    m = int(rng.choice([1, 5, 32]))
    by_columns, bias_columns = ((False, False), (True, False), (False, True))[int(rng.integers(3))]
    x, t = rng.normal(size=(m, sizes[0])), np.eye(sizes[-1])[rng.integers(sizes[-1], size=m)]
    parameters: list[np.ndarray] = []
    for fan_in, fan_out in itertools.pairwise(sizes):
        w, b = rng.normal(size=(fan_out, fan_in)) / np.sqrt(fan_in), 0.3 * rng.normal(size=fan_out)
        if bias_columns:
            parameters.append(np.column_stack([b, w]))
        else:
            parameters += [w, b[:, None] if by_columns else b]
    return Network(
        sizes=sizes,
        activation=str(rng.choice(list(ACTIVATIONS))),
        m=m,
        reduction=str(rng.choice(["mean", "sum"])),
        l2=float(rng.choice([1e-4, 1e-2, 0.1])),
        by_columns=by_columns,
        bias_columns=bias_columns,
        x=x.T if by_columns else x,
        t=t.T if by_columns else t,
        parameters=tuple(parameters),
    )
